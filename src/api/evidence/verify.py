#!/usr/bin/env python3
"""Checks an evidence bundle of casecore, on any machine, without casecore and offline.

    python3 verify.py                     the folder that this file lies in
    python3 verify.py case.zip            a bundle as it came
    python3 verify.py case.zip --key KEY  only believe this key; KEY is name+id+key, or a file of it
    python3 verify.py case.zip --show     print the events that were checked, too

It needs Python 3.8 or newer and nothing else. It runs nothing that is in the bundle, writes
nothing, and asks no network. The exit code is 0 when all is right, and 1 when anything is not.

How things are hashed (SHA-256; || joins; numbers have eight bytes, big-endian; names and meta have
their length in four before them):

    core = H(0x03 || ledger || stream || version || type || command || meta || H(data))
    head = H(0x02 || previous head || core); before the first, H("casecore" || ledger || stream)
    leaf = H(0x00 || core || head || position || recorded_at in microseconds since 1970)
    node = H(0x01 || left || right), as in RFC 6962; the root is signed with Ed25519 (RFC 8032)
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import sys
import textwrap
import uuid
import zipfile
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

FORMAT = "casecore-evidence-1"
EVENTS, CASE, PROOFS = "events.jsonl", "case.json", "proofs.json"
CHECKPOINT, KEY = "checkpoint.note", "sealing.pub"
READ = (CASE, EVENTS, PROOFS, CHECKPOINT, KEY)
OTHERS = ("README.txt", "timeline.html", "verify.py")
"""What is in a bundle for people: it is not checked, because nothing was signed over it."""

FIELDS = {
    CASE: {"format", "ledger", "case_id", "case_ref", "streams"},
    EVENTS: {
        *("position", "stream_id", "version", "type", "recorded_at", "command_id", "meta", "data"),
        *("data_hash", "head"),
    },
}
"""What has more would have it unchecked."""

FILE_BYTES_MAX = 256 << 20
EVENTS_MAX = 100_000
DEPTH_MAX = 64
"""No tree of 2**64 leaves is higher."""
UTC = timezone.utc  # noqa: UP017 (Python 3.8 has no other name for it)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HASH = re.compile("[0-9a-f]{64}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class Wrong(Exception):
    """Something is not as it should be; the sentence says what."""


def main() -> int:
    given = arguments()
    try:
        files = read(given.bundle)
        checked = check(files, given.key)
    except Wrong as wrong:
        say(f"WRONG: {wrong}")
        say(
            "This bundle does not prove what it says. Keep it as it is, and ask where it came from."
        )
        return 1
    if given.show:
        show(checked)
    report(checked)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check an evidence bundle of casecore.")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("bundle", nargs="?", default=here, help="the zip file, or its folder")
    parser.add_argument("--key", help="the public key to believe: name+id+key, or a file of it")
    parser.add_argument("--show", action="store_true", help="print the events, too")
    return parser.parse_args()


def report(checked: dict[str, Any]) -> None:
    key, events = checked["key"], checked["events"]
    first, last = events[0], events[-1]
    say(f"Case {checked['case_ref']} ({checked['case_id']}), ledger {checked['ledger']}")
    say(f"from {first['recorded_at']} (position {first['position']} of the ledger)")
    say(f"to   {last['recorded_at']} (position {last['position']})")
    say("")
    say("What was checked, and is right:")
    tell(
        f"* Each of the {len(events)} events is what was recorded: what it says, who, when and why"
        " give the hash that was kept of it."
    )
    for stream in checked["streams"]:
        if stream["events"] == 1:
            tell(f"* The one event of the {stream['what']} is its first: none was left out before.")
            continue
        tell(
            f"* The {stream['events']} events of the {stream['what']} follow one another from the"
            " first to the last: between them none was left out, added or moved."
        )
    tell(
        f"* Each is in the tree over the first {checked['size']} events of the ledger, at its place"
        " and with its time of recording."
    )
    tell("* The root of that tree was signed with this key:")
    say("")
    say(key.written)
    say(f"fingerprint {key.fingerprint}")
    say("")
    if checked["key_given"]:
        tell("It is the key that you gave.")
    else:
        tell(
            "The key came with the bundle. Whoever could make up a bundle could make up a key: hold"
            " the fingerprint against one that you got another way, on paper or by phone, or give"
            " the key that you have with --key."
        )
    say("")
    tell(
        "What this cannot show: whether more was recorded of this case after the last event above;"
        " whether what people recorded is true; and what is in timeline.html, which is for reading:"
        " the events themselves are in events.jsonl, and --show prints them."
    )
    say("")
    say("ALL IS RIGHT")


def show(checked: dict[str, Any]) -> None:
    for event in checked["events"]:
        meta = json.loads(event["meta"])
        actor = meta.get("actor") or {}
        say(f"{event['position']}  version {event['version']} of {event['stream_id']}")
        say(f"   {event['type']} by {actor.get('id')} ({actor.get('role')})")
        say(f"   happened {meta.get('occurred_at')}, recorded {event['recorded_at']}")
        say(f"   {event['data']}")
    say("")


def tell(paragraph: str) -> None:
    for line in textwrap.wrap(paragraph, 80, subsequent_indent="  " * paragraph.startswith("*")):
        say(line)


def say(line: str) -> None:
    """What is stored comes from anyone: it must mean nothing to the terminal."""
    told = "".join(letter if letter.isprintable() else " " for letter in line)
    encoding = sys.stdout.encoding or "ascii"
    print(told.encode(encoding, "replace").decode(encoding))


# Reading the bundle: five files by their names, of bounded size, and nothing else.


def read(bundle: str) -> dict[str, bytes]:
    if os.path.isdir(bundle):
        return {name: read_file(bundle, name) for name in READ}
    try:
        with zipfile.ZipFile(bundle) as opened:
            return read_zip(opened)
    except OSError as error:
        raise Wrong(f"{bundle} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError):
        raise Wrong(f"{bundle} is no zip file, or a damaged one") from None
    except Exception as error:
        if isinstance(error, Wrong):
            raise
        raise Wrong(f"{bundle} is a damaged zip file") from None


def read_file(folder: str, name: str) -> bytes:
    path = os.path.join(folder, name)
    if os.path.islink(path) or not os.path.isfile(path):
        raise Wrong(f"{name} is missing from the folder, or is no plain file")
    if os.path.getsize(path) > FILE_BYTES_MAX:
        raise Wrong(f"{name} is larger than any bundle has it")
    with open(path, "rb") as file:
        return file.read()


def read_zip(opened: zipfile.ZipFile) -> dict[str, bytes]:
    names = [info.filename for info in opened.infolist()]
    if len(set(names)) < len(names):
        raise Wrong("the zip file has two files of the same name")
    for name in names:
        if name not in READ + OTHERS:
            raise Wrong(f"the zip file has {name!r}, which is no part of a bundle")
    files = {}
    for name in READ:
        if name not in names:
            raise Wrong(f"{name} is missing from the zip file")
        if opened.getinfo(name).file_size > FILE_BYTES_MAX:
            raise Wrong(f"{name} is larger than any bundle has it")
        with opened.open(name) as file:
            files[name] = file.read(FILE_BYTES_MAX + 1)
        if len(files[name]) > FILE_BYTES_MAX:
            raise Wrong(f"{name} is larger than any bundle has it")
    return files


# Checking.


def check(files: dict[str, bytes], given: str | None) -> dict[str, Any]:
    key = read_key(text(files, KEY).strip(), KEY)
    if given is not None:
        trusted = read_key(read_given(given), "--key")
        if trusted.public != key.public:
            raise Wrong(
                f"the bundle's key, {key.written}, is not the one that you believe,"
                f" {trusted.written} ({KEY})"
            )
        key = trusted
    origin, size, root = open_note(text(files, CHECKPOINT), key)

    case = decoded(text(files, CASE), CASE)
    if not isinstance(case, dict) or case.get("format") != FORMAT:
        raise Wrong(f"{CASE} is not of the form {FORMAT}: this verify.py is for another casecore")
    refuse_more(case, FIELDS[CASE], CASE)
    ledger, case_id = field(case, "ledger", str, CASE), field(case, "case_id", str, CASE)
    if origin != f"casecore/{ledger}":
        raise Wrong(
            f"the checkpoint is about {origin!r}, and the case of ledger {ledger!r} ({CHECKPOINT})"
        )
    streams = read_streams(case, case_id)

    events = read_events(files)
    leaves = check_chains(ledger, streams, events)
    check_tree(files, root, size, events, leaves)
    case_ref = field(case, "case_ref", str, CASE)
    check_ref(case_ref, case_id, events)
    return {
        "case_ref": case_ref,
        "case_id": case_id,
        "ledger": ledger,
        "streams": streams,
        "events": events,
        "size": size,
        "key": key,
        "key_given": given is not None,
    }


def read_streams(case: dict[str, Any], case_id: str) -> list[dict[str, Any]]:
    """The case's own events, and those of its clocks, whose id follows from the case's."""
    streams: list[dict[str, Any]] = field(case, "streams", list, CASE)
    try:
        clocks = str(uuid.uuid5(uuid.UUID(case_id), "clocks"))
    except ValueError:
        raise Wrong(f"the id of the case is none ({CASE})") from None
    expected = [("case", case_id), ("clocks", clocks)][: max(len(streams), 1)]
    found = []
    for stream in streams:
        if not isinstance(stream, dict):
            raise Wrong(f"{CASE} has a stream that is none")
        found.append((field(stream, "what", str, CASE), field(stream, "stream_id", str, CASE)))
        field(stream, "events", int, CASE)
        hexadecimal(field(stream, "head", str, CASE), f"a head in {CASE}")
    if found != expected:
        raise Wrong(f"the streams in {CASE} are not those of the case and its clocks")
    return streams


def read_events(files: dict[str, bytes]) -> list[dict[str, Any]]:
    lines = text(files, EVENTS).split("\n")
    if lines.pop() != "" or not lines:
        raise Wrong(f"{EVENTS} has no events, or its last line was cut off")
    if len(lines) > EVENTS_MAX:
        raise Wrong(f"{EVENTS} has more events than any bundle")
    events = []
    last = 0
    for number, line in enumerate(lines, 1):
        where = f"line {number} of {EVENTS}"
        event = decoded(line, where)
        if not isinstance(event, dict):
            raise Wrong(f"{where} is no event")
        refuse_more(event, FIELDS[EVENTS], where)
        for name in ("stream_id", "type", "command_id", "meta", "data", "recorded_at"):
            field(event, name, str, where)
        for name in ("position", "version"):
            if not 0 < field(event, name, int, where) < 1 << 63:
                raise Wrong(f"{where} has a {name} that no event has")
        if event["position"] <= last:
            raise Wrong(f"{where}: position {event['position']} does not come after {last}")
        last = event["position"]
        events.append(event)
    return events


def check_chains(
    ledger: str, streams: list[dict[str, Any]], events: list[dict[str, Any]]
) -> list[bytes]:
    heads = {}
    for stream in streams:
        id = uuid.UUID(stream["stream_id"]).bytes
        heads[stream["stream_id"]] = (0, sha256(b"casecore" + sized(ledger.encode()) + id))
    leaves = []
    recorded = None
    for event in events:
        where = f"the event at position {event['position']} ({event['type']})"
        if event["stream_id"] not in heads:
            raise Wrong(f"{where} is of another case")
        version, head = heads[event["stream_id"]]
        if event["version"] != version + 1:
            raise Wrong(
                f"{where} is version {event['version']}, and version {version + 1} should come"
                " there: an event was left out, added, or moved"
            )
        data_hash = sha256(event["data"].encode())
        if data_hash != hexadecimal(field(event, "data_hash", str, where), where):
            raise Wrong(f"{where}: its data is not what was recorded, as it has another hash")
        core = sha256(
            b"\x03"
            + sized(ledger.encode())
            + uuid_of(event["stream_id"], where)
            + number(event["version"])
            + sized(event["type"].encode())
            + uuid_of(event["command_id"], where)
            + sized(event["meta"].encode())
            + data_hash
        )
        head = sha256(b"\x02" + head + core)
        if head != hexadecimal(field(event, "head", str, where), where):
            raise Wrong(
                f"{where} does not follow the one before it: its head, or who, when, which command"
                " or what kind of event it was, is not what was recorded"
            )
        heads[event["stream_id"]] = (event["version"], head)
        at = instant(event["recorded_at"], where)
        if recorded is not None and at < recorded:
            raise Wrong(f"{where} was recorded before the one that stands before it")
        recorded = at
        leaves.append(sha256(b"\x00" + core + head + number(event["position"]) + number(at)))
    for stream in streams:
        version, head = heads[stream["stream_id"]]
        if stream["events"] != version or stream["head"] != head.hex():
            raise Wrong(
                f"{CASE} says that the {stream['what']} has {stream['events']} events up to head"
                f" {stream['head']}, and {EVENTS} has {version} up to {head.hex()}"
            )
    return leaves


def check_ref(case_ref: str, case_id: str, events: list[dict[str, Any]]) -> None:
    """The case is called by the name that its first event gave it."""
    where = "the data of the first event of the case"
    first = next((event for event in events if event["stream_id"] == case_id), None)
    said = decoded(first["data"], where) if first else None
    if not isinstance(said, dict) or said.get("case_ref") != case_ref:
        raise Wrong(f"{CASE} calls the case {case_ref!r}, and {where} does not")


def check_tree(
    files: dict[str, bytes],
    root: bytes,
    size: int,
    events: list[dict[str, Any]],
    leaves: list[bytes],
) -> None:
    proofs = decoded(text(files, PROOFS), PROOFS)
    if not isinstance(proofs, dict):
        raise Wrong(f"{PROOFS} is no list of proofs")
    if len(proofs) != len(events):
        raise Wrong(f"{PROOFS} has {len(proofs)} proofs for {len(events)} events")
    for index, event in enumerate(events):
        position = event["position"]
        where = f"the proof of position {position}"
        path = proofs.get(str(position))
        if not isinstance(path, list) or len(path) > DEPTH_MAX:
            raise Wrong(f"{where} is missing from {PROOFS}")
        hashes = [hexadecimal(hash, f"{where} in {PROOFS}") for hash in path]
        if position > size:
            raise Wrong(f"the checkpoint is over {size} events, and not over position {position}")
        if not included(root, size, position - 1, leaves[index], hashes):
            raise Wrong(
                f"{where} does not lead to the root that was signed: the event is not at that"
                f" place or was not recorded at {event['recorded_at']}, or {PROOFS} was changed"
            )


def included(root: bytes, size: int, index: int, leaf: bytes, path: list[bytes]) -> bool:
    """RFC 9162, 2.1.3.2."""
    at, last, reckoned = index, size - 1, leaf
    for hash in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            reckoned = sha256(b"\x01" + hash + reckoned)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            reckoned = sha256(b"\x01" + reckoned + hash)
        at, last = at >> 1, last >> 1
    return last == 0 and reckoned == root


# The signed note (C2SP signed-note and tlog-checkpoint).


class Key:
    def __init__(self, name: str, public: bytes, written: str) -> None:
        self.name = name
        self.public = public
        self.written = written

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n\x01" + self.public)[:4]

    @property
    def fingerprint(self) -> str:
        digest = sha256(self.public).hex().upper()
        return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def read_given(given: str) -> str:
    if not os.path.isfile(given):
        return given.strip()
    with open(given, encoding="utf-8", errors="replace") as file:
        return file.read(10_000).strip()


def read_key(written: str, where: str) -> Key:
    name, _, rest = written.partition("+")
    id, _, encoded = rest.partition("+")
    public = base64_of(encoded, where)
    if not name or len(public) != 33 or public[:1] != b"\x01":
        raise Wrong(f"{where} has no key of the form name+id+key")
    key = Key(name, public[1:], written)
    if key.id.hex() != id:
        raise Wrong(f"the key in {where} is not the one that its id says")
    return key


def open_note(note: str, key: Key) -> tuple[str, int, bytes]:
    """Whose tree it is, its size and its root, once they are known to be signed."""
    body, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Wrong(f"{CHECKPOINT} is no signed note")
    body += "\n"
    for line in signatures.split("\n")[:-1]:
        name, _, encoded = line[2:].partition(" ")
        if not line.startswith("\u2014 ") or name != key.name:
            continue
        signature = base64_of(encoded, CHECKPOINT)
        if signature[:4] == key.id:
            if not ed25519_verify(key.public, body.encode(), signature[4:]):
                raise Wrong(
                    f"{CHECKPOINT} is not what was signed: its text or its signature was changed"
                )
            break
    else:
        raise Wrong(f"{CHECKPOINT} is not signed with the key {key.written}")
    lines = body.split("\n")
    if len(lines) < 4 or not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1], re.ASCII):
        raise Wrong(f"{CHECKPOINT} has no size")
    root = base64_of(lines[2], CHECKPOINT)
    if len(root) != 32:
        raise Wrong(f"{CHECKPOINT} has no root")
    return lines[0], int(lines[1]), root


# Ed25519, as RFC 8032 has it. It only verifies, so it need not hide how long it takes. A point is
# X, Y, Z and T of extended coordinates: x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(hashed, "little") % L
    return same(times(s, BASE), plus(r, times(k, a)))


def point_of(encoded: bytes) -> Any:
    """The point, or None where there is none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    x = x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def x_of(y: int, sign: int) -> int | None:
    squared = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if (x * x - squared) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - squared) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def plus(p: Any, q: Any) -> Any:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(n: int, point: Any) -> Any:
    product = (0, 1, 1, 0)
    while n:
        if n & 1:
            product = plus(product, point)
        point = plus(point, point)
        n >>= 1
    return product


def same(p: Any, q: Any) -> bool:
    return bool((p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


# Small things.


def sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def text(files: dict[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong(f"{name} is not text in UTF-8") from None


def decoded(source: str, where: str) -> Any:
    def refuse(_: str) -> NoReturn:
        raise ValueError

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        return json.loads(source, parse_constant=refuse, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Wrong(f"{where} is not JSON") from None


def field(of: dict[str, Any], name: str, kind: type, where: str) -> Any:
    value = of.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Wrong(f"{where} has no {name}, or not as it should be")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Wrong(f"{where} has a {name} that is no text") from None
    return value


def refuse_more(of: dict[str, Any], names: set[str], where: str) -> None:
    more = sorted(of.keys() - names)
    if more:
        raise Wrong(f"{where} has {more[0]!r}, over which nothing was signed")


def hexadecimal(value: Any, where: str) -> bytes:
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise Wrong(f"{where} has something else where a hash should be")
    return bytes.fromhex(value)


def base64_of(value: str, where: str) -> bytes:
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong(f"{where} has something that should be Base 64") from None
    if base64.b64encode(found).decode() != value:
        raise Wrong(f"{where} has Base 64 that could be written otherwise")
    return found


def uuid_of(value: str, where: str) -> bytes:
    try:
        found = uuid.UUID(value)
    except ValueError:
        raise Wrong(f"{where} has an id that is none") from None
    if str(found) != value:
        raise Wrong(f"{where} has an id that could be written otherwise")
    return found.bytes


def instant(value: str, where: str) -> int:
    """Microseconds since 1970."""
    try:
        if not INSTANT.fullmatch(value):
            raise ValueError
        at = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise Wrong(f"{where} has no time of recording like 2026-03-02T12:00:00.000000Z") from None
    if at < EPOCH:
        raise Wrong(f"{where} was recorded before 1970")
    return (at - EPOCH) // timedelta(microseconds=1)


if __name__ == "__main__":
    sys.exit(main())
