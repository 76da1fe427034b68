"""Facts and dimensions agree with each other, and with what happened."""

from collections import Counter
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from casecore.actors import Actor, Role
from casecore.case.events.after import RetentionOutcomeRecorded, SatisfactionRecorded
from casecore.case.events.contact import AcknowledgementSent, ResponseSent, WaitingStarted
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillOffered,
    GoodwillPaid,
)
from casecore.case.events.outcome import CaseReopened, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned, OwnershipTransferred
from casecore.case.events.promises import PromiseBroken, PromiseKept, PromiseMade
from casecore.database import Pool
from casecore.money import Money
from projections.bi import VIEWS
from projections.solutions import wilson_low_bp
from tests.projections.bi.following import Row, follow, rows, seen
from tests.projections.histories import Told, histories
from tests.spec import ADA, NOON, SAM, SYSTEM, registered
from tests.telling import Telling

HOUR = timedelta(hours=1)
PEOPLE = ("agent", "supervisor", "admin")


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories())
async def test_whatever_happened_facts_and_dimensions_fit_together(
    pool: Pool, history: list[Told]
) -> None:
    telling = await Telling.into(pool, f"ledger {uuid4()}")
    for stream_id, event, by, at in history:
        await telling.tell(stream_id, event, by=by, at=at)
    await follow(pool, telling.recorder)
    found = await seen(pool, telling.recorder.id)
    head = await telling.recorder.head()

    for view in VIEWS:
        keys = [tuple(row[name] for name in view.key) for row in found[view.name]]
        assert len(keys) == len({*keys}), view.name
        assert {row["as_of_position"] for row in found[view.name]} <= {head}, view.name
    facts = {name: table for name, table in found.items() if not name.startswith("dim_")}
    assert column(facts, "case_id") <= column(found, "case_id", "case_fact")
    assert column(facts, "product") <= column(found, "product", "dim_product")
    assert column(facts, "queue") <= column(found, "queue", "dim_queue")
    agents = {
        name
        for view in VIEWS
        for name, *_ in view.columns
        if name.endswith("_pseudonym") and name != "customer_pseudonym"
    }
    for name in agents:
        assert column(facts, name) <= column(found, "agent_pseudonym", "dim_agent"), name

    events = found["event_fact"]
    assert total(found, "case_fact", "event_count") == len(events)
    assert total(found, "case_fact", "promise_count") == len(found["promise_fact"])
    assert total(found, "case_fact", "goodwill_offer_count") == len(found["goodwill_fact"])
    assert total(found, "agent_day", "promise_made_count") == len(found["promise_fact"])
    by_people = [event for event in events if event["resource_role"] in PEOPLE]
    assert total(found, "agent_day", "event_count") == len(by_people)
    resolved = Counter(event["activity"] for event in by_people)["ComplaintResolved"]
    assert total(found, "agent_day", "case_resolved_count") == resolved
    for name in ("met", "breached"):
        stand = [clock for clock in found["clock_fact"] if clock["state"] == name]
        assert total(found, "case_fact", f"clock_{name}_count") == len(stand)
    for solution in found["solution_fact"]:
        low = wilson_low_bp(solution["accepted_count"], solution["offered_count"])
        assert solution["acceptance_low_bp"] == low


def column(tables: dict[str, list[Row]], name: str, *of: str) -> set[Any]:
    found = chain.from_iterable(tables[table] for table in of or tables)
    return {row[name] for row in found if row.get(name) is not None}


def total(tables: dict[str, list[Row]], of: str, name: str) -> int:
    return sum(row[name] for row in tables[of])


async def test_a_case_says_when_each_step_came_and_how_long_it_took(pool: Pool) -> None:
    telling = await Telling.into(pool)
    case_id = uuid4()
    for hours, event in enumerate(
        [
            registered,
            CaseAssigned("ada", "claim"),
            AcknowledgementSent("oral", "phone"),
            ResponseSent("email"),
            OwnershipTransferred("ada", "ben", "Ill"),
            WaitingStarted("customer", "A photo?"),
            ComplaintResolved("upheld", "Lost", first_contact=True),
        ]
    ):
        await telling.tell(case_id, event, by=ADA, at=NOON + hours * HOUR)
    await follow(pool, telling.recorder)
    [case] = await rows(pool, telling.recorder.id, "case_fact")
    assert case["first_assigned_at"] == NOON + HOUR
    assert case["acknowledged_at"] == NOON + 2 * HOUR
    assert case["first_response_at"] == NOON + 3 * HOUR
    assert case["resolved_at"] == case["first_resolved_at"] == NOON + 6 * HOUR
    assert case["seconds_to_acknowledge"] == 2 * 3600
    assert case["seconds_to_first_resolve"] == 6 * 3600
    assert (case["owner_count"], case["transfer_count"]) == (2, 1)
    assert case["is_waiting_for_customer"]
    assert not case["is_waiting_for_third_party"]
    assert (case["is_resolved_at_first_contact"], case["first_contact_percent"]) == (True, 100)

    await telling.tell(case_id, CaseReopened("recurrence", "Again"), at=NOON + 9 * HOUR)
    await telling.tell(case_id, SatisfactionRecorded(felt_heard=4))
    await telling.tell(case_id, SatisfactionRecorded(csat=2), RetentionOutcomeRecorded("left", 30))
    await follow(pool, telling.recorder)
    [case] = await rows(pool, telling.recorder.id, "case_fact")
    assert (case["resolved_at"], case["first_resolved_at"]) == (None, NOON + 6 * HOUR)
    assert (case["first_contact_percent"], case["reopened_count"]) == (None, 1)
    assert (case["csat"], case["felt_heard"], case["retention"]) == (2, 4, "left")


async def test_a_day_of_an_agent_is_in_utc_and_counts_what_they_did(pool: Pool) -> None:
    telling = await Telling.into(pool)
    one, other = uuid4(), uuid4()
    late = NOON.replace(hour=23, minute=59)
    promise = PromiseMade("p1", "update", "News", NOON + 48 * HOUR, "ada")
    await telling.tell(one, registered, CaseAssigned("ada", "manual"), by=SAM, at=late)
    await telling.tell(one, promise, ResponseSent("email"), by=ADA, at=late)
    await telling.tell(other, registered, CaseAssigned("ada", "claim"), by=ADA, at=late)
    next_day = late + HOUR
    await telling.tell(one, PromiseKept("p1", next_day), by=SYSTEM, at=next_day)
    await telling.tell(other, replace(promise, due_at=next_day), by=ADA, at=late)
    broken = PromiseBroken("p1", next_day, next_day + 24 * HOUR)
    await telling.tell(other, broken, by=SYSTEM, at=next_day + 24 * HOUR)
    await follow(pool, telling.recorder)
    days = await rows(pool, telling.recorder.id, "agent_day")
    [ada] = {day["agent_pseudonym"] for day in days if day["promise_made_count"]}
    first, second = sorted(
        (day for day in days if day["agent_pseudonym"] == ada), key=lambda day: day["day_utc"]
    )
    assert (first["day_utc"], second["day_utc"]) == (NOON.date(), next_day.date())
    assert first["event_count"] == 5
    assert first["case_touched_count"] == first["case_assigned_count"] == 2
    assert (first["response_count"], first["promise_made_count"]) == (1, 2)
    assert (second["promise_kept_count"], second["promise_broken_count"]) == (1, 1)
    assert second["event_count"] == 0
    assert len(days) == 3  # And one of the supervisor's; casecore itself has none.


async def test_goodwill_counts_once_it_is_given_in_the_smallest_unit(pool: Pool) -> None:
    telling = await Telling.into(pool)
    case_id = uuid4()
    until = NOON + 24 * HOUR
    yen = Money(1250, "JPY")
    await telling.tell(
        case_id,
        registered,
        GoodwillOffered("g1", "refund", "redress", yen, 1, until),
        DiscountOffered("g2", "thank_you", 1, until, percent_bp=1000, cap=Money(500, "EUR")),
        GoodwillAccepted("g2"),
        GoodwillOffered("g3", "gift", "distress", Money(999, "EUR"), 1, until),
        GoodwillAccepted("g3"),
    )
    await follow(pool, telling.recorder)
    offers = {
        row["offer_id"]: row for row in await rows(pool, telling.recorder.id, "goodwill_fact")
    }
    shown = ("is_given", "amount_minor", "given_minor", "currency_decimals", "percent_bp")
    assert {id: tuple(row[name] for name in shown) for id, row in offers.items()} == {
        "g1": (False, 1250, None, 0, None),
        "g2": (True, None, None, 2, 1000),
        "g3": (True, 999, 999, 2, None),
    }
    await telling.tell(case_id, GoodwillPaid("g2", "X-1", Money(420, "EUR"), until))
    await follow(pool, telling.recorder)
    offers = {
        row["offer_id"]: row for row in await rows(pool, telling.recorder.id, "goodwill_fact")
    }
    assert offers["g2"]["given_minor"] == 420


async def test_days_begin_with_the_year_of_the_first_complaint(pool: Pool) -> None:
    telling = await Telling.into(pool)
    await telling.tell(uuid4(), replace(registered, received_at=NOON.replace(year=2023)))
    await telling.tell(uuid4(), registered)
    await follow(pool, telling.recorder)
    days = {row["day_utc"]: row for row in await rows(pool, telling.recorder.id, "dim_date")}
    first, last = min(days), max(days)
    now = await pool.fetchval("SELECT now()")
    assert (first.isoformat(), last.isoformat()) == ("2023-01-01", f"{now.year + 1}-12-31")
    assert len(days) == (last - first).days + 1
    sunday = days[first]
    assert (sunday["iso_year"], sunday["iso_week"], sunday["iso_weekday"]) == (2022, 52, 7)
    assert (sunday["year_month"], sunday["is_weekend"]) == ("2023-01", True)


async def test_an_agent_has_the_role_they_last_acted_in(pool: Pool) -> None:
    telling = await Telling.into(pool)
    await telling.tell(uuid4(), registered, CaseAssigned("ben", "manual"), by=SAM)
    promoted = Actor("sam", Role.ADMIN)
    await telling.tell(uuid4(), registered, by=promoted, at=NOON + HOUR)
    await follow(pool, telling.recorder)
    roles = {row["role"] for row in await rows(pool, telling.recorder.id, "dim_agent")}
    assert roles == {"admin", None}
