"""Whatever is appended, sent again, read and reconnected: the ledger is what the model says."""

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from casecore.appender import Appender
from casecore.database import connect, ledger_id
from casecore.errors import Conflict, Rejected
from casecore.ledger import Appended, Request
from casecore.recorder import Recorder
from tests.casecore.writing import ANOTHER, Stream, asking, recomputed_head

counts = st.integers(0, 3)


class LedgerMachine(RuleBasedStateMachine):
    url: ClassVar[str]
    runner: ClassVar[asyncio.Runner]

    streams = Bundle("streams")
    requests = Bundle("requests")
    stale = Bundle("stale")

    @initialize()
    def open(self) -> None:
        self.name = f"ledger-{uuid4()}"
        self.events: list[tuple[UUID, int, bytes]] = []
        """Stream, version and head of every event, in order."""
        self.answers: dict[UUID, Appended] = {}
        self.run(self._open())

    async def _open(self) -> None:
        pool = await connect(self.url, max_size=3)
        id = await ledger_id(pool, self.name)
        self.recorder, self.appender = Recorder(pool, id, self.name), Appender(pool, id)

    async def _close(self) -> None:
        await self.appender.close()
        await self.recorder.pool.close()

    def run(self, doing: Any) -> Any:
        return self.runner.run(doing)

    def append(self, *requests: Request) -> list[Any]:
        async def together() -> list[Any]:
            appends = (self.appender.append(request) for request in requests)
            return await asyncio.gather(*appends, return_exceptions=True)

        found: list[Any] = self.run(together())
        return found

    def expect_stored(self, request: Request, answer: Any) -> None:
        assert isinstance(answer, Appended)
        for write in request.writes:
            for version, event in enumerate(write.events, write.expected + 1):
                self.events.append((write.stream_id, version, event.head))
        first = request.writes[0]
        written = sum(len(write.events) for write in request.writes)
        assert answer[:3] == (first.expected + len(first.events), len(self.events), written)
        assert not answer.duplicate
        self.answers[request.command_id] = answer

    @rule(target=streams)
    def begin(self) -> Stream:
        return Stream(self.name)

    @rule(target=requests, stream=streams, events=counts)
    def go_on(self, stream: Stream, events: int) -> Request:
        request = asking(stream, events=events)
        self.expect_stored(request, *self.append(request))
        return request

    @rule(target=requests, one=streams, two=streams, events=st.tuples(counts, counts))
    def go_on_with_two(self, one: Stream, two: Stream, events: tuple[int, int]) -> Any:
        if one is two:
            return multiple()
        request = asking(one, two, events=events)
        self.expect_stored(request, *self.append(request))
        return request

    @rule(target=requests, one=streams, two=streams)
    def go_on_at_once(self, one: Stream, two: Stream) -> Any:
        """Two callers at the same time, of the same stream or not."""
        requests = [asking(one), asking(two)]
        for request, answer in zip(requests, self.append(*requests), strict=True):
            self.expect_stored(request, answer)
        return multiple(*requests)

    @rule(target=stale, stream=streams)
    def remember(self, stream: Stream) -> Stream:
        return stream.copy()

    @rule(old=consumes(stale), events=counts, others=st.integers(0, 2))
    def go_on_with_what_is_remembered(self, old: Stream, events: int, others: int) -> None:
        current = max((v for id, v, _ in self.events if id == old.id), default=0)
        fresh = old.version == current
        beside = [Stream(self.name) for _ in range(others)]
        request = asking(*beside, old.copy(), events=[*(1 for _ in beside), 0 if fresh else events])
        [answer] = self.append(request)
        if fresh:
            self.expect_stored(request, answer)
        else:
            assert isinstance(answer, Conflict)

    @rule(request=requests)
    def send_again(self, request: Request) -> None:
        first = self.answers[request.command_id]
        assert self.append(request) == [first._replace(duplicate=True)]
        key = request.command_id, request.fingerprint
        assert self.run(self.recorder.first_answer(*key)) == first._replace(duplicate=True)

    @rule(request=requests, events=counts)
    def reuse_its_key(self, request: Request, events: int) -> None:
        other = asking(
            Stream(self.name), events=events, command_id=request.command_id, fingerprint=ANOTHER
        )
        [answer] = self.append(other)
        assert isinstance(answer, Rejected)

    @rule()
    def start_anew(self) -> None:
        self.run(self._close())
        self.run(self._open())

    @rule(stream=streams)
    def read_a_stream(self, stream: Stream) -> None:
        rows = self.run(self.recorder.history(stream.id))
        assert [(row.version, row.head) for row in rows] == [
            (version, head) for id, version, head in self.events if id == stream.id
        ]
        assert recomputed_head(self.name, stream.id, rows) == stream.head

    @rule(after=st.integers(0, 20), limit=st.integers(1, 10))
    def read_on(self, after: int, limit: int) -> None:
        rows = self.run(self.recorder.read(after, limit))
        assert [(row.stream_id, row.version, row.head) for row in rows] == self.events[
            after : after + limit
        ]

    @invariant()
    def positions_have_no_gap(self) -> None:
        rows = self.run(self.recorder.read(0, 10_000))
        assert [row.position for row in rows] == list(range(1, len(self.events) + 1))
        assert [row.recorded_at for row in rows] == sorted(row.recorded_at for row in rows)
        assert self.run(self.recorder.head()) == len(self.events)

    def teardown(self) -> None:
        self.run(self._close())


@pytest.fixture
def machine(database_url: str) -> Iterator[type[LedgerMachine]]:
    with asyncio.Runner() as runner:
        LedgerMachine.url, LedgerMachine.runner = database_url, runner
        yield LedgerMachine


def test_the_ledger_is_what_the_model_says(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
