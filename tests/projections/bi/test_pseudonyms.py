"""Nobody can be told from what BI reads, and yet the same is the same everywhere."""

import re
from collections.abc import Iterator
from typing import Any, get_args
from uuid import uuid4

import msgspec
from msgspec import inspect

from casecore.actors import Actor, Role
from casecore.case.events import CaseEvent
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.promises import PromiseMade
from casecore.database import Pool
from casecore.facts import Event
from casecore.following.rebuilding import rebuild
from casecore.recording import decode_event
from casecore.sla.events import SLA_BOOK_ID
from casecore.solutions.events import SolutionEvent
from projections import PROJECTIONS
from tests.casecore.test_golden_events import LINES
from tests.projections.bi.following import follow, rows, seen
from tests.projections.histories import published
from tests.spec import NOON, registered
from tests.telling import Telling

MARK = "Zuleika Quixworth"
ACTOR = Actor(f"{MARK}/a", Role.AGENT, on_behalf_of=f"{MARK}/b")
CODES = {
    *("product", "old_product", "category", "old_category", "queue", "cause_code"),
    *("intake_source", "currency", "zone", "receipt_zone", "name", "threshold", "replaces"),
}
"""What is text and yet says nothing of a person: BI goes by it. A customer's name is none."""
SOLUTION_ID = uuid4()


async def test_no_word_that_could_tell_of_a_person_is_in_any_table(pool: Pool) -> None:
    telling = await Telling.into(pool)
    await telling.tell(SLA_BOOK_ID, *published("desk"))
    case_id = uuid4()
    for event in marked(CaseEvent):
        await telling.tell(case_id, event, by=ACTOR)
    for event in marked(SolutionEvent):
        await telling.tell(SOLUTION_ID, event, by=ACTOR)
    await follow(pool, telling.recorder)

    assert MARK in await pool.fetchval("SELECT string_agg(c::text, '') FROM ops.cases c")
    assert MARK in await pool.fetchval("SELECT string_agg(t::text, '') FROM ops.timeline t")
    for name, found in (await seen(pool, telling.recorder.id)).items():
        assert found, name
        assert "Zuleika" not in str(found), name
        assert "Quixworth" not in str(found), name


async def test_a_pseudonym_is_the_same_everywhere_and_after_a_rebuild(pool: Pool) -> None:
    telling = await Telling.into(pool)
    promise = PromiseMade("p1", "update", "News", NOON, "ada")
    ada = Actor("ada", Role.AGENT)
    await telling.tell(uuid4(), registered, CaseAssigned("ada", "claim"), promise, by=ada)
    await follow(pool, telling.recorder)
    before = await seen(pool, telling.recorder.id)
    [agent] = before["dim_agent"]
    assert len(agent["agent_pseudonym"]) == 16
    assert {
        before["case_fact"][0]["owner_pseudonym"],
        before["promise_fact"][0]["made_by_pseudonym"],
        before["agent_day"][0]["agent_pseudonym"],
        before["event_fact"][1]["new_owner_pseudonym"],
        *(event["resource_pseudonym"] for event in before["event_fact"]),
    } == {agent["agent_pseudonym"]}
    for projection in PROJECTIONS:
        await rebuild(pool, telling.recorder, projection)
    assert await seen(pool, telling.recorder.id) == before


async def test_the_same_name_is_another_in_another_ledger_and_as_a_customer(pool: Pool) -> None:
    found: set[str] = set()
    for ledger in ("one", "two"):
        telling = await Telling.into(pool, ledger)
        customer = msgspec.structs.replace(registered.customer, ref="ada")
        begun = msgspec.structs.replace(registered, customer=customer)
        await telling.tell(uuid4(), begun, by=Actor("ada", Role.AGENT))
        await follow(pool, telling.recorder)
        [case] = await rows(pool, telling.recorder.id, "case_fact")
        [agent] = await rows(pool, telling.recorder.id, "dim_agent")
        found |= {case["customer_pseudonym"], agent["agent_pseudonym"]}
    assert len(found) == 4


def marked(events: Any) -> Iterator[Event]:
    """One of each, as it is stored with every field filled, and a name wherever text is free."""
    golden = {line.type: line for line in LINES}
    for type_ in get_args(events):
        line = golden[type_.__name__]
        filled = marking(msgspec.json.decode(line.data), inspect.type_info(type_))
        yield decode_event(line.type, msgspec.json.encode(filled))


def marking(value: Any, of: inspect.Type, name: str = "") -> Any:
    match of:
        case inspect.StructType():
            fields = {field.encode_name: field.type for field in of.fields}
            person = of.cls.__name__ == "Customer"
            return {
                name: marking(inner, fields[name], "" if person else name)
                for name, inner in value.items()
            }
        case inspect.UnionType():
            [some] = [kind for kind in of.types if not isinstance(kind, inspect.NoneType)]
            return None if value is None else marking(value, some, name)
        case inspect.VarTupleType():
            return [marking(inner, of.item_type, name) for inner in value]
        case inspect.Metadata():
            return marking(value, of.type, name)
        case inspect.StrType() if name not in CODES and not name.endswith(("_id", "_ids")):
            return f"{MARK}: {value}"
        case inspect.StrType():
            return re.sub(r"^([a-z]{1,2})\d+$", r"\g<1>1", value)  # The one there is of each.
    return value
