"""verify.py checks a bundle on another machine, and names whatever was changed in it."""

import ast
import base64
import json
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from api.evidence import verify
from casecore.proof.notes import Head, SealingKey, origin
from tests.api.evidence.conftest import LEDGER

Files = dict[str, bytes]
Change = Callable[[Files], None]


def unpacked(path: Path) -> Files:
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def run(folder: Path, *words: str) -> tuple[int, str]:
    """As somebody would who has nothing but the bundle."""
    command = [sys.executable, "-I", str(folder / "verify.py"), *words]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in ran.stderr
    return ran.returncode, " ".join(ran.stdout.split())


@pytest.fixture
def elsewhere(zipped: Path, tmp_path: Path) -> Path:
    """Another machine: an empty folder, into which the bundle was unpacked."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    write(folder, unpacked(zipped))
    return folder


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_a_bundle_checks_itself_and_says_what_it_checked(elsewhere: Path, zipped: Path) -> None:
    for words in ((), (str(elsewhere),), (str(zipped),)):
        code, told = run(elsewhere, *words)
        assert code == 0, told
        assert told.endswith("ALL IS RIGHT")
        assert "Each of the 7 events is what was recorded" in told
        assert "The 6 events of the case follow one another" in told
        assert "The one event of the clocks is its first" in told
        assert "in the tree over the first 12 events of the ledger" in told
        assert "The key came with the bundle" in told
        assert "whether more was recorded of this case after the last event" in told


def test_the_key_that_somebody_has_is_the_one_that_counts(elsewhere: Path) -> None:
    (elsewhere / "mine.pub").write_bytes((elsewhere / "sealing.pub").read_bytes())
    code, told = run(elsewhere, "--key", "mine.pub")
    assert (code, "It is the key that you gave." in told) == (0, True)
    other = str(SealingKey.made().verifier(origin(LEDGER)))
    code, told = run(elsewhere, "--key", other)
    assert (code, "is not the one that you believe" in told) == (1, True)


def test_the_events_that_were_checked_can_be_printed(elsewhere: Path) -> None:
    code, told = run(elsewhere, "--show")
    assert (code, '"text":"Two\\nlines"' in told, "ada (agent)" in told) == (0, True, True)


def of_event(line: int, **changed: Any) -> Change:
    def change(files: Files) -> None:
        lines = files["events.jsonl"].splitlines(keepends=True)
        event = json.loads(lines[line])
        for name, value in changed.items():
            event[name] = value(event[name]) if callable(value) else value
        lines[line] = json.dumps(event).encode() + b"\n"
        files["events.jsonl"] = b"".join(lines)

    return change


def of_lines(moved: Callable[[list[bytes]], list[bytes]]) -> Change:
    def change(files: Files) -> None:
        lines = files["events.jsonl"].splitlines(keepends=True)
        files["events.jsonl"] = b"".join(moved(lines))

    return change


def replaced(name: str, old: bytes, new: bytes) -> Change:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return change


def made(name: str, content: bytes) -> Change:
    return lambda files: files.__setitem__(name, content)


def of_proof(change: Callable[[dict[str, list[str]]], object]) -> Change:
    def changed(files: Files) -> None:
        proofs = json.loads(files["proofs.json"])
        change(proofs)
        files["proofs.json"] = json.dumps(proofs).encode()

    return changed


def other_hash(hash: str) -> str:
    return ("0" if hash[0] != "0" else "1") + hash[1:]


def forged(files: Files) -> None:
    """Signed by somebody who put their own key into the note, and not into the bundle."""
    head = Head.of(files["checkpoint.note"].decode().partition("\n\n")[0] + "\n")
    files["checkpoint.note"] = SealingKey.made().sign(head).encode()


CHANGES: dict[str, tuple[Change, str]] = {
    "name of the case": (
        replaced("case.json", b'"case_ref":"C-', b'"case_ref":"D-'),
        "and the data of the first event of the case does not",
    ),
    "a field more in an event": (of_event(1, note="She lied"), "over which nothing was signed"),
    "a field more in the case": (
        replaced("case.json", b'"format"', b'"outcome":"upheld","format"'),
        "over which nothing was signed",
    ),
    "data": (of_event(1, data=lambda text: text.replace("true", "null")), "its data is not what"),
    "meta": (of_event(1, meta=lambda text: text.replace("sam", "ada")), "does not follow the one"),
    "type": (of_event(1, type="ComplaintHurt"), "does not follow the one before it"),
    "command": (of_event(1, command_id="0" * 8 + "-0000-0000-0000-" + "0" * 12), "does not follow"),
    "time": (
        of_event(6, recorded_at="2199-01-01T00:00:00.000000Z"),
        "was not recorded at 2199-01-01T00:00:00.000000Z",
    ),
    "earlier time": (of_event(3, recorded_at="1999-01-01T00:00:00.000000Z"), "was recorded before"),
    "head": (of_event(2, head=other_hash), "does not follow the one before it"),
    "hash of data": (of_event(2, data_hash=other_hash), "its data is not what was recorded"),
    "version": (of_event(2, version=9), "version 3 should come there"),
    "position": (of_event(6, position=10), "the proof of position 10 is missing"),
    "stream": (of_event(2, stream_id="0" * 8 + "-0000-0000-0000-" + "0" * 12), "of another case"),
    "an event": (of_lines(lambda lines: lines[:2] + lines[3:]), "an event was left out"),
    "the last": (of_lines(lambda lines: lines[:-1]), "case.json says that the case has 6 events"),
    "order": (of_lines(lambda lines: [*lines[:2], *lines[3:1:-1], *lines[4:]]), "does not come"),
    "a line cut off": (of_lines(lambda lines: [*lines[:-1], lines[-1][:9]]), "was cut off"),
    "no event": (made("events.jsonl", b"[]\n"), "line 1 of events.jsonl is no event"),
    "no JSON": (made("events.jsonl", b"{\n"), "line 1 of events.jsonl is not JSON"),
    "deep JSON": (made("events.jsonl", b"[" * 99_999 + b"\n"), "is not JSON"),
    "a name twice": (
        replaced("events.jsonl", b'{"position":1,', b'{"position":1,"position":1,'),
        "line 1 of events.jsonl is not JSON",
    ),
    "no text": (made("events.jsonl", b"\xff\n"), "is not text in UTF-8"),
    "half a letter": (of_event(1, type="\ud800"), "has a type that is no text"),
    "a hash of a proof": (
        of_proof(lambda proofs: proofs["1"].__setitem__(0, other_hash(proofs["1"][0]))),
        "the proof of position 1 does not lead to the root",
    ),
    "a shorter proof": (of_proof(lambda proofs: proofs["3"].pop()), "does not lead to the root"),
    "a longer proof": (of_proof(lambda p: p["3"].append(p["3"][0])), "does not lead to the root"),
    "no proof": (of_proof(lambda proofs: proofs.pop("3")), "6 proofs for 7 events"),
    "proofs of others": (of_proof(lambda p: p.update(x=p.pop("3"))), "is missing from proofs.json"),
    "size of the checkpoint": (
        replaced("checkpoint.note", b"\n12\n", b"\n13\n"),
        "checkpoint.note is not what was signed",
    ),
    "signature": (
        lambda files: files.__setitem__(
            "checkpoint.note", files["checkpoint.note"][:-12] + b"AAAAAAAAAA=\n"
        ),
        "checkpoint.note",
    ),
    "another's signature": (forged, "checkpoint.note is not signed with the key"),
    "no note": (made("checkpoint.note", b"hello"), "checkpoint.note is no signed note"),
    "key": (replaced("sealing.pub", b"+", b"+0"), "is not the one that its id says"),
    "another key": (
        made("sealing.pub", str(SealingKey.made().verifier(origin(LEDGER))).encode()),
        "checkpoint.note is not signed with the key",
    ),
    "no key": (made("sealing.pub", b"hello"), "sealing.pub has no key"),
    "ledger": (replaced("case.json", b'"told"', b'"side"'), "the case of ledger 'side'"),
    "case": (
        replaced("case.json", b'"case_id":"018f', b'"case_id":"118f'),
        "are not those of the case and its clocks",
    ),
    "end of a chain": (replaced("case.json", b'"events":6', b'"events":7'), "has 7 events"),
    "form": (replaced("case.json", b"evidence-1", b"evidence-2"), "is for another casecore"),
}


@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES)
def test_whatever_is_changed_in_a_bundle_is_named(
    zipped: Path, change: Change, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = unpacked(zipped)
    change(files)
    with pytest.raises(verify.Wrong) as wrong:
        verify.check(files, None)
    assert told in str(wrong.value)


def test_what_is_wrong_exits_with_1(elsewhere: Path) -> None:
    files = {"events.jsonl": (elsewhere / "events.jsonl").read_bytes()}
    of_event(1, data="{}")(files)
    write(elsewhere, files)
    code, told = run(elsewhere)
    assert code == 1
    assert told.startswith("WRONG: the event at position 3 (ComplaintHeard): its data is not")
    (elsewhere / "events.jsonl").unlink()
    assert run(elsewhere) == (1, run(elsewhere)[1])


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["../case.json"], "which is no part of a bundle"),
        (["/etc/passwd"], "which is no part of a bundle"),
        (["case.json"], "two files of the same name"),
        (["sealing.pub/"], "which is no part of a bundle"),
    ],
)
def test_a_zip_file_that_is_a_trick_is_refused(
    zipped: Path, elsewhere: Path, names: list[str], told: str
) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(zipped, "a") as opened:
        warnings.simplefilter("ignore")  # Of a name twice.
        for name in names:
            opened.writestr(name, b"x")
    code, said = run(elsewhere, str(zipped))
    assert (code, told in said) == (1, True), said


def test_what_is_no_bundle_is_refused(zipped: Path, elsewhere: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in verify.READ:
            opened.writestr(name, bytes(300 << 20 if name == "case.json" else 1))
    broken = tmp_path / "broken.zip"
    raw = bytearray(zipped.read_bytes())
    raw[200:300] = bytes(100)
    broken.write_bytes(raw)
    (tmp_path / "empty").mkdir()
    cases = {
        str(bomb): "larger than any bundle",
        str(tmp_path / "nowhere.zip"): "cannot be read",
        str(elsewhere / "README.txt"): "is no zip file",
        str(tmp_path / "empty"): "case.json is missing from the folder",
    }
    for path, told in cases.items():
        code, said = run(elsewhere, path)
        assert (code, told in said) == (1, True), said
    (elsewhere / "case.json").unlink()
    (elsewhere / "case.json").symlink_to("/dev/zero")
    assert "is no plain file" in run(elsewhere)[1]


# RFC 8032, 7.1.
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
)


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_rfc_8032_verify(public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(value) for value in (public, message, signature))
    assert verify.ed25519_verify(key, text, signed)
    assert not verify.ed25519_verify(key, text + b"!", signed)
    for index in (0, 31, 32, 63):
        changed = bytearray(signed)
        changed[index] ^= 1
        assert not verify.ed25519_verify(key, text, bytes(changed))


@settings(max_examples=25, deadline=None)
@given(message=st.binary(max_size=200), at=st.integers(0, 95), bit=st.integers(0, 7))
def test_signatures_verify_where_openssl_says_so(message: bytes, at: int, bit: int) -> None:
    private = Ed25519PrivateKey.generate()
    signed = private.public_key().public_bytes_raw() + private.sign(message)
    assert verify.ed25519_verify(signed[:32], message, signed[32:])
    changed = bytearray(signed)
    changed[at] ^= 1 << bit
    public, signature = bytes(changed[:32]), bytes(changed[32:])
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        theirs = True
    except (InvalidSignature, ValueError):
        theirs = False
    assert verify.ed25519_verify(public, message, signature) == theirs


def test_a_signature_that_could_be_written_otherwise_is_refused() -> None:
    """S and S + L are the same number to a careless verifier (RFC 8032, 8.4)."""
    private = Ed25519PrivateKey.generate()
    public, signed = private.public_key().public_bytes_raw(), private.sign(b"x")
    other = int.from_bytes(signed[32:], "little") + verify.L
    assert not verify.ed25519_verify(public, b"x", signed[:32] + other.to_bytes(32, "little"))


def test_it_needs_nothing_but_an_old_python() -> None:
    source = Path(verify.__file__).read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else name.name or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported <= sys.stdlib_module_names
    assert not {"subprocess", "socket", "urllib", "pickle", "ctypes", "importlib"} & imported
    called = {node.func.id for node in ast.walk(tree) if calls(node)}
    assert not {"eval", "exec", "compile", "__import__"} & called


def calls(node: Any) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_base64_is_read_as_it_must_be_written() -> None:
    assert verify.base64_of(base64.b64encode(b"abcd").decode(), "here") == b"abcd"
    for odd in ("YWJjZB==", "YWJj ZA==", "YWJjZA", "ü"):
        with pytest.raises(verify.Wrong):
            verify.base64_of(odd, "here")
