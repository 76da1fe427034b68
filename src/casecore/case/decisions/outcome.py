"""Outcome: resolve the complaint, close it, and open it again when it was not settled after all."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import FRONT, LEADS, LIST_MAX, Code, LocalId, Text
from casecore.case.decisions.base import (
    CaseAsk,
    ended,
    minute,
    refuse_unanswerable,
    refuse_unknown,
    refuse_unless,
    told,
)
from casecore.case.events import CaseEvent
from casecore.case.events.callbacks import CallbackAbandoned
from casecore.case.events.contact import WaitingEnd
from casecore.case.events.goodwill import GoodwillExpired, GoodwillWithdrawn
from casecore.case.events.investigation import (
    CauseClass,
    FaultDetermined,
    Party,
    RootCauseRecorded,
)
from casecore.case.events.outcome import (
    CaseClosed,
    CaseMarkedNotComplaint,
    CaseReopened,
    CaseWithdrawn,
    ComplaintResolved,
    DoubtedSolution,
    Outcome,
    ReopenReason,
    UnresolvedConcern,
)
from casecore.case.events.promises import PromiseBroken, PromiseKept, PromiseReleased
from casecore.case.state import Case
from casecore.case.state.goodwill import Offer
from casecore.case.state.outcome import OPEN
from casecore.errors import Forbidden, Rejected
from casecore.money import Money

REOPEN_WINDOW = timedelta(days=180)
"""How long after closing the same case goes on; what comes later is a new one (I-22)."""
REJECTION_REASONS_MIN = 20
"""Characters: less cannot speak of the case (I-25)."""
IMPLIED_FAULT: dict[Outcome, Party] = {
    "upheld": "business",
    "partly_upheld": "business",
    "rejected": "none",
    "heard_no_action": "none",
}


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose doing it was."""

    party: Party
    reasons: Text | None = None
    """Without any, those of the outcome."""
    cause_class: CauseClass | None = None
    cause_code: Code | None = None


class Unresolved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A major concern that stays open, and why."""

    concern_id: LocalId
    reason: Text


class ResolveCase(CaseAsk, frozen=True, kw_only=True):
    """Tell what becomes of the complaint, and why. What was promised of it is kept by this."""

    outcome: Outcome
    reasons: Text
    root_cause: Code | None = None
    fault: Fault | None = None
    """Without one, the fault determined before, or else the one that the outcome implies."""
    accepted_by_customer: bool | None = None
    """Without this: true if the customer accepted a solution, else unknown."""
    unresolved: Annotated[tuple[Unresolved, ...], Meta(max_length=LIST_MAX)] = ()

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        standing = state.course.resolution
        asked = (self.outcome, self.reasons)
        if state.stage == "resolved" and standing and (standing.outcome, standing.reasons) == asked:
            return []
        refuse_unless(state, OPEN, self)
        refuse_unanswerable(state)
        if self.outcome == "rejected":
            self.refuse_rejection_out_of_hand(state)
        if awaiting := state.goodwill.awaiting_approval(at):
            raise Rejected(
                "goodwill-awaiting-approval",
                f"{', '.join(awaiting)} of the goodwill awaits approval: have it approved or"
                " declined, or withdraw it",
                offers=awaiting,
                invariant="I-19",
            )
        self.refuse_unsettled(state)
        resolved = ComplaintResolved(
            outcome=self.outcome,
            reasons=self.reasons,
            accepted_by_customer=self.acceptance(state),
            first_contact=state.contact.contacts <= 1 and state.course.reopening is None,
            redress=redress(state),
            unresolved=tuple(UnresolvedConcern(u.concern_id, u.reason) for u in self.unresolved),
        )
        return [
            *self.findings(state),
            *waits_ended(state, "resolution", at),
            resolved,
            *kept(state, at),
        ]

    def refuse_rejection_out_of_hand(self, state: Case) -> None:
        if not state.intake.heard:
            raise Rejected(
                "not-heard",
                "a complaint is not rejected before the customer was heard: hear them first",
                invariant="I-25",
            )
        if len(self.reasons.strip()) < REJECTION_REASONS_MIN:
            raise Rejected(
                "reasons-too-short",
                f"say in at least {REJECTION_REASONS_MIN} characters why this very complaint is"
                " rejected",
                field="reasons",
                invariant="I-25",
            )

    def refuse_unsettled(self, state: Case) -> None:
        for unresolved in self.unresolved:
            refuse_unknown(state.intake.concerns, unresolved.concern_id, "concern_id")
        left = {unresolved.concern_id for unresolved in self.unresolved}
        if open_ids := [id for id in state.intake.open_major_concerns if id not in left]:
            raise Rejected(
                "unsettled-concerns",
                f"{', '.join(open_ids)} is major and not settled: settle it, or name it in"
                " unresolved with the reason",
                field="unresolved",
                concerns=open_ids,
                invariant="I-19",
            )

    def acceptance(self, state: Case) -> bool | None:
        if self.accepted_by_customer is None and state.solutions.accepted:
            return True
        return self.accepted_by_customer

    def findings(self, state: Case) -> Iterable[CaseEvent]:
        """Whose fault it was and what caused it, as far as that is not known already."""
        known = state.investigation
        if self.fault is not None:
            fault = FaultDetermined(
                party=self.fault.party,
                reasons=self.fault.reasons or self.reasons,
                cause_class=self.fault.cause_class,
                cause_code=self.fault.cause_code,
            )
        else:
            fault = known.fault or FaultDetermined(IMPLIED_FAULT[self.outcome], self.reasons)
        if fault != known.fault:
            yield fault
        cause = known.root_cause.cause_code if known.root_cause else None
        if self.root_cause not in (None, cause):
            yield RootCauseRecorded(self.root_cause)


class CloseCase(CaseAsk, frozen=True, kw_only=True):
    """Put the case away, once nothing is owed to the customer any more."""

    reason: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        if state.stage == "closed":
            return []
        refuse_unless(state, frozenset({"resolved"}), self)
        if not state.course.called_back:
            raise Rejected(
                "callback-required",
                "call the customer back and ask whether all is settled, or give the callback up"
                " after its attempts",
                invariant="I-20",
            )
        for promise_id, promise in state.promises.running.items():
            raise Rejected(
                "promise-running",
                f"promise {promise_id} is still running until {minute(promise.due_at)}:"
                " keep, release or renegotiate it before closing",
                promises=list(state.promises.running),
                invariant="I-20",
            )
        for offer_id, offer in state.goodwill.all.items():
            if remedy := unsettled(offer, at):
                raise Rejected(
                    "goodwill-unsettled",
                    f"{offer_id} is {told(offer.status)}: {remedy} before closing",
                    offers=[offer_id],
                    invariant="I-20",
                )
        if self.reason is None:
            refuse_new_concerns(state)
        return [*expired(state, at), CaseClosed(closed_at=at, reason=self.reason)]


class ReopenCase(CaseAsk, frozen=True, kw_only=True):
    """Go on with a case that was not settled after all."""

    WHO = FRONT

    reason: ReopenReason
    text: Text

    def permit(self, state: Case, by: Actor) -> None:
        super().permit(state, by)
        if by.role is Role.SERVICE and self.reason != "external_decision":
            raise Forbidden(
                "role-forbidden",
                "a service may reopen a case for an external decision only; leave other reasons"
                " to who owns it",
            )

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        doubts = tuple(
            DoubtedSolution(id, proposal.proposer, proposal.library)
            for id, proposal in state.solutions.accepted.items()
        )
        reopened = CaseReopened(self.reason, self.text, doubts)
        if state.course.reopening == reopened:
            return []
        refuse_unless(state, frozenset({"resolved", "closed"}), self)
        closed_at = state.course.closed_at
        if (
            closed_at is not None
            and at > closed_at + REOPEN_WINDOW
            and self.reason != "external_decision"
        ):
            raise Rejected(
                "reopen-window-passed",
                f"the case was closed on {closed_at:%Y-%m-%d}, more than {REOPEN_WINDOW.days} days"
                " ago: register a new complaint that relates to it",
                invariant="I-22",
            )
        return [reopened]


class WithdrawCase(CaseAsk, frozen=True, kw_only=True):
    """Record, in the customer's words, that they withdraw the complaint."""

    customer_words: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        if state.stage == "withdrawn":
            return []
        refuse_unless(state, OPEN, self)
        refuse_owing(state)
        ends = loose_ends(state, at, "the customer withdrew the complaint", by_customer=True)
        return [*ends, CaseWithdrawn(self.customer_words)]


class MarkNotComplaint(CaseAsk, frozen=True, kw_only=True):
    """Say that this is no complaint after all, and why."""

    WHO = LEADS

    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        if state.stage == "not_a_complaint":
            return []
        refuse_unless(state, frozenset({"registered", "triaged"}), self)
        refuse_owing(state)
        ends = loose_ends(state, at, "this is not a complaint", by_customer=False)
        return [*ends, CaseMarkedNotComplaint(self.reason)]


OutcomeCommand = ResolveCase | CloseCase | ReopenCase | WithdrawCase | MarkNotComplaint


def redress(state: Case) -> tuple[Money, ...]:
    """What the customer was given in all, as far as it is known in money."""
    sums: dict[str, int] = {}
    for offer in state.goodwill.all.values():
        if offer.status in ("accepted", "paid") and offer.amount:
            currency = offer.amount.currency
            sums[currency] = sums.get(currency, 0) + offer.amount.minor
    return tuple(Money(minor, currency) for currency, minor in sorted(sums.items()))


def kept(state: Case, at: datetime) -> Iterable[CaseEvent]:
    """The promises of a resolution, kept by it, or fulfilled too late."""
    for promise_id, promise in state.promises.running.items():
        if promise.kind != "resolution":
            continue
        if at <= promise.due_at:
            yield PromiseKept(promise_id, kept_at=at, how="the complaint was resolved")
        else:
            yield PromiseBroken(promise_id, promise.due_at, detected_at=at, fulfilled_at=at)


def waits_ended(state: Case, cause: WaitingEnd, at: datetime) -> Iterable[CaseEvent]:
    for waiting in state.contact.waiting.values():
        yield ended(waiting, cause, at)


def unsettled(offer: Offer, at: datetime) -> str | None:
    """What is still to do about the offer, if anything."""
    if offer.status == "accepted" and offer.paid_out:
        return "record its payment, or have it reversed,"
    if offer.status == "awaiting_approval" and offer.open(at):
        return "have it approved or declined, or withdraw it"
    if offer.open(at):
        return "record the customer's answer, or withdraw it"
    return None


def expired(state: Case, at: datetime) -> Iterable[CaseEvent]:
    """The offers that nobody answered in time, and nobody noticed."""
    for offer_id, offer in state.goodwill.all.items():
        if offer.status in ("awaiting_approval", "offered") and not offer.open(at):
            yield GoodwillExpired(offer_id, offer.expires_at)


def refuse_new_concerns(state: Case) -> None:
    """Without a reason, only those concerns may be open that the resolution left so."""
    resolution = state.course.resolution
    left = {u.concern_id for u in resolution.unresolved} if resolution else set()
    if open_ids := [id for id in state.intake.open_major_concerns if id not in left]:
        raise Rejected(
            "unsettled-concerns",
            f"{', '.join(open_ids)} is major and not settled: settle it, reopen the case, or"
            " close it with a reason",
            field="reason",
            concerns=open_ids,
            invariant="I-20",
        )


def refuse_owing(state: Case) -> None:
    """A case does not end for good while the customer is owed what they accepted."""
    for offer_id, offer in state.goodwill.all.items():
        if offer.status == "accepted" and offer.paid_out:
            raise Rejected(
                "goodwill-unsettled",
                f"{offer_id} is accepted and not paid: record its payment, or have it reversed",
                offers=[offer_id],
            )


def loose_ends(state: Case, at: datetime, why: str, *, by_customer: bool) -> Iterable[CaseEvent]:
    """What would be waited for in vain once the case has ended for good."""
    for promise_id in state.promises.running:
        yield PromiseReleased(promise_id, by_customer, why)
    for offer_id, offer in state.goodwill.all.items():
        if offer.status in ("awaiting_approval", "offered"):
            yield GoodwillWithdrawn(offer_id, why)
    for callback_id, callback in state.callbacks.scheduled.items():
        yield CallbackAbandoned(callback_id, len(callback.attempts), why)
    yield from waits_ended(state, "agent", at)
