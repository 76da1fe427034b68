"""What has been found out about the cause."""

from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.investigation import (
    EvidenceAttached,
    FaultDetermined,
    InvestigationStarted,
    RecurrenceAssessed,
    RootCauseRecorded,
)
from casecore.case.events.outcome import CaseReopened


class Investigation(msgspec.Struct, frozen=True):
    started: bool = False
    evidence: dict[str, str] = {}
    """The SHA-256 of each attached piece."""
    fault: FaultDetermined | None = None
    """The last one; a reopening puts it in doubt, and it is determined anew."""
    recurrence: RecurrenceAssessed | None = None
    root_cause: RootCauseRecorded | None = None

    def evolve(
        self,
        event: InvestigationStarted
        | EvidenceAttached
        | FaultDetermined
        | RecurrenceAssessed
        | RootCauseRecorded
        | CaseReopened,
    ) -> Self:
        match event:
            case InvestigationStarted():
                return replace(self, started=True)
            case EvidenceAttached():
                return replace(self, evidence=self.evidence | {event.evidence_id: event.sha256})
            case FaultDetermined():
                return replace(self, fault=event)
            case RecurrenceAssessed():
                return replace(self, recurrence=event)
            case RootCauseRecorded():
                return replace(self, root_cause=event)
            case CaseReopened():
                return replace(self, fault=None)
            case _:
                assert_never(event)
