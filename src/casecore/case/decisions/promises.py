"""Promises: say what will happen and by when, and hold to it."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from casecore.actors import Actor
from casecore.asking import LEADS, Instant, LocalId, Text
from casecore.case.decisions.base import (
    AHEAD_MAX,
    LASTING,
    UNCLOSED,
    CaseAsk,
    ahead,
    found,
    minute,
    next_id,
    refuse_unless,
)
from casecore.case.events import CaseEvent
from casecore.case.events.promises import (
    PromiseBasis,
    PromiseBroken,
    PromiseKept,
    PromiseKind,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)
from casecore.case.state import Case
from casecore.case.state.promises import Promise
from casecore.errors import Rejected

Within = Annotated[int, Meta(ge=1, le=int(AHEAD_MAX.total_seconds()))]


class MakePromise(CaseAsk, frozen=True, kw_only=True):
    """Promise the customer something, by a date or within so many seconds."""

    OWN = False

    kind: PromiseKind
    text: Text
    due_at: Instant | None = None
    within_seconds: Within | None = None
    basis: PromiseBasis = "elapsed"

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        due = due_of(self, at)
        running = state.promises.running.values()
        if any((p.kind, p.text, p.due_at) == (self.kind, self.text, due) for p in running):
            return []
        promise_id = next_id("p", state.promises.all)
        return [PromiseMade(promise_id, self.kind, self.text, due, by.id, self.basis)]


class KeepPromise(CaseAsk, frozen=True, kw_only=True):
    """Record that what was promised happened; too late, it does not un-break the promise."""

    OWN = False

    promise_id: LocalId
    how: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        promise = found(state.promises.all, self.promise_id, "promise_id")
        if promise.status == "released":
            raise final(self.promise_id, promise)
        if promise.status == "kept":
            return []
        if promise.broken is not None:
            if promise.broken.fulfilled_at is not None:
                return []
            if at <= promise.due_at:
                raise Rejected(
                    "promise-broken",
                    f"promise {self.promise_id} was found broken when it was due, on"
                    f" {minute(promise.due_at)}, and stays so: say in a note what was done before,"
                    " and give occurred_at only if it was later",
                    field="occurred_at",
                    invariant="I-11",
                )
            return [replace(promise.broken, fulfilled_at=at)]
        if at > promise.due_at:
            return [PromiseBroken(self.promise_id, promise.due_at, at, fulfilled_at=at)]
        return [PromiseKept(self.promise_id, kept_at=at, how=self.how)]


class RenegotiatePromise(CaseAsk, frozen=True, kw_only=True):
    """Agree upon another date; after the first has passed, that is another promise."""

    OWN = False

    promise_id: LocalId
    customer_agreed: bool
    reason: Text
    due_at: Instant | None = None
    within_seconds: Within | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED, self)
        promise = found(state.promises.all, self.promise_id, "promise_id")
        due = due_of(self, at)
        if promise.status in ("kept", "released"):
            raise final(self.promise_id, promise)
        if promise.status == "running" and at <= promise.due_at:
            if promise.due_at == due:
                return []
            return [PromiseRenegotiated(self.promise_id, due, self.customer_agreed, self.reason)]
        successors = state.promises.instead_of(self.promise_id)
        if any(successor.due_at == due for successor in successors.values()):
            return []
        if successors:
            raise final(self.promise_id, promise, f"; renegotiate {next(iter(successors))} instead")
        made = PromiseMade(
            promise_id=next_id("p", state.promises.all),
            kind=promise.kind,
            text=promise.text,
            due_at=due,
            made_by=by.id,
            basis=promise.basis,
            replaces=self.promise_id,
        )
        if promise.status == "broken":
            return [made]
        return [PromiseBroken(self.promise_id, promise.due_at, detected_at=at), made]


class ReleasePromise(CaseAsk, frozen=True, kw_only=True):
    """Let a promise go before it is due; after that, it is recorded as broken."""

    OWN = False

    promise_id: LocalId
    by_customer: bool
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        promise = found(state.promises.all, self.promise_id, "promise_id")
        if promise.status == "released":
            return []
        if promise.status != "running":
            raise final(self.promise_id, promise)
        if at > promise.due_at:
            return [PromiseBroken(self.promise_id, promise.due_at, detected_at=at)]
        return [PromiseReleased(self.promise_id, self.by_customer, self.reason)]


class BreakPromise(CaseAsk, frozen=True, kw_only=True):
    """Record that a promise's date passed and nothing happened."""

    WHO = LEADS

    promise_id: LocalId

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        promise = found(state.promises.all, self.promise_id, "promise_id")
        if promise.status == "broken":
            return []
        if promise.status != "running":
            raise final(self.promise_id, promise)
        if at <= promise.due_at:
            raise Rejected(
                "not-due", f"promise {self.promise_id} can be kept until {minute(promise.due_at)}"
            )
        return [PromiseBroken(self.promise_id, promise.due_at, detected_at=at)]


PromiseCommand = MakePromise | KeepPromise | RenegotiatePromise | ReleasePromise | BreakPromise


def due_of(command: MakePromise | RenegotiatePromise, at: datetime) -> datetime:
    if (command.due_at is None) == (command.within_seconds is None):
        raise Rejected(
            "due-required",
            "say by when: give due_at or within_seconds, one of them",
            field="due_at",
        )
    if command.within_seconds is not None:
        return at + timedelta(seconds=command.within_seconds)
    assert command.due_at is not None
    return ahead(command.due_at, at, "due_at", invariant="I-11")


def final(promise_id: str, promise: Promise, remedy: str = "; make a new promise") -> Rejected:
    return Rejected(
        "promise-final",
        f"promise {promise_id} was {promise.status}, and stays so{remedy}",
        field="promise_id",
        invariant="I-11",
    )
