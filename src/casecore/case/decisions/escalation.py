"""Escalation: ask another function or a supervisor in, and let them answer."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import FRONT, LEADS, TEXT_MAX, Code, Instant, LocalId, Text, Texts
from casecore.case.decisions.base import (
    UNCLOSED,
    CaseAsk,
    Heat,
    found,
    minute,
    next_id,
    refuse_unknown,
    refuse_unless,
)
from casecore.case.events import CaseEvent
from casecore.case.events.escalation import (
    ComplaintEscalated,
    EscalationAccepted,
    EscalationClosed,
    EscalationDeclined,
    EscalationKind,
    HardTrigger,
    RequestedBy,
    SupervisorDecision,
    SupervisorSpoke,
)
from casecore.case.state import Case
from casecore.case.state.escalation import Escalated
from casecore.errors import Conflict, Forbidden, Rejected

TIER_MAX = 3
MACHINES = frozenset({Role.SERVICE, Role.SYSTEM})

Tier = Annotated[int, Meta(ge=1, le=TIER_MAX)]


class Escalate(CaseAsk, frozen=True, kw_only=True):
    """Escalate the complaint: up to a tier, or sideways to a team."""

    WHO = FRONT
    OWN = False

    reason: Text
    kind: EscalationKind = "hierarchical"
    tier: Tier | None = None
    """How high; one above where it stands unless given."""
    requested_by: RequestedBy | None = None
    trigger: HardTrigger | None = None
    alternatives_tried: Texts = ()
    to_team: Code | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        requested_by = self.requested_by or ("system" if by.role in MACHINES else "agent")
        if requested_by == "system" and by.role not in MACHINES:
            raise Rejected(
                "not-a-system",
                f"{by.id} is a person: escalate as agent, or for the customer",
                field="requested_by",
            )
        if by.role is Role.SERVICE and self.trigger is None:
            raise Rejected(
                "trigger-required", "a service escalates on a trigger: name it", field="trigger"
            )
        if self.kind == "functional":
            return self.sideways(state, by, requested_by)
        if requested_by != "customer" and self.trigger is None and not self.alternatives_tried:
            raise Rejected(
                "alternatives-required",
                "a supervisor is the last resort: say in alternatives_tried what was tried,"
                " or that the customer demands it, or name the trigger",
                field="alternatives_tried",
                invariant="I-15",
            )
        return self.upwards(state, by, requested_by)

    def sideways(self, state: Case, by: Actor, requested_by: RequestedBy) -> list[CaseEvent]:
        if self.to_team is None:
            raise Rejected(
                "team-required", "say which team is to help: give to_team", field="to_team"
            )
        if self.tier is not None:
            raise Rejected(
                "tier-not-functional",
                "a team has no tier: leave it out, or escalate to a supervisor",
                field="tier",
            )
        if any((e.kind, e.to_team) == (self.kind, self.to_team) for e in open_ones(state)):
            return []
        return [self.escalated(state, by, requested_by, state.escalation.tier)]

    def upwards(self, state: Case, by: Actor, requested_by: RequestedBy) -> list[CaseEvent]:
        tier = state.escalation.tier
        asked_already = any(e.kind == "hierarchical" for e in open_ones(state))
        if tier >= (self.tier or TIER_MAX) or (self.tier is None and asked_already):
            return []
        return [self.escalated(state, by, requested_by, self.tier or tier + 1)]

    def escalated(
        self, state: Case, by: Actor, requested_by: RequestedBy, tier: int
    ) -> ComplaintEscalated:
        return ComplaintEscalated(
            escalation_id=next_id("e", state.escalation.all),
            kind=self.kind,
            tier=tier,
            reason=self.reason,
            requested_by=requested_by,
            asked_by=by.id,
            trigger=self.trigger,
            alternatives_tried=self.alternatives_tried,
            to_team=self.to_team,
        )


class EscalatePromise(CaseAsk, frozen=True, kw_only=True):
    """Tell a supervisor that a promise may not be kept, once for every date it was given (SP-55).

    An escalation that is open already is about something else: this one names the promise.
    """

    WHO = frozenset({Role.SYSTEM})

    promise_id: LocalId
    due_at: Instant
    """As whoever saw the risk knows it: when the promise was moved meanwhile, it is none."""

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        promise = found(state.promises.all, self.promise_id, "promise_id")
        if promise.status != "running" or promise.due_at != self.due_at:
            return []
        if any(
            e.promise == (self.promise_id, promise.due_at) for e in state.escalation.all.values()
        ):
            return []
        past = at > promise.due_at
        return [
            ComplaintEscalated(
                escalation_id=next_id("e", state.escalation.all),
                kind="hierarchical",
                tier=max(1, state.escalation.tier),
                reason=f"promise {self.promise_id} {'was' if past else 'is'} due"
                f" {minute(promise.due_at)} and not kept yet: {promise.text}"[:TEXT_MAX],
                requested_by="system",
                asked_by=by.id,
                trigger="promise_at_risk",
                promise_id=self.promise_id,
                promise_due_at=promise.due_at,
            )
        ]


class AcceptEscalation(CaseAsk, frozen=True, kw_only=True):
    """Take an escalation on. Whoever asked for it themselves may not."""

    WHO = LEADS

    escalation_id: LocalId

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        escalated = found(state.escalation.all, self.escalation_id, "escalation_id")
        if escalated.requested_by == "agent" and escalated.asked_by == by.id:
            raise Forbidden(
                "self-approval",
                f"{by.id} asked for {self.escalation_id}: another supervisor has to accept it",
                invariant="I-08",
            )
        if escalated.status == "accepted":
            return []
        if escalated.status != "requested":
            raise decided(self.escalation_id, escalated)
        return [EscalationAccepted(self.escalation_id)]


class DeclineEscalation(CaseAsk, frozen=True, kw_only=True):
    """Decline an escalation, advising whoever asked how to go on."""

    WHO = LEADS

    escalation_id: LocalId
    guidance: Text
    """Nobody is declined in silence, least of all a customer (I-16)."""

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        escalated = found(state.escalation.all, self.escalation_id, "escalation_id")
        if escalated.status == "declined":
            return []
        if escalated.status != "requested":
            raise decided(self.escalation_id, escalated)
        return [EscalationDeclined(self.escalation_id, self.guidance)]


class RecordSupervisorSpoke(CaseAsk, frozen=True, kw_only=True):
    """Record that a supervisor spoke with the customer, and what became of the decision."""

    WHO = LEADS

    escalation_id: LocalId
    decision: SupervisorDecision
    heat_before: Heat | None = None
    heat_after: Heat | None = None
    interaction_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        escalated = found(state.escalation.all, self.escalation_id, "escalation_id")
        refuse_unknown(state.intake.interactions, self.interaction_id, "interaction_id")
        spoke = SupervisorSpoke(
            escalation_id=self.escalation_id,
            decision=self.decision,
            heat_before=self.heat_before,
            heat_after=self.heat_after,
            interaction_id=self.interaction_id,
        )
        if escalated.spoke == spoke:
            return []
        if escalated.status != "accepted":
            raise not_accepted(self.escalation_id, escalated)
        return [spoke]


class CloseEscalation(CaseAsk, frozen=True, kw_only=True):
    """Close an accepted escalation with its outcome."""

    WHO = LEADS

    escalation_id: LocalId
    outcome: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        escalated = found(state.escalation.all, self.escalation_id, "escalation_id")
        if escalated.status == "closed":
            return []
        if escalated.status != "accepted":
            raise not_accepted(self.escalation_id, escalated)
        return [EscalationClosed(self.escalation_id, self.outcome)]


EscalationCommand = (
    Escalate | AcceptEscalation | DeclineEscalation | RecordSupervisorSpoke | CloseEscalation
)


def open_ones(state: Case) -> list[Escalated]:
    return list(state.escalation.open.values())


def decided(escalation_id: str, escalated: Escalated) -> Conflict:
    return Conflict(
        "already-decided",
        f"escalation {escalation_id} was {escalated.status} already; escalate anew if need be",
        field="escalation_id",
    )


def not_accepted(escalation_id: str, escalated: Escalated) -> Rejected:
    remedy = "accept it first" if escalated.status == "requested" else "escalate anew if need be"
    return Rejected(
        "escalation-not-accepted",
        f"escalation {escalation_id} is {escalated.status}: {remedy}",
        field="escalation_id",
    )
