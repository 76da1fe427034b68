"""The live feed: in pages, and as it happens, on a real server."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec import convert

from api import broadcasting, events, keys, streaming
from api.broadcasting import CHUNK_BYTES_MAX, Frame, Listener
from api.cloudevents import from_cloudevent
from api.desk import Desk, Desks
from casecore.actors import Role
from casecore.case.decisions.intake import RegisterCase
from casecore.case.state import Case
from casecore.integrity import core_hash, next_head
from casecore.ledger import Request, Row, Sealed, Write
from casecore.recorder import Recorder
from tests.api.conftest import Client, Login
from tests.api.making import PROMISE, REGISTER, problem, registered
from tests.api.test_serving import started
from tests.casecore.writing import META, THE_SAME, Stream, asking, recomputed_head
from tests.conftest import run
from tests.spec import SYSTEM

SECONDS_MAX = 20
STREAM = {"Accept": "text/event-stream"}


class Heard(NamedTuple):
    """A block of a stream, as it came."""

    id: int | None
    event: str | None
    data: Any
    comment: str | None


class Served(NamedTuple):
    url: str
    desks: Desks
    desk: Desk
    task: asyncio.Task[None]

    async def key(self, role: Role = Role.SERVICE) -> tuple[UUID, str]:
        return await keys.create(self.desks.pool, "main", "crm", role, "")


@pytest.fixture
async def served(desks: Desks) -> AsyncIterator[Served]:
    url, task = await started(desks)
    yield Served(url, desks, await desks.desk("main"), task)
    if not task.done():
        await stopped(task)


async def stopped(task: asyncio.Task[None]) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, SECONDS_MAX)


@asynccontextmanager
async def listening(
    served: Served, key: str, *, last: int | None = None, **params: Any
) -> AsyncIterator[AsyncIterator[Heard]]:
    """A stream, once it says where it begins."""
    headers = {"Authorization": f"Bearer {key}", **STREAM}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    async with (
        httpx.AsyncClient(base_url=served.url, headers=headers, timeout=SECONDS_MAX) as client,
        client.stream("GET", "/v1/events", params=params) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["Content-Type"] == "text/event-stream"
        blocks = heard(answer)
        begun = await anext(blocks)
        assert begun.data is None
        yield blocks


async def heard(answer: httpx.Response) -> AsyncIterator[Heard]:
    """The blocks of a stream, read as the specification says."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.removeprefix(" ")
        else:
            data = fields.get("data")
            yield Heard(
                int(fields["id"]) if "id" in fields else None,
                fields.get("event"),
                None if data is None else json.loads(data),
                fields.get("comment"),
            )
            fields = {}


async def several(blocks: AsyncIterator[Heard], count: int) -> list[Heard]:
    """So many events, without the signs of life between them."""
    found: list[Heard] = []
    async with asyncio.timeout(SECONDS_MAX):
        while len(found) < count:
            block = await anext(blocks)
            if block.data is not None:
                found.append(block)
    return found


@contextmanager
def deaf(served: Served, key: str) -> Iterator[None]:
    """A client that reads nothing of what it asked for."""
    address = httpx.URL(served.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((address.host, address.port))
        connection.sendall(
            b"GET /v1/events?after=0 HTTP/1.1\r\nHost: desk\r\nAccept: text/event-stream\r\n"
            b"Authorization: Bearer %s\r\n\r\n" % key.encode()
        )
        yield


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not so():  # noqa: ASYNC110, there is no event for it
            await asyncio.sleep(0.01)


async def fill(desk: Desk, events: int) -> None:
    """More than the buffers between a server and a client hold."""
    for _ in range(events):
        stream, command_id = Stream(), uuid4()
        data = b'"%b"' % (b"x" * 250_000)
        hashed = sha256(data).digest()
        core = core_hash("main", stream.id, 1, "Said", command_id, META, hashed)
        sealed = Sealed("Said", META, data, hashed, next_head(stream.head, core))
        write = Write(stream.id, 0, stream.head, [sealed])
        await desk.appender.append(Request(command_id, THE_SAME, [write]))


async def append(desk: Desk, count: int) -> None:
    """So many events, each in an append of its own."""
    for _ in range(count):
        register = convert(REGISTER, RegisterCase)
        await desk.core.execute(Case, uuid4(), register, by=SYSTEM)


# Pages


async def test_a_page_tells_everything_in_order_and_where_to_go_on(admin: Client) -> None:
    begun = (await admin.get("/v1/events", params={"limit": 1000})).json()["next"]
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    first = await admin.get("/v1/events", params={"after": begun, "limit": 1})
    [registered_event] = first.json()["items"]
    assert registered_event["type"] == "casecore.CaseRegistered"
    assert registered_event["subject"] == case.rpartition("/")[2]
    assert first.json()["next"] == registered_event["position"] == begun + 1
    rest = await admin.get("/v1/events", params={"after": first.json()["next"]})
    assert [event["type"] for event in rest.json()["items"]] == ["casecore.PromiseMade"]
    assert rest.json()["next"] == int(rest.headers["As-Of-Position"]) == begun + 2
    end = (await admin.get("/v1/events", params={"after": begun + 2})).json()
    assert end == {"items": [], "next": begun + 2}


async def test_the_lines_of_a_page_hold_what_was_hashed(admin: Client, desks: Desks) -> None:
    case = await registered(admin)
    await admin.post(f"{case}/promises", json=PROMISE)
    batch = await admin.get("/v1/events", headers={"Accept": "application/cloudevents-batch+json"})
    assert batch.headers["Content-Type"] == "application/cloudevents-batch+json"
    rows = await (await desks.desk("main")).recorder.read(0, limit=1000)
    assert batch.headers["Link"] == f'</v1/events?after={rows[-1].position}>; rel="next"'
    raw = batch.text.removeprefix("[").removesuffix("]").split(',{"specversion"')
    lines = [raw[0], *('{"specversion"' + line for line in raw[1:])]
    assert [from_cloudevent(line) for line in lines] == [("main", row) for row in rows]
    stream_id = UUID(case.rpartition("/")[2])
    of_case = [row for row in rows if row.stream_id == stream_id]
    assert recomputed_head("main", stream_id, of_case) == of_case[-1].head


async def test_with_types_nobody_searches_the_same_twice(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SCANNED_MAX", 2)
    case = await registered(admin)
    for text in ("Hm", "Hm, hm", "Well", "No"):
        await admin.post(f"{case}/notes", json={"text": text})
    await admin.post(f"{case}/promises", json=PROMISE)
    after, pages = 0, []
    while True:
        params = {"after": after, "types": "PromiseMade,casecore.CaseRegistered"}
        page = await admin.get("/v1/events", params=params)
        pages.append([event["type"] for event in page.json()["items"]])
        assert after < page.json()["next"] <= after + 2
        after = page.json()["next"]
        if after == int(page.headers["As-Of-Position"]):
            break
    assert [] in pages
    assert [page for page in pages if page] == [
        ["casecore.CaseRegistered"],
        ["casecore.PromiseMade"],
    ]


async def test_the_link_of_a_batch_asks_the_same_for_what_follows(admin: Client) -> None:
    case = await registered(admin)
    for text in ("Hm", "Well", "No"):
        await admin.post(f"{case}/notes", json={"text": text})
    headers = {"Accept": "application/cloudevents-batch+json"}
    path, told = "/v1/events?types=NoteAdded&limit=2", []
    while True:
        page = await admin.get(path, headers=headers)
        told.append([event["data"]["text"] for event in page.json()])
        if not told[-1]:
            break
        path = page.headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
        assert path.endswith("&types=NoteAdded&limit=2")
    assert told == [["Hm", "Well"], ["No"], []]


async def test_a_page_is_no_larger_than_it_may_be(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE_BYTES_MAX", 1)
    monkeypatch.setattr(events, "READ_MAX", 1)
    await registered(admin)
    page = (await admin.get("/v1/events")).json()
    assert [event["position"] for event in page["items"]] == [1] == [page["next"]]


async def test_head_answers_the_headers_of_a_page_and_of_a_stream(admin: Client) -> None:
    page = await admin.head("/v1/events")
    assert (page.status_code, page.content) == (200, b"")
    stream = await admin.head("/v1/events", headers=STREAM)
    assert (stream.status_code, stream.content) == (200, b"")
    assert stream.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("text/event-stream, */*;q=0.1", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("TEXT/EVENT-STREAM;q=1", "text/event-stream"),
        ("application/cloudevents-batch+json", "application/cloudevents-batch+json"),
    ],
)
async def test_what_is_accepted_first_is_answered(
    admin: Client, accept: str, answered: str
) -> None:
    answer = await admin.head("/v1/events", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == answered


async def test_another_ledger_is_another_feed(admin: Client, login: Login) -> None:
    await registered(admin)
    other = await login(Role.SERVICE, "crm", "other-brand")
    assert (await other.get("/v1/events")).json() == {"items": [], "next": 0}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
async def test_the_feed_is_for_whoever_may_read_of_everybody(login: Login, role: Role) -> None:
    client = await login(role, "ada")
    for headers in ({}, STREAM):
        answer = await client.head("/v1/events", headers=headers)
        assert answer.status_code == (200 if role in events.READERS else 403)


async def test_without_a_key_nothing_is_streamed(stranger: Client) -> None:
    problem(await stranger.get("/v1/events", headers=STREAM), 401, "unauthenticated")


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"after": "-1"}, "after"),
        ({"after": "x"}, "after"),
        ({"after": str(2**63)}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"types": ""}, "types"),
        ({"types": "NoteAdded,"}, "types"),
        ({"types": "NoteAddded"}, "types"),
        ({"type": "NoteAdded"}, "type"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    admin: Client, accept: str, params: dict[str, str], field: str
) -> None:
    answer = await admin.get("/v1/events", params=params, headers={"Accept": accept})
    assert problem(answer, 400, "schema-violation")["field"] == field


async def test_a_type_that_there_is_not_is_told_the_nearest(admin: Client) -> None:
    answer = await admin.get("/v1/events", params={"types": "casecore.ComplaintHerd"})
    assert "did you mean ComplaintHeard?" in problem(answer, 400, "schema-violation")["detail"]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "null", "\xe9", str(2**63)])
async def test_what_is_no_position_is_no_last_event_id(admin: Client, last: str) -> None:
    headers = {**STREAM, "Last-Event-ID": last.encode("latin-1")}
    answer = await admin.get("/v1/events", headers=headers)
    assert problem(answer, 400, "schema-violation")["field"] == "Last-Event-ID"


async def test_who_has_come_further_than_the_ledger_is_told_so(admin: Client) -> None:
    head = (await admin.get("/v1/events", params={"limit": 1000})).json()["next"]
    for headers in ({}, STREAM):
        answer = await admin.get("/v1/events", params={"after": head + 1}, headers=headers)
        assert problem(answer, 422, "position-ahead")["position"] == head


# Streams


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 90_000)), min_size=1),
    st.none() | st.frozensets(st.sampled_from("ABC"), min_size=1),
    st.integers(1, 10),
)
def test_who_takes_again_and_again_has_all_it_wants_once_and_in_order(
    said: list[tuple[str, int]], types: frozenset[str] | None, limit: int
) -> None:
    frames = [frame(nth, type_, size) for nth, (type_, size) in enumerate(said, 1)]
    listener = Listener(0, types, b"", lambda: None)
    heard: list[Frame] = []
    while listener.position < len(frames):
        taken = listener.take(frames[listener.position :], limit)
        assert len(taken) <= limit
        assert len(taken) == 1 or sum(len(f.sent) for f in taken) <= CHUNK_BYTES_MAX
        heard += taken
    assert heard == [f for f in frames if types is None or f.type in types]


def frame(position: int, type_: str, size: int) -> Frame:
    data = b"x" * size
    row = Row(
        *(position, UUID(int=1), position, type_, datetime.now(UTC), UUID(int=2), META, data),
        *(sha256(data).digest(), b"\x99" * 32),
    )
    return Frame("main", row)


async def test_a_stream_begins_with_what_comes_next(served: Served) -> None:
    await append(served.desk, 3)
    head = await served.desk.recorder.head()
    _, key = await served.key()
    async with listening(served, key) as blocks:
        await append(served.desk, 2)
        first, second = await several(blocks, 2)
    assert (first.id, second.id) == (head + 1, head + 2)
    assert first.event == first.data["type"] == "casecore.CaseRegistered"
    assert first.data["position"] == first.id


async def test_beside_eight_writers_a_stream_is_ordered_and_complete(served: Served) -> None:
    await append(served.desk, 5)
    _, key = await served.key()
    async with (
        listening(served, key, after=0) as from_the_first,
        listening(served, key, after=0, limit=40) as a_while,
    ):
        writing = [asyncio.create_task(append(served.desk, 100)) for _ in range(8)]
        head = await served.desk.recorder.head()
        found = await several(from_the_first, head + 800)
        short = [block async for block in a_while if block.data]
        await asyncio.gather(*writing)
    assert [block.id for block in found] == list(range(1, head + 801))
    assert [block.id for block in short] == list(range(1, 41))
    rows = await served.desk.recorder.read(0, limit=2000)
    assert [block.data["head"] for block in found] == [row.head.hex() for row in rows]


async def test_who_is_cut_off_goes_on_where_it_was(served: Served) -> None:
    head = await served.desk.recorder.head()
    _, key = await served.key()
    async with listening(served, key) as blocks:
        await append(served.desk, 3)
        last = (await several(blocks, 2))[-1].id
    await append(served.desk, 3)
    async with listening(served, key, last=last, after=0) as blocks:
        rest = await several(blocks, 4)
    assert [block.id for block in rest] == list(range(head + 3, head + 7))


async def test_what_another_process_writes_is_heard(served: Served, recorder: Recorder) -> None:
    _, key = await served.key()
    async with listening(served, key) as blocks, Desks.open(served.desks.url) as others:
        other = await others.desk("main")
        await append(other, 1)
        [block] = await several(blocks, 1)
    assert block.id == await recorder.head()


async def test_only_the_types_that_are_asked_for_are_heard(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "SCANNED_MAX", 3)
    _, key = await served.key(Role.ADMIN)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as client:
        await append(served.desk, 10)
        case = await registered(client)
        await client.post(f"{case}/promises", json=PROMISE)
        async with listening(served, key, after=0, types="PromiseMade") as blocks:
            [old] = await several(blocks, 1)
            await append(served.desk, 10)
            await client.post(f"{case}/promises", json=PROMISE | {"text": "Once more"})
            [new] = await several(blocks, 1)
    assert (old.data["data"]["promise_id"], new.data["data"]["promise_id"]) == ("p1", "p2")


async def test_silence_has_a_heartbeat_that_carries_the_place(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    _, key = await served.key()
    async with listening(served, key, types="PromiseMade") as blocks:
        await append(served.desk, 3)
        head = await served.desk.recorder.head()
        async with asyncio.timeout(SECONDS_MAX):
            while (beat := await anext(blocks)).id != head:
                assert beat.comment == "heartbeat"
    assert beat.data is None


async def test_a_revoked_key_ends_its_stream_and_no_other(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "KEYS_SECONDS", 0.2)
    id, key = await served.key()
    _, other = await served.key()
    async with listening(served, key) as blocks, listening(served, other) as others:
        await keys.revoke(served.desks.pool, id)
        async with asyncio.timeout(SECONDS_MAX):
            assert [block async for block in blocks] == []
        await append(served.desk, 1)
        await several(others, 1)


async def test_a_stream_ends_at_once_when_the_server_is_told_to_stop(served: Served) -> None:
    _, key = await served.key()
    async with listening(served, key) as blocks:
        await stopped(served.task)
        async with asyncio.timeout(1):
            assert [block async for block in blocks] == []


async def test_who_has_stopped_reading_does_not_keep_the_server_from_stopping(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    _, key = await served.key()
    with deaf(served, key):
        await until(lambda: len(served.desk.broadcast) == 1)
        await fill(served.desk, 60)
        await until(lambda: served.desk.broadcast.position >= 60)
        async with asyncio.timeout(broadcasting.GRACE_SECONDS + 3):
            await stopped(served.task)
    assert [record for record in caplog.records if "uvicorn" in record.name] == []


async def test_who_reads_nothing_slows_no_writer_and_fills_no_memory(served: Served) -> None:
    _, key = await served.key()
    broadcast = served.desk.broadcast
    with deaf(served, key), deaf(served, key):
        await until(lambda: len(broadcast) == 2)
        await fill(served.desk, 60)
        async with listening(served, key) as blocks:
            head = await served.desk.recorder.head()
            writers = [Stream() for _ in range(50)]
            for _ in range(100):
                await asyncio.gather(*(served.desk.appender.append(asking(w)) for w in writers))
            assert await served.desk.recorder.head() == head + 5_000
            found = await several(blocks, 5_000)
        await until(lambda: len(broadcast) == 2)
        assert [block.id for block in found] == list(range(head + 1, head + 5_001))
        at_hand = sum(len(frame.sent) for frame in broadcast._ring)
        assert broadcast._ring_bytes == at_hand <= broadcasting.RING_BYTES_MAX
        assert len(broadcast._ring) <= broadcasting.RING_MAX


async def test_who_falls_out_of_the_ring_reads_the_ledger_and_misses_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "RING_MAX", 10)
    monkeypatch.setattr(broadcasting, "CHUNK_MAX", 7)
    _, key = await served.key()
    async with listening(served, key) as blocks:
        head = await served.desk.recorder.head()
        request = asking(Stream(), events=300)
        await served.desk.appender.append(request)
        found = await several(blocks, 300)
        assert len(served.desk.broadcast._ring) == 10
    assert [block.id for block in found] == list(range(head + 1, head + 301))


async def test_who_takes_nothing_for_long_is_cut_off(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streaming, "SEND_SECONDS_MAX", 0.5)
    _, key = await served.key()
    with deaf(served, key):
        await until(lambda: len(served.desk.broadcast) == 1)
        await fill(served.desk, 60)
        await until(lambda: len(served.desk.broadcast) == 0)
    assert [record for record in caplog.records if "uvicorn" in record.name] == []


async def test_who_goes_is_let_go(served: Served) -> None:
    _, key = await served.key()
    broadcast = served.desk.broadcast
    async with listening(served, key), listening(served, key):
        await until(lambda: len(broadcast) == 2)
        await append(served.desk, 1)
    await until(lambda: len(broadcast) == 0)
    assert broadcast._tasks == []
    assert len(broadcast._ring) == 0


async def test_there_are_so_many_listeners_and_no_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LISTENERS_MAX", 1)
    _, key = await served.key()
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(base_url=served.url, headers=headers) as client,
        listening(served, key),
    ):
        answer = await client.get("/v1/events", headers=STREAM)
        problem(answer, 503, "feed-full")
        assert answer.headers["Retry-After"]
        assert (await client.get("/v1/events")).status_code == 200


async def test_a_stream_outlives_the_connections_to_the_database(
    served: Served, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "RETRY_SECONDS", 0.1)
    _, key = await served.key()
    async with listening(served, key) as blocks:
        await append(served.desk, 1)
        await several(blocks, 1)
        await run(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        await append(served.desk, 1)
        await several(blocks, 1)
