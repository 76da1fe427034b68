"""What the ledger answers, and what it never lets happen."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from casecore.appender import CONFLICT, DUPLICATE, KEY_REUSED, STORED, Appender, store
from casecore.database import Pool, ledger_id
from casecore.errors import Conflict, Rejected
from casecore.ledger import Request
from casecore.recorder import Recorder
from tests.casecore.writing import ANOTHER, THE_SAME, Stream, asking, recomputed_head


async def everything(recorder: Recorder) -> list[tuple[int, Any, int]]:
    rows = await recorder.read(0, limit=10_000)
    return [(row.position, row.stream_id, row.version) for row in rows]


async def test_what_is_appended_is_read_back_as_it_was(
    appender: Appender, recorder: Recorder
) -> None:
    stream = Stream()
    request = asking(stream, events=2)
    answer = await appender.append(request)
    assert answer[:3] == (2, 2, 2)
    assert not answer.duplicate
    rows = await recorder.history(stream.id)
    assert [row.recorded_at for row in rows] == [answer.recorded_at] * 2
    assert [(row.type, row.meta, row.data, row.data_hash, row.head) for row in rows] == list(
        request.writes[0].events
    )
    assert {row.command_id for row in rows} == {request.command_id}


@pytest.mark.parametrize("events", [1, 3])
async def test_asking_again_gets_the_first_answer(
    appender: Appender, recorder: Recorder, events: int
) -> None:
    stream = Stream()
    request = asking(stream, events=events)
    first = await appender.append(request)
    await appender.append(asking(stream))
    assert await appender.append(request) == first._replace(duplicate=True)
    assert await recorder.head() == events + 1
    key = request.command_id, request.fingerprint
    assert await recorder.first_answer(*key) == first._replace(duplicate=True)


@pytest.mark.parametrize("events", [1, 3])
async def test_the_same_key_with_another_body_is_refused(
    appender: Appender, recorder: Recorder, events: int
) -> None:
    stream = Stream()
    request = asking(stream, events=events)
    await appender.append(request)
    other = asking(stream, events=events, command_id=request.command_id, fingerprint=ANOTHER)
    with pytest.raises(Rejected) as refusal:
        await appender.append(other)
    assert refusal.value.code == "idempotency-key-reuse"
    assert await recorder.head() == events


@pytest.mark.parametrize("events", [1, 3])
async def test_an_append_far_behind_the_head_conflicts(
    appender: Appender, recorder: Recorder, events: int
) -> None:
    stream = Stream()
    await appender.append(asking(stream, events=2))
    behind = stream.copy()
    await appender.append(asking(stream, events=7))
    for stale in (behind, Stream(id=stream.id)):
        with pytest.raises(Conflict) as refusal:
            await appender.append(asking(stale, events=events))
        assert refusal.value.code == "version-conflict"
    assert await recorder.head() == 9


@pytest.mark.parametrize("events", [1, 3])
async def test_an_append_ahead_of_the_head_conflicts(appender: Appender, events: int) -> None:
    stream = Stream()
    asking(stream)
    with pytest.raises(Conflict):
        await appender.append(asking(stream, events=events))


@pytest.mark.parametrize("events", [1, 3])
async def test_the_right_version_of_another_past_conflicts(appender: Appender, events: int) -> None:
    stream = Stream()
    await appender.append(asking(stream))
    with pytest.raises(Conflict):
        await appender.append(
            asking(Stream(id=stream.id, version=1, head=b"?" * 32), events=events)
        )


async def test_several_streams_are_written_together_or_not_at_all(
    appender: Appender, recorder: Recorder
) -> None:
    case, policy = Stream(), Stream()
    answer = await appender.append(asking(case, policy, events=[1, 2]))
    assert answer[:3] == (1, 3, 3)
    before = await everything(recorder)
    stale = Stream(id=policy.id)
    with pytest.raises(Conflict):
        await appender.append(asking(case.copy(), stale))
    assert await everything(recorder) == before
    assert (await appender.append(asking(case, policy))).position == 5


async def test_a_write_without_events_claims_that_its_stream_still_stands(
    appender: Appender,
) -> None:
    case, policy = Stream(), Stream()
    await appender.append(asking(policy))
    seen = policy.copy()
    await appender.append(asking(case, seen, events=[1, 0]))
    await appender.append(asking(policy))
    with pytest.raises(Conflict):
        await appender.append(asking(case, seen, events=[1, 0]))


async def test_a_command_that_changes_nothing_is_remembered_too(
    appender: Appender, recorder: Recorder
) -> None:
    stream = Stream()
    await appender.append(asking(stream, events=3))
    nothing = asking(stream, events=0)
    first = await appender.append(nothing)
    assert first[:3] == (3, 3, 0)
    await appender.append(asking(stream))
    assert await appender.append(nothing) == first._replace(duplicate=True)
    empty = Request(uuid4(), THE_SAME, ())
    assert (await appender.append(empty))[:3] == (0, 4, 0)
    assert await recorder.head() == 4


async def test_each_request_of_a_batch_gets_its_own_verdict(pool: Pool, recorder: Recorder) -> None:
    old, new, other = Stream(), Stream(), Stream()
    first = asking(old, events=2)
    async with pool.acquire() as connection:
        await store(connection, recorder.id, [first])
        batch = [
            asking(Stream(), events=2),
            first,
            asking(Stream(id=old.id), events=3),
            asking(new, events=1),
            asking(Stream(), events=4, command_id=first.command_id, fingerprint=ANOTHER),
            asking(old, other, events=[0, 2]),
        ]
        answers = await store(connection, recorder.id, batch)
    assert [outcome for outcome, *_ in answers] == [
        *(STORED, DUPLICATE, CONFLICT, STORED, KEY_REUSED, STORED)
    ]
    assert [answers[n][1:4] for n in (0, 1, 3, 5)] == [(2, 4, 2), (2, 2, 2), (1, 5, 1), (2, 7, 2)]
    positions = [position for position, *_ in await everything(recorder)]
    assert positions == list(range(1, 8))
    assert await recorder.head() == 7


async def test_recorded_at_never_goes_back(
    appender: Appender, pool: Pool, recorder: Recorder
) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await pool.execute("UPDATE es.ledger SET last_at = $1", ahead)
    for events in (1, 2):
        answer = await appender.append(asking(Stream(), events=events))
        assert answer.recorded_at == ahead


async def test_ledgers_have_each_their_own_order(appender: Appender, pool: Pool) -> None:
    await appender.append(asking(Stream(), events=3))
    other = Appender(pool, await ledger_id(pool, "other"))
    assert (await other.append(asking(Stream("other")))).position == 1
    await other.close()


async def test_the_head_that_is_stored_can_be_worked_out_from_the_bytes(
    appender: Appender, recorder: Recorder
) -> None:
    stream = Stream()
    for events in (1, 5, 1, 2):
        await appender.append(asking(stream, events=events))
    rows = await recorder.history(stream.id)
    for upto in range(1, len(rows) + 1):
        assert rows[upto - 1].head == recomputed_head("main", stream.id, rows[:upto])
    assert await recorder.heads([stream.id, uuid4()]) == {stream.id: (9, stream.head)}


async def test_history_can_end_at_a_version_or_at_what_was_known_then(
    appender: Appender, recorder: Recorder
) -> None:
    stream = Stream()
    first = await appender.append(asking(stream, events=3))
    await appender.append(asking(stream, events=2))
    assert [row.version for row in await recorder.history(stream.id, after=1, upto=4)] == [2, 3, 4]
    known = await recorder.history(stream.id, recorded_by=first.recorded_at)
    assert [row.version for row in known] == [1, 2, 3]
    assert [row.position for row in await recorder.read(1, limit=2)] == [2, 3]
    assert [row.position for row in await recorder.read(3, limit=9, upto=4)] == [4]


@pytest.mark.parametrize(
    "change",
    ["UPDATE es.event SET data = ''", "DELETE FROM es.event", "TRUNCATE es.event"],
)
async def test_not_even_the_owner_can_change_what_happened(
    appender: Appender, pool: Pool, recorder: Recorder, change: str
) -> None:
    await appender.append(asking(Stream()))
    before = await recorder.read(0, limit=9)
    async with pool.acquire() as connection:
        for setting in ("origin", "replica"):  # a replica's session does not fire triggers as such
            async with connection.transaction():
                await connection.execute(f"SET LOCAL session_replication_role = {setting}")
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="stays as it was"):
                    async with connection.transaction():
                        await connection.execute(change)
    assert await recorder.read(0, limit=9) == before


@pytest.mark.parametrize("events", [1, 2])
async def test_only_a_transaction_that_sees_what_others_commit_may_append(
    pool: Pool, recorder: Recorder, events: int
) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.ActiveSQLTransactionError):
            async with connection.transaction(isolation="repeatable_read"):
                await store(connection, recorder.id, [asking(Stream(), events=events)])


async def test_an_append_finds_its_way_by_index_from_the_first_one_on(
    appender: Appender, pool: Pool, recorder: Recorder
) -> None:
    async with pool.acquire() as connection:
        streams = [Stream() for _ in range(20)]
        for _ in range(20):
            await store(connection, recorder.id, [asking(stream) for stream in streams])
            await store(connection, recorder.id, [asking(streams[0])])
        await connection.execute("ANALYZE es.event, es.command")
        await store(connection, recorder.id, [asking(stream) for stream in streams])
        await store(connection, recorder.id, [asking(streams[0])])
        await connection.execute("SELECT pg_stat_force_next_flush()")
        scans = await connection.fetch(
            "SELECT relname, seq_scan FROM pg_stat_user_tables"
            " WHERE schemaname = 'es' AND relname IN ('event', 'command', 'ledger')"
        )
    assert {row["relname"]: row["seq_scan"] for row in scans} == {
        "event": 0,
        "command": 0,
        "ledger": 0,
    }


async def test_people_can_read_what_is_stored(appender: Appender, pool: Pool) -> None:
    stream = Stream()
    await appender.append(asking(stream, events=2))
    row = await pool.fetchrow("SELECT * FROM es.event_log WHERE version = 2")
    assert row is not None
    assert (row["ledger"], row["data"], row["meta"]) == (
        *("main", '{"said": 2}', '{"actor": "ada"}'),
    )
    assert row["head"] == stream.head.hex()
    stands = await pool.fetchrow("SELECT * FROM es.stream WHERE stream_id = $1", stream.id)
    assert stands is not None
    assert (stands["version"], stands["last_position"], stands["head"]) == (2, 2, stream.head)
