"""Investigation and root cause: find out what happened, and whose doing it was."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from casecore.actors import Actor
from casecore.asking import LIST_MAX, Code, Text
from casecore.case.decisions.base import LASTING, UNCLOSED, CaseAsk, next_id, refuse_unless
from casecore.case.events import CaseEvent
from casecore.case.events.investigation import (
    CauseClass,
    EvidenceAttached,
    EvidenceKind,
    FaultDetermined,
    InvestigationStarted,
    Locus,
    Party,
    Recurrence,
    RecurrenceAssessed,
    RootCauseRecorded,
)
from casecore.case.state import Case
from casecore.errors import Rejected

Sha256 = Annotated[
    str, Meta(pattern="^[0-9a-fA-F]{64}$", max_length=64, description="64 hexadecimal digits")
]
Uri = Annotated[str, Meta(min_length=1, max_length=2000)]
Bytes = Annotated[int, Meta(ge=0, le=10**15)]
Days = Annotated[int, Meta(ge=1, le=3650)]


class StartInvestigation(CaseAsk, frozen=True, kw_only=True):
    """Begin to find out what happened."""

    plan: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        if state.stage == "investigating":
            return []
        refuse_unless(state, frozenset({"triaged"}), self)
        if state.ownership.owner is None:
            raise Rejected(
                "owner-required", "an investigation needs somebody accountable: assign the case"
            )
        return [InvestigationStarted(self.plan)]


class AttachEvidence(CaseAsk, frozen=True, kw_only=True):
    """Say where a piece of evidence is kept, and by what hash it is known again."""

    OWN = False

    kind: EvidenceKind
    sha256: Sha256
    uri: Uri
    size_bytes: Bytes

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        evidence = state.investigation.evidence
        sha256 = self.sha256.lower()
        if sha256 in evidence.values():
            return []
        return [
            EvidenceAttached(
                evidence_id=next_id("v", evidence),
                kind=self.kind,
                sha256=sha256,
                uri=self.uri,
                size_bytes=self.size_bytes,
            )
        ]


class DetermineFault(CaseAsk, frozen=True, kw_only=True):
    """Say whose doing it was, and why that is so."""

    party: Party
    reasons: Text
    cause_class: CauseClass | None = None
    cause_code: Code | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        fault = FaultDetermined(self.party, self.reasons, self.cause_class, self.cause_code)
        return [] if fault == state.investigation.fault else [fault]


class AssessRecurrence(CaseAsk, frozen=True, kw_only=True):
    """Say whether this has happened before: to this customer, or from this cause."""

    window_days: Days
    verdict: Recurrence
    similar_case_ids: Annotated[tuple[UUID, ...], Meta(max_length=LIST_MAX)] = ()

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        assessed = RecurrenceAssessed(self.window_days, self.verdict, self.similar_case_ids)
        return [] if assessed == state.investigation.recurrence else [assessed]


class RecordRootCause(CaseAsk, frozen=True, kw_only=True):
    """Name what lies at the root of it, even when that is ourselves."""

    cause_code: Code
    locus: Locus | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        cause = RootCauseRecorded(self.cause_code, self.locus)
        return [] if cause == state.investigation.root_cause else [cause]


InvestigationCommand = (
    StartInvestigation | AttachEvidence | DetermineFault | AssessRecurrence | RecordRootCause
)
