"""One case's file: right at once, as it was, and at hand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given, settings

from casecore.case.decisions.intake import AddNote, RegisterCase
from casecore.case.events.intake import Customer
from casecore.case.state import Case
from casecore.core import Core
from casecore.database import Pool
from casecore.errors import NotFound
from casecore.following.feed import Feed
from casecore.solutions.events import Applicability, SolutionDrafted
from projections import callbacks, cases, goodwill, promises
from projections.case_file import CaseFile, CaseFiles, fold
from tests.projections.histories import Told, histories, recorded
from tests.spec import SAM
from tests.telling import Telling

SOON = 20.0


@settings(max_examples=60, deadline=None)
@given(history=histories())
def test_a_file_says_what_the_tables_say(history: list[Told]) -> None:
    """It is folded by code of its own; whatever both know, they know alike."""
    files: dict[UUID, CaseFile] = {}
    rows: dict[Any, Any] = {}
    for news in recorded(history):
        if type(news.event) not in cases.READS:
            continue
        files[news.stream_id] = fold(files.get(news.stream_id), news)
        for projection in (cases, promises, callbacks, goodwill):
            if type(news.event) in projection.READS:
                for key in projection.keys(news):
                    row = rows.get((projection.NAME, *key))
                    rows[projection.NAME, *key] = projection.fold(key, row, news)

    for case_id, file in files.items():
        row = rows["cases", case_id]
        for name in (
            *("case_ref", "stage", "version", "position", "priority", "product", "category"),
            *("heat", "owner", "queue", "tier", "closed_at", "called_back_at"),
        ):
            assert getattr(file, name) == getattr(row, name), name
        assert (file.heard_at is not None) == row.heard
        assert (file.acknowledged_at is not None) == row.acknowledged
        assert (file.resolution and file.resolution.outcome) == row.outcome
        assert tuple(waiting.reason for waiting in file.waiting) == row.waiting
        assert len(file.reopenings) == row.reopened
        for promise in file.promises:
            known = rows["promises", case_id, promise.promise_id]
            assert (promise.state, promise.due_at) == (known.state, known.due_at)
        for callback in file.callbacks:
            known = rows["callbacks", case_id, callback.callback_id]
            assert (callback.state, len(callback.attempts)) == (known.state, known.attempts)
        for offer in file.goodwill:
            known = rows["goodwill", case_id, offer.offer_id]
            assert (offer.state, offer.approved_by) == (known.state, known.approved_by)
        assert msgspec.json.decode(msgspec.json.encode(file), type=CaseFile) == file


@pytest.fixture
async def feed(core: Core) -> AsyncIterator[Feed]:
    feed = Feed(core.recorder.pool, core.recorder, [cases])
    core.appender.on_appended.append(feed.wake)
    await feed.start()
    yield feed
    await feed.close()


async def new_case(core: Core) -> UUID:
    case_id = uuid4()
    register = RegisterCase(channel="phone", customer=Customer(ref="cust-42"), reason="Late")
    await core.execute(Case, case_id, register, by=SAM)
    return case_id


def notes(body: bytes) -> list[str]:
    return [note.text for note in msgspec.json.decode(body, type=CaseFile).notes]


async def test_what_was_written_here_is_in_the_file_at_once(core: Core, feed: Feed) -> None:
    files = CaseFiles(feed)
    case_id = await new_case(core)
    said: list[str] = []
    for number in range(30):
        said.append(f"note {number}")
        written = await core.execute(Case, case_id, AddNote(text=said[-1]), by=SAM)
        filed = await files.get(case_id)
        assert notes(filed.body) == said
        assert (filed.version, filed.position) == (written.version, written.position)
        if number % 3 == 0:  # Sometimes the feed comes first, and sometimes the reader.
            await feed.reached(written.position, SOON)


async def test_what_another_process_wrote_is_in_it_once_the_feed_has_come_that_far(
    core: Core, feed: Feed
) -> None:
    files = CaseFiles(feed)
    case_id = await new_case(core)
    await files.get(case_id)
    core.appender.on_appended.remove(feed.wake)
    written = await core.execute(Case, case_id, AddNote(text="elsewhere"), by=SAM)
    await feed.reached(written.position, SOON)

    assert notes((await files.get(case_id)).body) == ["elsewhere"]


async def test_a_file_at_hand_is_answered_without_asking_the_ledger(
    core: Core, feed: Feed, pool: Pool
) -> None:
    files = CaseFiles(feed)
    case_id = await new_case(core)
    await feed.reached(1, SOON)
    first = await files.get(case_id)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK es.event")
        assert feed.fresh
        assert await asyncio.wait_for(files.get(case_id), SOON) is first


async def test_without_a_feed_that_runs_the_ledger_is_always_asked(core: Core) -> None:
    files = CaseFiles(Feed(core.recorder.pool, core.recorder, []))
    case_id = await new_case(core)
    await files.get(case_id)
    await core.execute(Case, case_id, AddNote(text="later"), by=SAM)

    assert notes((await files.get(case_id)).body) == ["later"]


async def test_what_is_not_a_case_has_no_file(core: Core, feed: Feed, pool: Pool) -> None:
    files, entry = CaseFiles(feed), uuid4()
    drafted = SolutionDrafted("Go", "Go there", "agent", Applicability(), uuid4(), "s1")
    await (await Telling.into(pool)).tell(entry, drafted)
    for stream_id in (entry, uuid4()):
        with pytest.raises(NotFound) as refusal:
            await files.get(stream_id)
        assert refusal.value.code == "case-not-found"
