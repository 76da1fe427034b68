"""How high the case has been escalated, and which escalations await an answer."""

from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.escalation import (
    ComplaintEscalated,
    EscalationAccepted,
    EscalationClosed,
    EscalationDeclined,
    EscalationKind,
    RequestedBy,
    SupervisorSpoke,
)

EscalationStatus = Literal["requested", "accepted", "declined", "closed"]


class Escalated(msgspec.Struct, frozen=True):
    kind: EscalationKind
    tier: int
    requested_by: RequestedBy
    asked_by: str
    status: EscalationStatus = "requested"
    supervisor_spoke: bool = False


class Escalation(msgspec.Struct, frozen=True):
    tier: int = 0
    all: dict[str, Escalated] = {}

    @property
    def open(self) -> dict[str, Escalated]:
        return {id: e for id, e in self.all.items() if e.status in ("requested", "accepted")}

    def evolve(
        self,
        event: ComplaintEscalated
        | EscalationAccepted
        | EscalationDeclined
        | SupervisorSpoke
        | EscalationClosed,
    ) -> Self:
        match event:
            case ComplaintEscalated():
                escalated = Escalated(event.kind, event.tier, event.requested_by, event.asked_by)
                return replace(
                    self,
                    tier=max(self.tier, event.tier),
                    all=self.all | {event.escalation_id: escalated},
                )
            case EscalationAccepted():
                return self.having(event.escalation_id, status="accepted")
            case EscalationDeclined():
                return self.having(event.escalation_id, status="declined")
            case SupervisorSpoke():
                return self.having(event.escalation_id, supervisor_spoke=True)
            case EscalationClosed():
                return self.having(event.escalation_id, status="closed")
            case _:
                assert_never(event)

    def having(self, escalation_id: str, **changes: object) -> Self:
        escalated = replace(self.all[escalation_id], **changes)
        return replace(self, all=self.all | {escalation_id: escalated})
