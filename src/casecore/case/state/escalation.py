"""How high the case has been escalated, and which escalations await an answer."""

from datetime import datetime
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
    to_team: str | None = None
    status: EscalationStatus = "requested"
    spoke: SupervisorSpoke | None = None
    """What the supervisor last told the customer."""
    promise: tuple[str | None, datetime | None] = (None, None)
    """The promise at risk that it is about, and the date it had."""


class Escalation(msgspec.Struct, frozen=True):
    all: dict[str, Escalated] = {}

    @property
    def tier(self) -> int:
        """How high it has come: what was declined did not lift it."""
        lifted = (
            e.tier for e in self.all.values() if e.kind == "hierarchical" and e.status != "declined"
        )
        return max(lifted, default=0)

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
                escalated = Escalated(
                    event.kind,
                    event.tier,
                    event.requested_by,
                    event.asked_by,
                    event.to_team,
                    promise=(event.promise_id, event.promise_due_at),
                )
                return replace(self, all=self.all | {event.escalation_id: escalated})
            case EscalationAccepted():
                return self.having(event.escalation_id, status="accepted")
            case EscalationDeclined():
                return self.having(event.escalation_id, status="declined")
            case SupervisorSpoke():
                return self.having(event.escalation_id, spoke=event)
            case EscalationClosed():
                return self.having(event.escalation_id, status="closed")
            case _:
                assert_never(event)

    def having(self, escalation_id: str, **changes: object) -> Self:
        escalated = replace(self.all[escalation_id], **changes)
        return replace(self, all=self.all | {escalation_id: escalated})
