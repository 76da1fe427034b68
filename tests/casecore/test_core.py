"""The core over a real ledger: it decides on what it remembers, and is never wrong for it."""

import asyncio
from uuid import UUID, uuid4

import pytest

from casecore.actors import Actor, Role
from casecore.case.decisions.contact import RecordContact
from casecore.case.decisions.intake import AddNote, HearComplaint, RegisterCase
from casecore.case.decisions.outcome import CloseCase
from casecore.case.decisions.ownership import AssignCase, ClaimCase
from casecore.case.decisions.promises import KeepPromise, MakePromise
from casecore.case.events.intake import Customer
from casecore.case.state import Case
from casecore.core import Core, Key
from casecore.errors import CaseError, Conflict, Rejected, Stale
from casecore.goodwill.decisions import PublishGoodwillPolicy
from casecore.goodwill.events import GoodwillTerms, Limit
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.integrity import core_hash, first_head, next_head
from casecore.money import Money

ADMIN = Actor("root", Role.ADMIN)
ADA = Actor("ada", Role.AGENT)
BEN = Actor("ben", Role.AGENT)

register = RegisterCase(channel="phone", customer=Customer(ref="cust-42"), reason="Late again")
promise = MakePromise(kind="update", text="News tomorrow", within_seconds=86_400)


async def registered(core: Core) -> UUID:
    case_id = uuid4()
    await core.execute(Case, case_id, register, by=ADMIN)
    return case_id


async def test_a_case_grows_by_what_its_commands_decide(core: Core) -> None:
    case_id = uuid4()
    first = await core.execute(Case, case_id, register, by=ADMIN)
    second = await core.execute(Case, case_id, promise, by=ADMIN)
    assert (first.version, second.version) == (1, 2)
    assert second.position == first.position + 1
    [made] = second.events
    assert made.promise_id == "p1"


async def test_a_conversation_is_stored_whole_or_not_at_all(core: Core) -> None:
    case_id = uuid4()
    with pytest.raises(Rejected) as refusal:
        await core.execute(Case, case_id, register, promise, CloseCase(), by=ADMIN)
    assert refusal.value.context["command_index"] == 2
    assert await core.recorder.history(case_id) == []
    written = await core.execute(Case, case_id, register, promise, by=ADMIN)
    assert written.version == 2


async def test_the_same_key_gets_the_first_answer(core: Core) -> None:
    case_id = await registered(core)
    key = Key.of(ADA, "call-7", case_id, [promise])
    first = await core.execute(Case, case_id, promise, by=ADMIN, key=key)
    await core.execute(Case, case_id, AddNote(text="Something else"), by=ADMIN)
    again = await core.execute(Case, case_id, promise, by=ADMIN, key=key)
    assert again == first._replace(replayed=True)


async def test_a_key_is_remembered_when_the_command_changed_nothing(core: Core) -> None:
    case_id = await registered(core)
    hear = HearComplaint(customer_finished=True)
    await core.execute(Case, case_id, hear, by=ADMIN)
    key = Key.of(ADMIN, "again", case_id, [hear])
    nothing = await core.execute(Case, case_id, hear, by=ADMIN, key=key)
    assert not nothing.events
    await core.execute(Case, case_id, AddNote(text="Meanwhile"), by=ADMIN)
    again = await core.execute(Case, case_id, hear, by=ADMIN, key=key)
    assert (again.version, again.replayed) == (nothing.version, True)


async def test_a_key_under_another_body_is_refused(core: Core) -> None:
    case_id = await registered(core)
    other = AddNote(text="Another body")
    key = Key.of(ADMIN, "k", case_id, [promise])
    await core.execute(Case, case_id, promise, by=ADMIN, key=key)
    wrong = Key.of(ADMIN, "k", case_id, [other])
    with pytest.raises(CaseError) as refusal:
        await core.execute(Case, case_id, other, by=ADMIN, key=wrong)
    assert refusal.value.code == "idempotency-key-reuse"
    assert [row.version for row in await core.recorder.history(case_id)] == [1, 2]


async def test_a_replay_is_answered_although_the_rules_would_refuse_by_now(core: Core) -> None:
    case_id = await registered(core)
    await core.execute(Case, case_id, promise, by=ADMIN)
    claim = ClaimCase()
    key = Key.of(ADA, "claim", case_id, [claim])
    first = await core.execute(Case, case_id, claim, by=ADA, key=key)
    another = Core(core.recorder, core.appender)
    await another.execute(
        Case, case_id, RecordContact(channel="phone"), by=Actor("hub", Role.SERVICE)
    )
    again = await another.execute(Case, case_id, claim, by=ADA, key=key)
    assert (again.version, again.events, again.replayed) == (first.version, first.events, True)


async def test_what_another_process_wrote_is_seen_before_anything_is_refused(core: Core) -> None:
    case_id = await registered(core)
    another = Core(core.recorder, core.appender)
    await another.execute(Case, case_id, promise, by=ADMIN)
    kept = await core.execute(Case, case_id, KeepPromise(promise_id="p1"), by=ADMIN)
    assert kept.version == 3


async def test_a_decision_on_old_knowledge_is_made_anew(core: Core) -> None:
    case_id = await registered(core)
    another = Core(core.recorder, core.appender)
    await another.execute(Case, case_id, ClaimCase(), by=BEN)
    with pytest.raises(Conflict) as refusal:
        await core.execute(Case, case_id, AssignCase(agent="ada"), by=ADMIN)
    assert refusal.value.code == "already-assigned"


async def test_many_at_once_each_have_their_say(core: Core) -> None:
    case_id = await registered(core)
    another = Core(core.recorder, core.appender)
    await asyncio.gather(
        *(
            (core, another)[n % 2].execute(Case, case_id, AddNote(text=f"Note {n}"), by=ADMIN)
            for n in range(20)
        )
    )
    rows = await core.recorder.history(case_id)
    assert [row.version for row in rows] == list(range(1, 22))
    seen = await core.see(Case, case_id)
    assert len(seen.state.intake.notes) == 20


async def test_a_named_version_must_be_the_current_one(core: Core) -> None:
    case_id = await registered(core)
    with pytest.raises(Stale) as refusal:
        await core.execute(Case, case_id, promise, by=ADMIN, expected=7)
    assert refusal.value.context["current_version"] == 1
    assert (await core.execute(Case, case_id, promise, by=ADMIN, expected=1)).version == 2


async def test_the_chain_of_a_case_can_be_worked_out_from_what_is_stored(core: Core) -> None:
    case_id = uuid4()
    await core.execute(Case, case_id, register, promise, by=ADMIN)
    head = first_head(core.recorder.ledger, case_id)
    for row in await core.recorder.history(case_id):
        core_ = core_hash(
            core.recorder.ledger,
            case_id,
            row.version,
            row.type,
            row.command_id,
            row.meta,
            row.data_hash,
        )
        head = next_head(head, core_)
        assert row.head == head


async def test_a_policy_published_elsewhere_counts_from_then_on(core: Core) -> None:
    terms = GoodwillTerms(limits=(Limit(Role.ADMIN, 500, (Money(10_00, "EUR"),)),))
    publish = PublishGoodwillPolicy(terms=terms)
    written = await core.execute(GoodwillPolicy, GOODWILL_POLICY_ID, publish, by=ADMIN)
    assert written.version == 1
    again = await core.execute(GoodwillPolicy, GOODWILL_POLICY_ID, publish, by=ADMIN)
    assert (again.version, again.events) == (1, ())
