"""What a case's proof comes to, recomputed while somebody looks, in words for who relies on it."""

from base64 import b64encode
from typing import Literal, NamedTuple
from uuid import UUID

from api.desk import Desk
from casecore.proof.sealed import Checkpoint
from casecore.verifying.case import CaseReport, verify_case

Verdict = Literal["sound", "partly", "wrong"]


class Proof(NamedTuple):
    verdict: Verdict
    title: str
    report: CaseReport
    checkpoint: Checkpoint | None
    root: str | None


async def proof_of(desk: Desk, case_id: UUID) -> Proof:
    sealing = desk.sealing
    report = await verify_case(
        desk.recorder, desk.sealed, case_id, sealing.verifier() if sealing else None
    )
    checkpoint = None
    if report.checkpoint is not None:
        checkpoint = await desk.sealed.checkpoint(report.checkpoint)
    verdict, title = judged(report)
    root = b64encode(checkpoint.root).decode() if checkpoint else None
    return Proof(verdict, title, report, checkpoint, root)


def judged(report: CaseReport) -> tuple[Verdict, str]:
    if report.findings:
        return "wrong", "This record is not what was recorded"
    if report.unverified:
        return "partly", "Nothing was found changed; part of the proof is still missing"
    return "sound", "Nothing in this record has changed since it was sealed"
