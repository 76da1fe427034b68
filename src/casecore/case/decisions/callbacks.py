"""Callbacks and follow-ups: get back to the customer, and to whoever has the work."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import Code, Instant, LocalId, Short, Text, Texts
from casecore.case.decisions.base import (
    LASTING,
    UNCLOSED,
    CaseAsk,
    ahead,
    found,
    minute,
    next_id,
    refuse_disclosure,
    refuse_unknown_zone,
    refuse_unless,
)
from casecore.case.events import CaseEvent
from casecore.case.events.callbacks import (
    AssuranceGiven,
    AssuranceScope,
    AttemptOutcome,
    CallbackAbandoned,
    CallbackAttempted,
    CallbackPurpose,
    CallbackScheduled,
    CustomerCalledBack,
    FollowUpDone,
    FollowUpScheduled,
)
from casecore.case.events.intake import ConcernRaised, ConcernSettled
from casecore.case.state import Case
from casecore.case.state.callbacks import Callback, FollowUp
from casecore.clocks.instants import instant, within_years
from casecore.clocks.zones import zone
from casecore.errors import Rejected

ATTEMPTS_MAX = 3
WINDOW_MAX = timedelta(days=31)
RETRY = timedelta(hours=4)
"""How long a call that reached nobody may be made again before it is late, when no time for it was
agreed: half a working day."""
NEW_CONCERNS_MAX = 20

InZone = Annotated[
    datetime,
    Meta(
        description="with an offset from UTC, or without one as clocks in `zone` show it",
        extra_json_schema={"format": "date-time"},
    ),
]


class NewConcern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Text
    major: bool = False


class ScheduleCallback(CaseAsk, frozen=True, kw_only=True):
    """Agree to call the customer within a window of time."""

    OWN = False

    window_start: InZone
    window_end: InZone
    zone: Short
    purpose: CallbackPurpose = "requested"
    attempts_max: Annotated[int, Meta(ge=1, le=10)] = ATTEMPTS_MAX

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        refuse_unknown_zone(self.zone, "zone")
        start = in_zone(self.window_start, self.zone, "window_start")
        end = ahead(in_zone(self.window_end, self.zone, "window_end"), at, "window_end")
        if not end - WINDOW_MAX <= start < end:
            raise Rejected(
                "window-invalid",
                "window_start must be before window_end, by at most"
                f" {WINDOW_MAX.days} days: {minute(end)}",
                field="window_start",
            )
        scheduled = CallbackScheduled(
            callback_id=next_id("b", state.callbacks.all),
            purpose=self.purpose,
            window_start=start.astimezone(UTC),
            window_end=end,
            zone=self.zone,
            attempts_max=self.attempts_max,
        )
        same = (scheduled.purpose, scheduled.window_start, scheduled.window_end)
        planned = state.callbacks.scheduled.values()
        if any((c.purpose, c.window_start, c.window_end) == same for c in planned):
            return []
        return [scheduled]


class ScheduleReturnCall(ScheduleCallback, frozen=True, kw_only=True):
    """Plan the call after a resolution, unless somebody has, or it would be in vain (SP-56)."""

    WHO = frozenset({Role.SYSTEM})

    purpose: CallbackPurpose = "post_resolution"

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        callbacks = state.callbacks.all.values()
        planned = any((c.purpose, c.status) == (self.purpose, "scheduled") for c in callbacks)
        unreachable = any(c.attempts and c.status == "abandoned" for c in callbacks)
        if state.stage != "resolved" or state.course.called_back or planned or unreachable:
            return []
        return super().decide(state, by, at)


class RecordCallbackAttempt(CaseAsk, frozen=True, kw_only=True):
    """Record a call that did not reach the customer."""

    OWN = False

    callback_id: LocalId
    outcome: Literal["no_answer", "voicemail", "wrong_party", "refused"]

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        callback = found(state.callbacks.all, self.callback_id, "callback_id")
        return attempt(self.callback_id, callback, self.outcome, at)


class RecordCallback(CaseAsk, frozen=True, kw_only=True):
    """Record that the customer was called back, and whether all is settled now."""

    OWN = False

    reached: bool
    all_concerns_settled: bool = False
    callback_id: LocalId | None = None
    """The callback that was due; the one that must have been meant unless given."""
    new_concerns: Annotated[tuple[NewConcern, ...], Meta(max_length=NEW_CONCERNS_MAX)] = ()
    assurance: Text | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, UNCLOSED if self.new_concerns else LASTING, self)
        if self.all_concerns_settled and self.new_concerns:
            raise Rejected(
                "unsettled-concerns",
                "new concerns cannot all be settled: set all_concerns_settled to false",
                field="all_concerns_settled",
            )
        if not self.reached:
            return self.missed(state, at)
        refuse_disclosure(state)
        if self.repeats(state.callbacks.last_call, at):
            return []
        callback_id, scheduled = self.which(state, at)
        if not scheduled and state.callbacks.all[callback_id].status != "scheduled":
            raise over(callback_id, state.callbacks.all[callback_id])
        raised = [*self.raised(state)]
        settled = state.intake.open_concerns if self.all_concerns_settled else ()
        called = CustomerCalledBack(
            callback_id=callback_id,
            all_concerns_settled=self.all_concerns_settled,
            new_concern_ids=tuple(concern.concern_id for concern in raised),
            assurance_given=self.assurance is not None,
            called_at=at,
        )
        events = [
            *scheduled,
            *raised,
            *(ConcernSettled(concern_id, customer_agrees=True) for concern_id in settled),
            called,
        ]
        if self.assurance is not None:
            assurance = AssuranceGiven(self.assurance, "personal_only")
            events += [] if assurance in state.callbacks.assurances else [assurance]
        return events

    def missed(self, state: Case, at: datetime) -> list[CaseEvent]:
        if self.all_concerns_settled or self.new_concerns or self.assurance:
            raise Rejected(
                "not-reached",
                "nothing can be settled, raised or assured in a call that reached nobody",
                field="reached",
            )
        callback_id, scheduled = self.which(state, at, lasting=RETRY)
        if scheduled:
            return [*scheduled, CallbackAttempted(callback_id, "no_answer", attempted_at=at)]
        return attempt(callback_id, state.callbacks.all[callback_id], "no_answer", at)

    def repeats(self, last: CustomerCalledBack | None, at: datetime) -> bool:
        return (
            last is not None
            and last.called_at == at
            and last.all_concerns_settled == self.all_concerns_settled
            and self.callback_id in (None, last.callback_id)
        )

    def which(
        self, state: Case, at: datetime, *, lasting: timedelta = timedelta()
    ) -> tuple[str, list[CaseEvent]]:
        """The callback this is about, scheduled on the spot where there was none."""
        if self.callback_id is not None:
            found(state.callbacks.all, self.callback_id, "callback_id")
            return self.callback_id, []
        due = state.callbacks.scheduled
        resolved = state.stage == "resolved"
        after = {id: c for id, c in due.items() if c.purpose == "post_resolution"}
        candidates = list(after if resolved and after else due)
        if len(candidates) > 1:
            raise Rejected(
                "callback-ambiguous",
                f"callbacks {', '.join(candidates)} are due: say which by callback_id",
                field="callback_id",
            )
        if candidates:
            return candidates[0], []
        callback_id = next_id("b", state.callbacks.all)
        purpose: CallbackPurpose = "post_resolution" if resolved else "progress"
        window = at, at + lasting
        return callback_id, [CallbackScheduled(callback_id, purpose, *window, "UTC", ATTEMPTS_MAX)]

    def raised(self, state: Case) -> Iterator[ConcernRaised]:
        """Those of the new concerns that are not open already."""
        open = {(c.text, c.major) for c in state.intake.open_concerns.values()}
        fresh = [c for c in dict.fromkeys(self.new_concerns) if (c.text, c.major) not in open]
        for number, concern in enumerate(fresh, len(state.intake.concerns) + 1):
            yield ConcernRaised(f"c{number}", concern.text, concern.major)


class AbandonCallback(CaseAsk, frozen=True, kw_only=True):
    """Give a callback up, after as many tries as were agreed."""

    OWN = False

    callback_id: LocalId
    reason: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        callback = found(state.callbacks.all, self.callback_id, "callback_id")
        attempts = len(callback.attempts)
        if callback.status == "abandoned":
            return []
        if callback.status == "completed":
            raise over(self.callback_id, callback)
        if attempts < callback.attempts_max:
            raise Rejected(
                "attempts-required",
                f"the customer was tried {attempts} times: try {callback.attempts_max} times"
                " before giving up",
                invariant="I-20",
            )
        return [CallbackAbandoned(self.callback_id, attempts, self.reason)]


class GiveAssurance(CaseAsk, frozen=True, kw_only=True):
    """Assure the customer that it will not happen again."""

    text: Text
    scope: AssuranceScope = "personal_only"
    action_refs: Texts = ()

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        if self.scope == "systemic" and not self.action_refs:
            raise Rejected(
                "actions-required",
                "name in action_refs what is being done about it, or assure it personally only",
                field="action_refs",
                invariant="I-21",
            )
        assurance = AssuranceGiven(self.text, self.scope, self.action_refs)
        return [] if assurance in state.callbacks.assurances else [assurance]


class ScheduleFollowUp(CaseAsk, frozen=True, kw_only=True):
    """Plan to ask the team that has the work how it stands."""

    with_team: Code
    due_at: Instant
    protects_promise_id: LocalId | None = None

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        due = ahead(self.due_at, at, "due_at")
        if self.protects_promise_id is not None:
            promise = found(state.promises.all, self.protects_promise_id, "protects_promise_id")
            if promise.status != "running" or due >= promise.due_at:
                raise Rejected(
                    "protects-nothing",
                    f"promise {self.protects_promise_id} is {promise.status}, due"
                    f" {minute(promise.due_at)}: follow up before that, while it runs",
                    field="due_at",
                    invariant="I-17",
                )
        planned = FollowUp(self.with_team, due, self.protects_promise_id)
        if planned in state.callbacks.follow_ups.values():
            return []
        followup_id = next_id("f", state.callbacks.follow_ups)
        return [FollowUpScheduled(followup_id, self.with_team, due, self.protects_promise_id)]


class RecordFollowUp(CaseAsk, frozen=True, kw_only=True):
    """Record that the team was asked, and what it said."""

    followup_id: LocalId
    result: Text

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        refuse_unless(state, LASTING, self)
        follow_up = found(state.callbacks.follow_ups, self.followup_id, "followup_id")
        return [] if follow_up.done else [FollowUpDone(self.followup_id, self.result)]


CallbackCommand = (
    ScheduleCallback
    | RecordCallbackAttempt
    | RecordCallback
    | AbandonCallback
    | GiveAssurance
    | ScheduleFollowUp
    | RecordFollowUp
)


def in_zone(told: datetime, zone_name: str, field: str) -> datetime:
    """The instant meant by a local time, which clocks must have shown, and only once."""
    if told.tzinfo is not None:
        return told
    local = within_years(told.replace(tzinfo=UTC), field)
    readings = zone(zone_name).readings(local)
    if len(readings) == 1:
        return instant(readings[0])
    there = f"{told:%Y-%m-%d %H:%M} in {zone_name}"
    if not readings:
        after = instant(zone(zone_name).after_gap(local))
        raise Rejected(
            "nonexistent-local-time",
            f"clocks skipped {there}: the next time they showed is {minute(after)}; give another"
            " time, or that one with its offset",
            field=field,
            offered=[after],
        )
    offered = [instant(at) for at in readings]
    raise Rejected(
        "ambiguous-local-time",
        f"clocks showed {there} twice: give the time with its offset,"
        f" {' or '.join(map(minute, offered))}",
        field=field,
        offered=offered,
    )


def attempt(
    callback_id: str, callback: Callback, outcome: AttemptOutcome, at: datetime
) -> list[CaseEvent]:
    attempted = CallbackAttempted(callback_id, outcome, attempted_at=at)
    if attempted in callback.attempts:
        return []
    if callback.status != "scheduled":
        raise over(callback_id, callback)
    return [attempted]


def over(callback_id: str, callback: Callback) -> Rejected:
    return Rejected(
        "callback-over",
        f"callback {callback_id} was {callback.status} already: schedule another if need be",
        field="callback_id",
    )
