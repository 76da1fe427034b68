"""Investigation and root cause: what happened, whose doing it was, and whether it will again."""

from typing import Literal
from uuid import UUID

from casecore.facts import Event

EvidenceKind = Literal["document", "image", "recording", "message", "log", "other"]
Party = Literal["business", "customer", "third_party", "none", "undetermined"]
CauseClass = Literal[
    "process_defect", "product", "staff_conduct", "external_circumstances", "none_found"
]
Recurrence = Literal["first", "repeat_customer", "repeat_cause"]
Locus = Literal["product", "process", "people", "system", "supplier", "policy"]


class InvestigationStarted(Event, frozen=True):
    plan: str | None = None

    def told(self) -> str:
        return "started to investigate"


class EvidenceAttached(Event, frozen=True):
    evidence_id: str
    kind: EvidenceKind
    sha256: str
    uri: str
    size_bytes: int

    def told(self) -> str:
        return f"attached evidence {self.evidence_id} ({self.kind}, {self.size_bytes} bytes)"


class FaultDetermined(Event, frozen=True):
    party: Party
    reasons: str
    cause_class: CauseClass | None = None
    cause_code: str | None = None

    def told(self) -> str:
        return f"found the fault with: {self.party.replace('_', ' ')}"


class RecurrenceAssessed(Event, frozen=True):
    window_days: int
    verdict: Recurrence
    similar_case_ids: tuple[UUID, ...] = ()

    def told(self) -> str:
        return f"looked back {self.window_days} days: {self.verdict.replace('_', ' ')}"


class RootCauseRecorded(Event, frozen=True):
    cause_code: str
    locus: Locus | None = None

    def told(self) -> str:
        return f"recorded the root cause: {self.cause_code}"


InvestigationEvent = (
    InvestigationStarted
    | EvidenceAttached
    | FaultDetermined
    | RecurrenceAssessed
    | RootCauseRecorded
)
