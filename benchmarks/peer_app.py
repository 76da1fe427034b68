"""What our routes are measured beside: the least a route can do, and the stock library behind one.

Started as `python -m benchmarks.peer_app PORT DATABASE_URL`.
"""

import sys
from uuid import UUID

import msgspec
import uvicorn
from anyio import to_thread
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from litestar import Litestar, get, post

from benchmarks.peers import STOCK_THREADS, stock_environment

EVENTS_PER_CASE = 20


class ProgressUpdate(msgspec.Struct):
    text: str


class Complaint(Aggregate):
    """A case as a user of the library would write it; one command, as ours has one here."""

    class Registered(Aggregate.Created):
        customer: str

    class ProgressUpdateSent(Aggregate.Event):
        text: str

    @event(Registered)
    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.closed = False
        self.updates = 0

    @event(ProgressUpdateSent)
    def send_progress_update(self, text: str) -> None:
        self.updates += 1


class Complaints(Application[UUID]):
    name = "complaints"

    def register(self, events: int) -> UUID:
        complaint = Complaint(customer="cust-42")
        for number in range(events - 1):
            complaint.send_progress_update(f"The depot has been asked, and said {number}.")
        self.save(complaint)
        return complaint.id

    def send_progress_update(self, case_id: UUID, text: str) -> int:
        complaint: Complaint = self.repository.get(case_id)
        if complaint.closed:
            raise ValueError("a closed case is not worked on")
        complaint.send_progress_update(text)
        self.save(complaint)
        return complaint.version


def app(url: str) -> Litestar:
    complaints = Complaints(env=stock_environment(url))

    @get("/empty")
    async def empty() -> None:
        pass

    @post("/echo")
    async def echo(data: ProgressUpdate) -> ProgressUpdate:
        return data

    @post("/stock", sync_to_thread=True)
    def register(cases: int) -> list[UUID]:
        return [complaints.register(EVENTS_PER_CASE) for _ in range(cases)]

    @post("/stock/{case_id:uuid}", sync_to_thread=True)
    def send_progress_update(case_id: UUID, data: ProgressUpdate) -> dict[str, int]:
        return {"version": complaints.send_progress_update(case_id, data.text)}

    async def limit_threads() -> None:
        """With the usual forty it is three times slower: they wait for one lock, and each other."""
        to_thread.current_default_thread_limiter().total_tokens = STOCK_THREADS

    return Litestar(
        [empty, echo, register, send_progress_update],
        on_startup=[limit_threads],
        openapi_config=None,
    )


if __name__ == "__main__":
    port, url = sys.argv[1:]
    uvicorn.run(
        app(url),
        port=int(port),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
