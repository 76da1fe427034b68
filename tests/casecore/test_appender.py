"""Group commit keeps its promises when callers and connections fail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg
import pytest

from casecore import appender as appending
from casecore.appender import CHANNEL, Appender
from casecore.database import Pool, connect, ledger_id
from casecore.errors import Conflict, Rejected, Unavailable
from casecore.ledger import Appended, Request
from casecore.recorder import Recorder
from tests.casecore.writing import ANOTHER, Stream, asking


async def test_what_comes_during_a_flush_goes_out_together(appender: Appender) -> None:
    answers = await asyncio.gather(*(appender.append(asking(Stream())) for _ in range(50)))
    assert sorted(answer.position for answer in answers) == list(range(1, 51))
    assert len({answer.recorded_at for answer in answers}) == 2  # the first went alone


async def test_requests_for_one_stream_are_stored_in_the_order_they_came(
    appender: Appender, recorder: Recorder
) -> None:
    stream, other = Stream(), Stream()
    requests = [asking(stream, other) if n % 3 else asking(stream) for n in range(40)]
    answers = await asyncio.gather(*map(appender.append, requests))
    assert [answer.version for answer in answers] == list(range(1, 41))
    assert (await recorder.heads([other.id]))[other.id] == (other.version, other.head)


async def test_one_command_sent_twice_at_once_is_stored_once(
    appender: Appender, recorder: Recorder
) -> None:
    request = asking(Stream())
    again = asking(Stream(), command_id=request.command_id, fingerprint=ANOTHER)
    first, second, refused = await asyncio.gather(
        *map(appender.append, [request, request, again]), return_exceptions=True
    )
    assert isinstance(first, Appended)
    assert second == first._replace(duplicate=True)
    assert isinstance(refused, Rejected)
    assert await recorder.head() == 1


async def test_a_command_may_bear_the_id_of_its_stream(appender: Appender) -> None:
    stream = Stream()
    async with asyncio.timeout(30):
        await appender.append(asking(stream, command_id=stream.id))


async def test_one_bad_request_fails_alone(appender: Appender, recorder: Recorder) -> None:
    requests = [asking(Stream()) for _ in range(30)]
    [write] = requests[17].writes
    bad = write._replace(events=[write.events[0]._replace(type="nul \0")])
    requests[17] = requests[17]._replace(writes=[bad])
    answers = await asyncio.gather(*map(appender.append, requests), return_exceptions=True)
    assert isinstance(answers.pop(17), asyncpg.CharacterNotInRepertoireError)
    assert sorted(answer.position for answer in answers if isinstance(answer, Appended)) == list(
        range(1, 30)
    )
    assert await recorder.head() == 29


async def test_a_hash_of_another_length_is_refused_before_it_shifts_the_others(
    appender: Appender, recorder: Recorder
) -> None:
    requests = [asking(Stream(), events=2) for _ in range(5)]
    requests[2] = requests[2]._replace(fingerprint=b"short")
    answers = await asyncio.gather(*map(appender.append, requests), return_exceptions=True)
    assert [isinstance(answer, Appended) for answer in answers] == [True, True, False, True, True]
    assert isinstance(answers[2], asyncpg.InvalidParameterValueError)
    for n in (0, 1, 3, 4):
        first = await recorder.first_answer(requests[n].command_id, requests[n].fingerprint)
        assert first is not None


@pytest.mark.parametrize("cancelled", [0, 1, 5])
async def test_a_cancelled_caller_cancels_no_flush(
    appender: Appender, recorder: Recorder, cancelled: int
) -> None:
    """Neither the first one, on whose behalf the flush runs, nor one that waits for the next."""
    streams = [Stream() for _ in range(10)]
    callers = [asyncio.create_task(appender.append(asking(stream))) for stream in streams]
    await asyncio.sleep(0)
    callers[cancelled].cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers.pop(cancelled), asyncio.CancelledError)
    assert all(isinstance(answer, Appended) for answer in answers)
    async with asyncio.timeout(30):
        await appender.append(asking(streams[cancelled]))
    assert await recorder.head() == 11


async def test_a_request_that_comes_as_a_flush_ends_is_not_left_waiting(
    appender: Appender,
) -> None:
    async def follow(after: Awaitable[Appended], turns: int) -> None:
        await after
        for _ in range(turns):
            await asyncio.sleep(0)
        await appender.append(asking(Stream()))

    async with asyncio.timeout(60):
        for turns in range(12):
            for _ in range(10):
                await follow(appender.append(asking(Stream())), turns)
                both = [asyncio.create_task(appender.append(asking(Stream()))) for _ in range(2)]
                await asyncio.gather(*(follow(first, turns) for first in both))


async def test_a_queue_that_is_full_refuses(
    appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "QUEUE_MAX", 5)
    answers = await asyncio.gather(
        *(appender.append(asking(Stream())) for _ in range(9)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert [refusal.code for refusal in refused] == ["store-busy"] * 3  # one is under way
    await appender.append(asking(Stream()))


async def test_closing_stores_what_is_waiting_and_refuses_what_comes(
    appender: Appender, recorder: Recorder
) -> None:
    callers = [asyncio.create_task(appender.append(asking(Stream()))) for _ in range(200)]
    await asyncio.sleep(0)
    await appender.close()
    assert [(await caller).duplicate for caller in callers] == [False] * 200
    assert await recorder.head() == 200
    with pytest.raises(Unavailable):
        await appender.append(asking(Stream()))


async def test_followers_are_told_how_far_the_ledger_has_come(
    appender: Appender, database_url: str
) -> None:
    here: list[int] = []
    elsewhere: list[object] = []
    arrived = asyncio.Event()

    def hear(_connection: object, _pid: object, _channel: object, payload: object) -> None:
        elsewhere.append(payload)
        if payload == f"{appender.ledger}:30":
            arrived.set()

    appender.on_appended.append(here.append)
    listening = await asyncpg.connect(database_url)
    await listening.add_listener(CHANNEL, hear)
    await asyncio.gather(*(appender.append(asking(Stream())) for _ in range(30)))
    async with asyncio.timeout(30):
        await arrived.wait()
    await listening.close()
    assert here[-1] == 30
    assert here == sorted(set(here))
    assert len(elsewhere) <= len(here)


class Proxy:
    """Stands before the server, and can cut a connection when a certain answer comes."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.host = query.get("host", parts.hostname or "localhost")
        self.port = int(query.get("port", parts.port or 5432))
        user = f"{parts.username}:{parts.password or ''}@" if parts.username else ""
        here = urlencode(query | {"host": str(folder), "port": "5432"})
        self.path = folder / ".s.PGSQL.5432"
        self.url = urlunsplit(parts._replace(netloc=user, query=here))
        self.cut_answer_to: bytes | None = None
        """What to look for in a question, to cut the connection when its answer comes."""
        self.cuts = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_unix_server(self._pass, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def _pass(
        self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        if self.host.startswith("/"):
            socket = f"{self.host}/.s.PGSQL.{self.port}"
            from_server, to_server = await asyncio.open_unix_connection(socket)
        else:
            from_server, to_server = await asyncio.open_connection(self.host, self.port)
        self.writers += [to_client, to_server]
        asked = asyncio.Event()

        async def ask() -> None:
            while data := await from_client.read(1 << 20):
                if self.cut_answer_to and self.cut_answer_to in data:
                    self.cut_answer_to = None
                    asked.set()
                to_server.write(data)

        async def answer() -> None:
            while data := await from_server.read(1 << 20):
                if asked.is_set():
                    self.cuts += 1
                    return
                to_client.write(data)

        with suppress(ConnectionError):
            await asyncio.wait(
                [asyncio.create_task(ask()), asyncio.create_task(answer())],
                return_when=asyncio.FIRST_COMPLETED,
            )
        to_client.transport.abort()
        to_server.transport.abort()


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    with TemporaryDirectory(prefix="casecore-", dir="/tmp") as folder:  # a socket's path is short
        async with Proxy(database_url, Path(folder)) as proxy:
            yield proxy


@pytest.fixture
async def far_pool(proxy: Proxy) -> AsyncIterator[Pool]:
    pool = await connect(proxy.url)
    yield pool
    pool.terminate()


@pytest.mark.parametrize("lost", [0, 7])
async def test_a_lost_acknowledgement_is_answered_with_the_first_result(
    proxy: Proxy, far_pool: Pool, recorder: Recorder, lost: int
) -> None:
    """Of the first one, which goes out alone, and of the others, which go together."""
    appender = Appender(far_pool, recorder.id)
    streams = [Stream() for _ in range(20)]
    proxy.cut_answer_to = streams[lost].id.bytes
    answers = await asyncio.gather(*(appender.append(asking(stream)) for stream in streams))
    await appender.close()
    assert proxy.cuts == 1
    assert [answer.duplicate for answer in answers] == [(n == 0) == (lost == 0) for n in range(20)]
    rows = await recorder.read(0, limit=1_000)
    assert [row.position for row in rows] == list(range(1, 21))
    assert [rows[answer.position - 1].stream_id for answer in answers] == [
        stream.id for stream in streams
    ]


async def test_a_store_that_stays_away_is_told_of_and_comes_back(
    proxy: Proxy, far_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "RETRY_SECONDS_MAX", 0.3)
    appender = Appender(far_pool, await ledger_id(far_pool, "main"))
    stream = Stream()
    await appender.append(asking(stream))
    proxy.server.close()
    proxy.cut()
    proxy.path.unlink(missing_ok=True)
    request = asking(stream)
    waiting = (asking(Stream()) for _ in range(300))
    answers = await asyncio.gather(
        *map(appender.append, [request, *waiting]), return_exceptions=True
    )
    assert {answer.code for answer in answers if isinstance(answer, Unavailable)} == {
        "store-unavailable"
    }
    assert len(answers) == 301
    await proxy.__aenter__()
    assert (await appender.append(request)).version == 2
    await appender.close()


async def test_killed_backends_lose_and_double_nothing(
    appender: Appender, recorder: Recorder, server: str
) -> None:
    acknowledged: list[tuple[Request, Appended]] = []
    so_far = asyncio.Semaphore(0)

    async def write(stream: Stream) -> None:
        for _ in range(25):
            request = asking(stream)
            acknowledged.append((request, await appender.append(request)))
            so_far.release()

    writing = asyncio.gather(*(write(Stream()) for _ in range(40)))
    database = await recorder.pool.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(server)
    killed = 0
    for _ in range(8):
        for _ in range(100):
            await so_far.acquire()
        killed += await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = $1 AND application_name = 'casecore'",
            database,
        )
    await connection.close()
    await writing
    assert killed
    await is_all_there(recorder, acknowledged)
    assert await recorder.head() == 1_000


async def is_all_there(
    recorder: Recorder, acknowledged: Sequence[tuple[Request, Appended]]
) -> None:
    """Every acknowledged event is there once, where it was said to be; and there is no gap."""
    rows = await recorder.read(0, limit=1_000_000)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    for request, answer in acknowledged:
        stored = rows[answer.position - answer.written : answer.position]
        assert {row.command_id for row in stored} == {request.command_id}
        assert [row.head for row in stored] == [
            event.head for write in request.writes for event in write.events
        ]
    streams = {(row.stream_id, row.version) for row in rows}
    assert len(streams) == len(rows)


async def test_a_tailing_reader_misses_nothing_beside_eight_writers(
    database_url: str, recorder: Recorder
) -> None:
    seen: list[int] = []

    async def write() -> None:
        pool = await connect(database_url, max_size=2)
        appender = Appender(pool, recorder.id)
        for _ in range(12):
            await asyncio.gather(*(appender.append(asking(Stream(), events=n)) for n in range(6)))
        await appender.close()
        await pool.close()

    async def tail() -> None:
        position = 0
        while not writing.done() or position < await recorder.head():
            for row in await recorder.read(position, limit=50):
                seen.append(row.position)
                position = row.position

    writing = asyncio.gather(*(write() for _ in range(8)))
    await tail()
    await writing
    assert seen == list(range(1, 8 * 12 * 15 + 1))


async def test_two_writers_of_one_stream_take_turns_or_conflict(
    database_url: str, recorder: Recorder
) -> None:
    stream_id = Stream().id

    async def write() -> int:
        pool = await connect(database_url, max_size=2)
        appender, conflicts = Appender(pool, recorder.id), 0
        stream = Stream(id=stream_id)
        for _ in range(30):
            try:
                await appender.append(asking(stream))
            except Conflict:
                conflicts += 1
                heads = await recorder.heads([stream_id])
                version, head = heads[stream_id]
                stream = Stream(id=stream_id, version=version, head=head)
        await appender.close()
        await pool.close()
        return conflicts

    conflicts = sum(await asyncio.gather(write(), write(), write()))
    rows = await recorder.history(stream_id)
    assert [row.version for row in rows] == list(range(1, 91 - conflicts))
