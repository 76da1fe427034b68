"""The clocks of one case over HTTP: as of now, explained, and overruled by a person."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta

from api import scope
from api.answers import Answer
from api.asking import answer
from api.given import AnyRequest, Caller, Door, expected, idempotency_key
from api.reading import Asked, Params
from casecore.asking import LEADS, Ask, Short, Text
from casecore.clockset.decisions import CLOCKS_MAX, RebaselineClocks, RescindResult, Running
from casecore.clockset.state import ClockSet, clockset_id
from casecore.core import Written
from casecore.errors import NotFound, Rejected
from casecore.recording import Recorded
from casecore.sla.book import Book
from casecore.sla.cycle import ClockView, Cycle, view
from casecore.sla.explaining import Line, explain
from casecore.sla.reckoning import (
    CaseClocks,
    Summary,
    reckoned,
    refuse_over,
    refuse_unproven,
    worst,
)

REBASELINE = "/v1/cases/{case_id:uuid}/clocks/rebaseline"
RESCIND = "/v1/cases/{case_id:uuid}/clocks/{clock:str}/rescind"
VERSION_MAX = 10**6

Facts = Sequence[Recorded]
Number = Annotated[int, Meta(ge=1, le=VERSION_MAX)]

NO_POLICY = (
    "no SLA policy is published, so nothing has clocks: POST /v1/policies/sla/publish or `casecore"
    " policy publish --pack desk` publishes some, for cases registered from then on"
)
NO_CLOCKS = (
    "no SLA policy was in force for this case when it was registered:"
    " POST /v1/sla/what-if tells what its clocks would have been"
)


class ClocksOfCase(msgspec.Struct, frozen=True):
    summary: Summary
    """How the case stands: as its worst clock does."""
    as_of: datetime
    items: list[ClockView]
    hint: str | None
    """Why there are none, when there are none."""


class CycleAsked(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cycle: Number | None = None
    """Which cycle of the clock; without one, the last."""


class Explained(msgspec.Struct, frozen=True):
    clock: ClockView
    zone: str
    """The zone that the texts of the lines are in."""
    lines: list[Line]


class Rebaseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let clocks that run go on by other versions, from now on."""

    reason: Text
    clocks: Annotated[tuple[Short, ...], Meta(max_length=CLOCKS_MAX)] = ()
    """Names or ids; without any, all that run and may be moved."""
    policy_version: Number | None = None
    """Of each clock's own policy; without one, the version in force now."""
    calendar_version: Number | None = None
    """Of that policy's calendar; without one, the latest."""


class Rescind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take back the result of a clock that a later record has proven wrong."""

    evidence: UUID
    """The event of the case that proves it, as its history names it."""
    reason: Text
    cycle: Number | None = None
    """Which cycle of the clock; without one, the last."""


REBASELINE_EXAMPLE = {"clocks": ["resolution"], "reason": "The desk is closed on Friday"}
RESCIND_EXAMPLE = {
    "evidence": "0190a6c6-1f3e-8c5d-9a52-3a4f6d1f2f10",
    "reason": "The call at noon was only recorded in the evening",
}


async def get_case_clocks(asked: Asked) -> ClocksOfCase:
    """The clocks of a case, every cycle of them, as of now."""
    case_id = asked.ids["case_id"]
    await scope.readable(asked.caller, case_id)
    clocks, book = await asked.desk.books.clocks(case_id)
    now = asked.desk.core.now()
    items = [view(cycle, book, now) for cycle in clocks.cycles]
    items.sort(key=lambda clock: (clock.started_at, clock.name, clock.clock_id, clock.cycle))
    hint = None if items else NO_CLOCKS if book.events else NO_POLICY
    return ClocksOfCase(worst(clock.state for clock in items), now, items, hint)


async def explain_clock(asked: Asked) -> Explained:
    """How a clock came to where it stands: window by window and pause by pause."""
    case_id = asked.ids["case_id"]
    params: CycleAsked = asked.params
    await scope.readable(asked.caller, case_id)
    clocks, book = await asked.desk.books.clocks(case_id)
    cycle = cycle_of(clocks, asked.ids["clock"], params.cycle)
    now = asked.desk.core.now()
    return Explained(view(cycle, book, now), book.zone(cycle.pin), explain(cycle, book, now))


def rebaselines(door: Door) -> HTTPRouteHandler:
    @post(REBASELINE)
    async def rebaseline(request: AnyRequest) -> Answer:
        caller, asked = await door.asked(request, LEADS, Rebaseline)

        def command(clocks: CaseClocks, _: Facts, book: Book, now: datetime) -> RebaselineClocks:
            return RebaselineClocks(
                case_id=clocks.case_id,
                clocks=tuple(map(running, chosen(clocks, book, asked.clocks, now))),
                reason=asked.reason,
                policy_version=asked.policy_version,
                calendar_version=asked.calendar_version,
            )

        return await overrule(door, request, caller, asked, command)

    return rebaseline


def rescinds(door: Door) -> HTTPRouteHandler:
    @post(RESCIND)
    async def rescind(request: AnyRequest) -> Answer:
        caller, asked = await door.asked(request, LEADS, Rescind)
        clock: str = request.path_params["clock"]

        def command(clocks: CaseClocks, facts: Facts, book: Book, now: datetime) -> RescindResult:
            others = but(facts, clocks.case_id, asked.evidence)
            without = reckoned(clocks.case_id, others, book)
            cycle = cycle_of(clocks, clock, asked.cycle)
            refuse_unproven(clocks, without, cycle, book, now)
            return RescindResult(
                case_id=clocks.case_id,
                clock_id=cycle.clock_id,
                cycle=cycle.cycle,
                name=cycle.name,
                evidence=asked.evidence,
                reason=asked.reason,
            )

        return await overrule(door, request, caller, asked, command)

    return rescind


async def overrule(
    door: Door, request: AnyRequest, caller: Caller, asked: msgspec.Struct, command: Any
) -> Answer:
    """Carry out the command that the request comes to, as the case's clocks stand.

    The key is of what was asked: sent again, the same request would come to another command.
    """
    desk, case_id = caller.desk, request.path_params["case_id"]
    await scope.readable(caller, case_id)
    stream_id = clockset_id(case_id)
    key = idempotency_key(request, caller.actor, stream_id, [asked, request.path_params])
    with door.carrying_out(desk.ledger, key):
        if key and (first := await desk.recorder.first_answer(*key)):
            return answer(
                Written(first.version, first.position, (), True), {"case_id": case_id}, {}
            )
        facts, book = await desk.books.facts(case_id)
        ask: Ask = command(reckoned(case_id, facts, book), facts, book, desk.core.now())
        written = await desk.core.execute(
            ClockSet, stream_id, ask, by=caller.actor, key=key, expected=expected(request)
        )
    return answer(written, {"case_id": case_id}, {})


def chosen(clocks: CaseClocks, book: Book, named: Iterable[str], now: datetime) -> list[Cycle]:
    """The running cycles that were named; or else all that versions of ours can move."""
    if not named:
        movable = [cycle for cycle in clocks.running if moves(cycle, book, now)]
        if not movable:
            raise Rejected("nothing-runs", "no clock of this case runs that could be moved")
        return movable
    found = []
    for name in named:
        cycle = cycle_of(clocks, name, None)
        refuse_over(cycle, book, now)
        found.append(cycle)
    return found


def moves(cycle: Cycle, book: Book, now: datetime) -> bool:
    try:
        refuse_over(cycle, book, now)
    except Rejected:
        return False
    return True


def running(cycle: Cycle) -> Running:
    pin = cycle.pin
    return Running(
        clock_id=cycle.clock_id,
        cycle=cycle.cycle,
        name=cycle.name,
        policy_id=pin.policy_id,
        policy_version=pin.policy_version,
        calendar_id=pin.calendar_id,
        calendar_version=pin.calendar_version,
    )


def cycle_of(clocks: CaseClocks, clock: str, number: int | None) -> Cycle:
    """A cycle of the clock of this id or, where only one clock bears it, of this name."""
    of_clock = [c for c in clocks.cycles if clock in (str(c.clock_id), c.name)]
    if len({cycle.clock_id for cycle in of_clock}) > 1:
        raise Rejected(
            "clock-ambiguous",
            f"the case has several clocks {clock}: name one by its id",
            field="clock",
        )
    found = [cycle for cycle in of_clock if number in (None, cycle.cycle)]
    if not found:
        names = ", ".join(sorted({cycle.name for cycle in clocks.cycles})) or "none"
        raise NotFound(
            "clock-not-found",
            "the case has no such clock, or no such cycle of it: it has " + names,
            field="clock",
        )
    return max(found, key=lambda cycle: cycle.cycle)


def but(facts: Facts, case_id: UUID, evidence: UUID) -> Facts:
    """All but that event of the case."""
    others = [fact for fact in facts if (fact.stream_id, fact.event_id) != (case_id, evidence)]
    if len(others) == len(facts):
        raise NotFound(
            "evidence-not-found",
            "the case has no such event: its history tells the event_id of each",
            field="evidence",
        )
    return others
