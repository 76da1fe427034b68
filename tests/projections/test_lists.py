"""The lists: each in its order, and paged without loss."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from casecore.case.decisions.intake import case_ref
from casecore.case.events.callbacks import CallbackScheduled
from casecore.case.events.escalation import ComplaintEscalated, EscalationDeclined
from casecore.case.events.goodwill import DiscountOffered, GoodwillApprovalRequested
from casecore.case.events.intake import CaseRegistered, Customer
from casecore.case.events.outcome import CaseReopened, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned, CaseReleased
from casecore.case.events.promises import PromiseKept, PromiseMade
from casecore.case.events.triage import CaseTriaged
from casecore.database import Pool
from casecore.errors import Malformed
from casecore.following.feed import Feed
from casecore.sla.book import Book
from projections import (
    PROJECTIONS,
    agent_queues,
    callbacks,
    cases,
    goodwill,
    promises,
    solutions,
    timeline,
)
from projections.paging import Page
from tests.casecore.case.lives import LIVES
from tests.casecore.case.test_twice import World
from tests.projections.histories import happening
from tests.spec import ADA, NOON, registered
from tests.telling import Telling

HOUR = timedelta(hours=1)

Ask = Callable[[str | None, int], Awaitable[Page[Any]]]


async def paged(ask: Ask, limit: int) -> list[Any]:
    items, after = [], None
    while True:
        page = await ask(after, limit)
        assert len(page.items) <= limit
        items += page.items
        if page.next is None:
            return items
        after = page.next


async def follow(telling: Telling) -> None:
    await Feed(telling.recorder.pool, telling.recorder, PROJECTIONS).catch_up()


def received(hours: int, **changes: Any) -> CaseRegistered:
    return replace(registered, received_at=NOON + hours * HOUR, **changes)


def escalated(tier: int) -> ComplaintEscalated:
    return ComplaintEscalated(f"e{tier}", "hierarchical", tier, "Loud", "customer", "ada")


def triaged(severity: int) -> CaseTriaged:
    return CaseTriaged(severity, 1, 1, False, "parcels", "normal")


async def test_a_queue_puts_tier_before_severity_before_age_and_never_two_in_one_place(
    pool: Pool,
) -> None:
    telling = await Telling.into(pool)
    expected = []
    for tier, severity, hours, _twin in product((0, 1, 3), (0, 2, 5), (0, 1), (0, 1)):
        case_id = uuid4()
        events: list[Any] = [received(hours)]
        events += [triaged(severity)] if severity else []
        events += [escalated(tier)] if tier else []
        await telling.tell(case_id, *events)
        expected.append((-tier, -severity, hours, case_id))
    await follow(telling)

    for limit in (1, 7, 36, 200):
        items = await paged(
            lambda after, limit: agent_queues.items(
                pool, telling.recorder.id, "complaints", Book(), NOON, after=after, limit=limit
            ),
            limit,
        )
        assert [item.case_id for item in items] == [case_id for *_, case_id in sorted(expected)]


async def test_a_case_waits_while_it_is_open_and_nobody_owns_it(pool: Pool) -> None:
    telling = await Telling.into(pool)
    ledger, case_id = telling.recorder.id, uuid4()

    async def waiting() -> list[tuple[str, int]]:
        await follow(telling)
        return [
            (queue.queue, queue.waiting)
            for queue in await agent_queues.queues(pool, ledger, Book(), NOON)
        ]

    await telling.tell(case_id, received(0), escalated(1))
    assert await waiting() == [("complaints", 1)]
    await telling.tell(case_id, CaseAssigned("ada", "claim"), triaged(4))
    assert await waiting() == []
    await telling.tell(case_id, CaseReleased("ada", "depot", "Ill"))
    assert await waiting() == [("depot", 1)]
    [item] = (await agent_queues.items(pool, ledger, "depot", Book(), NOON)).items
    assert (item.tier, item.severity) == (1, 4)
    await telling.tell(case_id, EscalationDeclined("e1", "Not yet"))
    await telling.tell(case_id, ComplaintResolved("upheld", "Lost"))
    assert await waiting() == []
    await telling.tell(case_id, CaseReopened("recurrence", "Again"))
    assert await waiting() == [("depot", 1)]
    [item] = (await agent_queues.items(pool, ledger, "depot", Book(), NOON)).items
    assert item.tier == 0
    await telling.tell(case_id, CaseWithdrawn("Never mind"))
    assert await waiting() == []


async def test_nobody_is_given_a_complaint_of_their_own(pool: Pool) -> None:
    telling = await Telling.into(pool)
    own, for_them, other = uuid4(), uuid4(), uuid4()
    await telling.tell(own, received(0, customer=Customer("ada")))
    speaks = Customer("cust-1", role="representative", represents="ada")
    await telling.tell(for_them, received(1, customer=speaks))
    await telling.tell(other, received(2))
    await follow(telling)

    page = await agent_queues.items(
        pool, telling.recorder.id, "complaints", Book(), NOON, eligible="ada"
    )
    assert [item.case_id for item in page.items] == [other]


async def test_cases_are_found_by_what_they_are(pool: Pool) -> None:
    telling = await Telling.into(pool)
    ledger, first, second = telling.recorder.id, uuid4(), uuid4()
    await telling.tell(first, received(0), CaseAssigned("ada", "claim"))
    other = received(1, customer=Customer("cust-9"), case_ref="C-AAAA", priority="urgent")
    await telling.tell(second, other, triaged(3))
    await follow(telling)

    for question, answer in (
        ({}, [second, first]),
        ({"owner": "ada"}, [first]),
        ({"stage": "registered"}, [first]),
        ({"customer": "cust-9"}, [second]),
        ({"queue": "complaints"}, [second]),
        ({"ref": "C-AAAA"}, [second]),
        ({"priority": "normal"}, [second, first]),
        ({"owner": "ada", "stage": "closed"}, []),
    ):
        page = await cases.listed(pool, ledger, **question)  # type: ignore[arg-type]
        assert [case.case_id for case in page.items] == answer


async def test_promises_are_found_by_state_and_date(pool: Pool) -> None:
    telling = await Telling.into(pool)
    ledger, case_id = telling.recorder.id, uuid4()
    made = [
        PromiseMade(f"p{n}", "update", "News", NOON + n * HOUR, "ada" if n % 2 else "ben")
        for n in (3, 1, 2)
    ]
    await telling.tell(case_id, registered, *made, PromiseKept("p1", NOON))
    await follow(telling)

    for question, answer in (
        ({}, ["p1", "p2", "p3"]),
        ({"state": "open"}, ["p2", "p3"]),
        ({"made_by": "ada"}, ["p1", "p3"]),
        ({"due_before": NOON + 3 * HOUR}, ["p1", "p2"]),
        ({"case_id": uuid4()}, []),
    ):
        page = await promises.listed(pool, ledger, **question)  # type: ignore[arg-type]
        assert [promise.promise_id for promise in page.items] == answer


async def test_what_awaits_approval_is_found(pool: Pool) -> None:
    telling = await Telling.into(pool)
    case_id = uuid4()
    small = DiscountOffered("g1", "thank_you", 1, NOON + HOUR, percent_bp=500)
    large = DiscountOffered("g2", "thank_you", 1, NOON + HOUR, percent_bp=9000)
    asked = GoodwillApprovalRequested("g2", "ada", ADA.role)
    await telling.tell(case_id, registered, small, large, asked, by=ADA)
    await follow(telling)

    page = await goodwill.listed(pool, telling.recorder.id, state="awaiting_approval")
    assert [(o.offer_id, o.offered_by, o.percent_bp) for o in page.items] == [("g2", "ada", 9000)]


async def test_every_list_gives_every_row_once_however_it_is_paged(pool: Pool) -> None:
    telling = await Telling.into(pool)
    ledger = telling.recorder.id
    world, case_id = World(), UUID(int=0)
    for step in LIVES["closed and reopened"]:
        for told in happening(world, step):
            await telling.tell(told.stream_id, told.event, by=told.by, at=told.at)
            if isinstance(told.event, CaseRegistered):
                case_id = told.stream_id
    for number in range(5):
        scheduled = CallbackScheduled("b1", "requested", NOON, NOON + HOUR, "UTC", 3)
        made = PromiseMade("p1", "update", "News", NOON, "ada")
        offered = DiscountOffered("g1", "thank_you", 1, NOON + HOUR, percent_bp=500)
        await telling.tell(UUID(int=number), registered, scheduled, made, offered)
    await follow(telling)

    lists: Sequence[tuple[str, Ask]] = [
        ("cases", lambda a, n: cases.listed(pool, ledger, after=a, limit=n)),
        ("promises", lambda a, n: promises.listed(pool, ledger, after=a, limit=n)),
        ("callbacks", lambda a, n: callbacks.listed(pool, ledger, after=a, limit=n)),
        ("goodwill", lambda a, n: goodwill.listed(pool, ledger, after=a, limit=n)),
        ("solutions", lambda a, n: solutions.listed(pool, ledger, after=a, limit=n)),
    ]
    for name, ask in lists:
        count = await pool.fetchval(f"SELECT count(*) FROM ops.{name}")
        assert count >= 2
        for limit in (1, 2, count, 200):
            items = await paged(ask, limit)
            assert len(items) == count
            assert items == (await ask(None, 200)).items

    moments = await paged(lambda a, n: timeline.of_case(pool, ledger, case_id, after=a, limit=n), 7)
    assert [moment.version for moment in moments] == list(range(1, len(moments) + 1))
    assert len(moments) == len(await telling.recorder.history(case_id))
    ref = case_ref(case_id)
    assert moments[0].sentence == (
        f"mailbox (service) registered complaint {ref}, received by phone."
    )


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        "",
        "bnVsbA",
        "WzEsMl0",
        "W10",
        "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0",
        "[" * 2000,
    ],
)
async def test_a_forged_cursor_is_refused(pool: Pool, cursor: str) -> None:
    telling = await Telling.into(pool)
    await follow(telling)
    with pytest.raises(Malformed) as refusal:
        await cases.listed(pool, telling.recorder.id, after=cursor)
    assert refusal.value.field == "after"


@pytest.mark.parametrize(
    ("successes", "trials", "low"),
    [
        (0, 0, None),
        (0, 10, 0),
        (1, 1, 2065),
        (5, 10, 2365),
        (10, 10, 7224),
        (50, 100, 4038),
        (90, 100, 8256),
        (900, 1000, 8798),
    ],
)
def test_few_trials_prove_little(successes: int, trials: int, low: int | None) -> None:
    """Compared with the interval as statistics packages give it."""
    assert solutions.wilson_low_bp(successes, trials) == low


async def test_solutions_are_counted_by_who_proposed_them(pool: Pool) -> None:
    telling = await Telling.into(pool)
    world = World()
    for step in LIVES["closed and reopened"]:
        for told in happening(world, step):
            await telling.tell(told.stream_id, told.event, by=told.by, at=told.at)
    await follow(telling)

    page = await solutions.listed(pool, telling.recorder.id)
    counts = {
        rated.entry: (rated.offered, rated.accepted, rated.rejected, rated.reopened)
        for rated in page.items
        if rated.kind == "proposer"
    }
    assert counts == {"proposer/customer": (1, 0, 1, 0), "proposer/joint": (1, 1, 0, 1)}
    [entry] = [rated for rated in page.items if rated.kind == "library"]
    assert (entry.title, entry.status, entry.version, entry.proposer) == (
        "Friday",
        "draft",
        1,
        "joint",
    )
    assert await solutions.one(pool, telling.recorder.id, UUID(entry.entry)) == entry
    assert await solutions.one(pool, telling.recorder.id, uuid4()) is None
