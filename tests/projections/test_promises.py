"""The rows of promises, folded in memory."""

from datetime import timedelta
from functools import reduce

import pytest

from casecore.case.events import CaseEvent
from casecore.case.events.promises import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)
from projections import promises
from tests.projections.histories import Told, recorded
from tests.spec import ADA, CASE_ID, NOON

DUE = NOON + timedelta(hours=1)
LATE = NOON + timedelta(hours=9)
made = PromiseMade("p1", "update", "News", DUE, "ada")
broken = PromiseBroken("p1", DUE, detected_at=LATE)
fulfilled = PromiseBroken("p1", DUE, detected_at=LATE, fulfilled_at=LATE + timedelta(hours=1))


def row(*events: CaseEvent) -> promises.Promise:
    """The first event is recorded at noon, the others from nine hours later on, an hour apart."""
    history = [
        Told(CASE_ID, event, ADA, LATE + timedelta(hours=n - 1) if n else NOON)
        for n, event in enumerate(events)
    ]
    key = CASE_ID, "p1"
    empty: promises.Promise | None = None
    found = reduce(lambda row, news: promises.fold(key, row, news), recorded(history), empty)
    assert found
    return found


@pytest.mark.parametrize(
    "end", [PromiseKept("p1", DUE), broken, PromiseReleased("p1", by_customer=True, reason="x")]
)
def test_a_promise_ended_by_a_late_record_shows_it(end: CaseEvent) -> None:
    assert row(made, end).settled_recorded_at == LATE


def test_a_broken_promise_ended_when_it_was_found_broken() -> None:
    found = row(made, broken, fulfilled)
    assert (found.settled_recorded_at, found.fulfilled_at) == (LATE, fulfilled.fulfilled_at)


def test_a_promise_that_runs_has_not_ended() -> None:
    moved = PromiseRenegotiated("p1", LATE, customer_agreed=True, reason="Busy")
    assert row(made, moved).settled_recorded_at is None
