"""The promises that run, and how the others ended."""

from datetime import datetime
from typing import Literal, Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.promises import (
    PromiseBasis,
    PromiseBroken,
    PromiseKept,
    PromiseKind,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)

PromiseStatus = Literal["running", "kept", "broken", "released"]


class Promise(msgspec.Struct, frozen=True):
    kind: PromiseKind
    text: str
    due_at: datetime
    basis: PromiseBasis = "elapsed"
    replaces: str | None = None
    status: PromiseStatus = "running"
    broken: PromiseBroken | None = None


class Promises(msgspec.Struct, frozen=True):
    all: dict[str, Promise] = {}

    @property
    def running(self) -> dict[str, Promise]:
        return {id: promise for id, promise in self.all.items() if promise.status == "running"}

    def instead_of(self, promise_id: str) -> dict[str, Promise]:
        """What was promised when that promise was broken."""
        return {id: promise for id, promise in self.all.items() if promise.replaces == promise_id}

    def evolve(
        self,
        event: PromiseMade | PromiseKept | PromiseBroken | PromiseRenegotiated | PromiseReleased,
    ) -> Self:
        match event:
            case PromiseMade():
                promise = Promise(event.kind, event.text, event.due_at, event.basis, event.replaces)
                return replace(self, all=self.all | {event.promise_id: promise})
            case PromiseKept():
                return self.having(event.promise_id, status="kept")
            case PromiseBroken():
                return self.having(event.promise_id, status="broken", broken=event)
            case PromiseRenegotiated():
                return self.having(event.promise_id, due_at=event.due_at)
            case PromiseReleased():
                return self.having(event.promise_id, status="released")
            case _:
                assert_never(event)

    def having(self, promise_id: str, **changes: object) -> Self:
        return replace(self, all=self.all | {promise_id: replace(self.all[promise_id], **changes)})
