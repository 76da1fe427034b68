"""A case as evidence: its events, their proof, and what checks it, in one zip file.

The same events under the same checkpoint give the same bytes, whenever and wherever it is made.
"""

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple, get_args
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import msgspec

from api.desk import Desk
from api.evidence import timeline
from casecore.case.decisions.intake import case_ref
from casecore.case.events import CaseEvent
from casecore.case.events.intake import CaseRegistered
from casecore.errors import CaseError, Conflict, NotFound, Rejected
from casecore.ledger import Row
from casecore.proof.notes import VerifierKey
from casecore.proof.sealed import Checkpoint
from casecore.recording import decode_event
from casecore.verifying.case import Proved, prove, streams_of, verify_streams
from casecore.verifying.findings import Finding

FORMAT = "casecore-evidence-1"
EVENTS_MAX = 20_000
"""With so many events a bundle is some tens of megabytes, and made in memory."""
OF_A_CASE = {event.__name__ for event in get_args(CaseEvent)}
WHEN = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip file can have: a bundle has no other than those of its events."""
PLAIN_FILE = 0o100644 << 16
UNIX = 3
LEVEL = 6


class Bundle(NamedTuple):
    name: str
    body: bytes
    findings: Sequence[Finding]
    """What of the case is not what was sealed: it is evidence of that, then."""
    unverified: Sequence[str]
    """What it cannot show."""


class Evidence(NamedTuple):
    """All that a bundle is made of."""

    ledger: str
    case_id: UUID
    registered: CaseRegistered | None
    streams: Sequence[tuple[str, Sequence[Row]]]
    proved: Sequence[Proved]
    checkpoint: Checkpoint
    key: VerifierKey
    findings: Sequence[Finding]
    unverified: Sequence[str]

    @property
    def case_ref(self) -> str:
        return self.registered.case_ref if self.registered else case_ref(self.case_id)


async def bundle(desk: Desk, case_id: UUID, *, anyway: bool = False) -> Bundle:
    """One that proves nothing but that something was changed is made only `anyway`."""
    evidence = await gather(desk, case_id)
    if evidence.findings and not anyway:
        first, *others = evidence.findings
        more = f" (and {len(others)} more)" if others else ""
        raise Conflict(
            "evidence-wrong",
            f"this case is not what was sealed: {first.sentence}{more}. {first.means} To have it as"
            " evidence of that, ask again with anyway=true",
            finding=first.code,
            position=first.position,
        )
    body = await asyncio.to_thread(packed, evidence)
    return Bundle(f"{evidence.case_ref}.zip", body, evidence.findings, evidence.unverified)


async def gather(desk: Desk, case_id: UUID) -> Evidence:
    streams = await streams_of(desk.recorder, case_id)
    rows = sorted((row for stream in streams for row in stream), key=lambda row: row.position)
    if not any(row.type in OF_A_CASE for row in streams[0]):
        raise NotFound("case-not-found", "there is no such case here: check the id")
    if len(rows) > EVENTS_MAX:
        raise Rejected(
            "bundle-too-large",
            f"the case has {len(rows):,} events, and a bundle {EVENTS_MAX:,} at most: take its"
            " history, and the proof of each event from /v1/proof/inclusion",
        )
    checkpoint = await desk.sealed.covering(rows[-1].position)
    key = desk.sealing.verifier() if desk.sealing else None
    if checkpoint is None or key is None:
        raise NotFound(
            "position-not-sealed",
            f"the case came to position {rows[-1].position}, and that is not sealed yet: ask again"
            " in a second, while `casecore serve` runs",
        )
    report = await verify_streams(desk.recorder, desk.sealed, case_id, streams, key)
    return Evidence(
        ledger=desk.ledger,
        case_id=case_id,
        registered=registration(streams[0][0]),
        streams=[one for one in zip(("case", "clocks"), streams, strict=True) if one[1]],
        proved=await prove(desk.sealed, rows, checkpoint),
        checkpoint=checkpoint,
        key=key,
        findings=report.findings,
        unverified=report.unverified,
    )


def registration(row: Row) -> CaseRegistered | None:
    """None if something else stands there, or it cannot be read: it was changed, then."""
    try:
        event = decode_event(row.type, row.data)
    except CaseError:
        return None
    return event if isinstance(event, CaseRegistered) else None


def packed(evidence: Evidence) -> bytes:
    body = BytesIO()
    with ZipFile(body, "w", ZIP_DEFLATED, compresslevel=LEVEL) as opened:
        for name, content in contents(evidence):
            info = ZipInfo(name, WHEN)
            info.compress_type, info.create_system = ZIP_DEFLATED, UNIX
            info.external_attr = PLAIN_FILE
            opened.writestr(info, content)
    return body.getvalue()


def contents(evidence: Evidence) -> list[tuple[str, bytes]]:
    here = files("api.evidence")
    return [
        ("README.txt", here.joinpath("README.txt").read_bytes()),
        ("timeline.html", timeline.html(evidence).encode()),
        ("verify.py", here.joinpath("verify.py").read_bytes()),
        ("case.json", lines([summary(evidence)])),
        ("events.jsonl", lines([shown(one.row) for one in evidence.proved])),
        ("proofs.json", lines([{one.row.position: hashes(one) for one in evidence.proved}])),
        ("checkpoint.note", evidence.checkpoint.note.encode()),
        ("sealing.pub", f"{evidence.key}\n".encode()),
    ]


def summary(evidence: Evidence) -> dict[str, object]:
    return {
        "format": FORMAT,
        "ledger": evidence.ledger,
        "case_id": evidence.case_id,
        "case_ref": evidence.case_ref,
        "streams": [
            {
                "what": what,
                "stream_id": stream[0].stream_id,
                "events": len(stream),
                "head": stream[-1].head.hex(),
            }
            for what, stream in evidence.streams
        ],
    }


def shown(row: Row) -> dict[str, object]:
    """An event with the very texts that were hashed."""
    return {
        "position": row.position,
        "stream_id": row.stream_id,
        "version": row.version,
        "type": row.type,
        "recorded_at": f"{row.recorded_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "command_id": row.command_id,
        "meta": row.meta.decode(errors="replace"),
        "data": row.data.decode(errors="replace"),
        "data_hash": row.data_hash.hex(),
        "head": row.head.hex(),
    }


def hashes(proved: Proved) -> list[str]:
    return [hash.hex() for hash in proved.path or ()]


def lines(values: Sequence[object]) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)
