"""Asks an aggregate to decide, and records what it decides. The only writer of the ledger."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import random
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import uuid_utils
import uuid_utils.compat as uuids

from casecore.actors import Actor, Role
from casecore.appender import Appender
from casecore.asking import Ask, Both, S
from casecore.database import quick
from casecore.errors import CaseError, Conflict, Rejected, Stale
from casecore.integrity import first_head
from casecore.ledger import Appended, Request, Write
from casecore.recorder import Recorder
from casecore.recording import AnyEvent, Logged, Meta, Recorded, encode, event_of, seal
from casecore.turns import Turns

ATTEMPTS_MAX = 10
CONFLICT_SECONDS = 0.001
"""How long to stand back at most after a first conflict; twice as long after each further one."""
REMEMBERED_MAX = 10_000
CLOCK_SKEW = timedelta(minutes=1)
BACKDATING = {
    Role.AGENT: timedelta(hours=4),
    Role.SERVICE: timedelta(hours=4),
    Role.SUPERVISOR: timedelta(hours=72),
}
"""How long ago something may have happened that is only recorded now (R20)."""
BACKDATING_MAX = timedelta(days=100 * 365)
"""The same for everyone else, who bring in old records."""

KEYS = uuid_utils.UUID("5f0c0c4e-6c7e-5d0b-9c55-3a4f6d1f2f10")


class Key(NamedTuple):
    """What makes a request the same request when it is sent again."""

    command_id: UUID
    fingerprint: bytes

    @classmethod
    def of(cls, by: Actor, name: str, stream_id: UUID | None, commands: Sequence[Any]) -> "Key":
        """The key that `by` gave as `name` to these commands. Names of others never collide."""
        body = msgspec.json.encode([stream_id, commands])
        id = uuid_utils.uuid5(KEYS, f"{by.role}/{by.id}/{name}")
        return cls(quick(id.bytes), sha256(body).digest())

    @classmethod
    def under(cls, command_id: UUID, command: Ask) -> "Key":
        """The key of a command whose id follows from what it is about."""
        return cls(command_id, sha256(encode(command)).digest())


class Written(NamedTuple):
    """How far the stream has come once the commands hold, whether or not that changed it."""

    version: int
    position: int
    events: Sequence[AnyEvent]
    replayed: bool


class Seen(NamedTuple):
    """A stream as it was last seen here."""

    state: Any
    version: int
    head: bytes
    position: int


class Draft:
    """What is decided about one stream, until it is appended."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.state = seen.state
        self.events: list[tuple[datetime, Logged | None, AnyEvent]] = []

    def add(self, at: datetime, events: Sequence[AnyEvent], logged: Logged | None = None) -> None:
        """What the command was in a log holds of the first event; the others follow from it."""
        for event in events:
            self.state = self.state.evolve(event)
            self.events.append((at, logged, event))
            logged = None


class Why(NamedTuple):
    """Under whose command, and because of what, events come about."""

    command_id: UUID
    by: Actor
    causation_id: UUID | None
    correlation_id: UUID | None


class Core:
    """The rules over one ledger."""

    def __init__(
        self,
        recorder: Recorder,
        appender: Appender,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.recorder = recorder
        self.appender = appender
        self.now = now
        self.remembered_max = REMEMBERED_MAX
        """How many streams to keep at hand."""
        self.written: dict[str, int] = {}
        """The position of the last event that each actor has had recorded here, by their id."""
        self._known: OrderedDict[UUID, Seen] = OrderedDict()
        self._turns = Turns()

    async def execute(
        self,
        of: type[S],
        stream_id: UUID,
        *commands: Ask,
        by: Actor,
        key: Key | None = None,
        expected: int | None = None,
        causation_id: UUID | None = None,
        correlation_id: UUID | None = None,
        logged: Sequence[Logged | None] = (),
    ) -> Written:
        """Decide the commands in order and append what they decide, all or nothing.

        Decides on what this process remembers of the stream, and looks again before it refuses
        or finds nothing to do. A `key` that was carried out before gets its first answer. `logged`
        has, for each command that comes from a log, what it was there.
        """
        stream_id = quick(stream_id.bytes)
        why = Why(key.command_id if key else uuids.uuid7(), by, causation_id, correlation_id)
        fingerprint = key.fingerprint if key else sha256(why.command_id.bytes).digest()
        if not self._turns.take(stream_id):
            await self._turns.wait(stream_id)
        try:
            for attempt in range(ATTEMPTS_MAX):
                fresh = attempt > 0
                try:
                    drafts = await self._decide(
                        of, stream_id, commands, by, expected, fresh, logged
                    )
                except CaseError:
                    if not fresh:
                        continue
                    if key and (first := await self.recorder.first_answer(*key)):
                        return await self._replay(first, stream_id)
                    raise
                draft = drafts[stream_id]
                if not draft.events and not fresh:
                    continue
                if not draft.events and not key:
                    return Written(draft.seen.version, draft.seen.position, (), replayed=False)
                writes = [self._seal(id, draft, why) for id, draft in drafts.items()]
                try:
                    appended = await self.appender.append(
                        Request(why.command_id, fingerprint, writes)
                    )
                except Conflict:
                    self.forget(*drafts)
                    await asyncio.sleep(CONFLICT_SECONDS * random() * 2**attempt)
                    continue
                if appended.duplicate:
                    self.forget(*drafts)
                    return await self._replay(appended, stream_id)
                for write, written in zip(writes, drafts.values(), strict=True):
                    self._remember(write, written, appended.position)
                self.written[by.id] = appended.position
                events = [event for *_, event in draft.events]
                return Written(appended.version, appended.position, events, replayed=False)
        finally:
            self._turns.pass_on(stream_id)
        raise Conflict("version-conflict", "others keep changing this; read it and ask again")

    async def see(
        self, of: type[S], stream_id: UUID, *, fresh: bool = True, new: bool = False
    ) -> Seen:
        """The stream as it stands; not `fresh`, as it is remembered, and `new`, as none yet."""
        seen = self._known.get(stream_id)
        if seen is not None:
            self._known.move_to_end(stream_id)
        else:
            seen = Seen(of(stream_id), 0, first_head(self.recorder.ledger, stream_id), 0)
        if not fresh and (new or seen.version):
            return seen
        state = seen.state
        rows = await self.recorder.history(stream_id, after=seen.version)
        if rows:
            for row in rows:
                state = state.evolve(event_of(row))
            seen = Seen(state, rows[-1].version, rows[-1].head, rows[-1].position)
            self._keep(stream_id, seen)
        return seen

    def learn(self, news: Sequence[Recorded]) -> None:
        """Forget what others have moved on."""
        for recorded in news:
            seen = self._known.get(recorded.stream_id)
            if seen is not None and seen.version < recorded.version:
                self.forget(recorded.stream_id)

    def forget(self, *stream_ids: UUID) -> None:
        for stream_id in stream_ids:
            self._known.pop(stream_id, None)

    async def _decide(
        self,
        of: type[S],
        stream_id: UUID,
        commands: Sequence[Ask],
        by: Actor,
        expected: int | None,
        fresh: bool,
        logged: Sequence[Logged | None],
    ) -> dict[UUID, Draft]:
        seen = await self.see(of, stream_id, fresh=fresh, new=commands[0].BEGINS)
        if expected is not None and expected != seen.version:
            raise Stale(
                "precondition-failed",
                f"this is at version {seen.version}, not {expected}: read it and decide anew",
                current_version=seen.version,
            )
        draft = Draft(seen)
        drafts = {stream_id: draft}
        now = self.now()
        for index, command in enumerate(commands):
            try:
                at = happened_at(command, by, now)
                command.permit(draft.state, by)
                beside = command.beside(draft.state)
                if beside is None:
                    was = logged[index] if logged else None
                    draft.add(at, command.decide(draft.state, by, at), was)
                    continue
                other = drafts.get(beside.stream_id) or Draft(
                    await self.see(beside.of, beside.stream_id, fresh=fresh)
                )
                decided = command.decide(draft.state, by, at, other.state)
                if isinstance(decided, Both):
                    draft.add(at, decided.here)
                    other.add(at, decided.there)
                    drafts[beside.stream_id] = other
                else:
                    draft.add(at, decided)
            except CaseError as error:
                if len(commands) > 1:
                    error.context.setdefault("command_index", index)
                raise
        return drafts

    def _seal(self, stream_id: UUID, draft: Draft, why: Why) -> Write:
        ledger, head, sealed = self.recorder.ledger, draft.seen.head, []
        of: tuple[datetime, Logged | None] | None = None
        meta = b""
        for version, (at, logged, event) in enumerate(draft.events, draft.seen.version + 1):
            if of != (at, logged):
                of = at, logged
                meta = encode(Meta(at, why.by, why.correlation_id, why.causation_id, logged))
            sealed.append(seal(ledger, stream_id, version, head, why.command_id, meta, event))
            head = sealed[-1].head
        return Write(stream_id, draft.seen.version, draft.seen.head, sealed)

    def _remember(self, write: Write, draft: Draft, position: int) -> None:
        if write.events:
            version = write.expected + len(write.events)
            seen = Seen(draft.state, version, write.events[-1].head, position)
            self._keep(write.stream_id, seen)

    def _keep(self, stream_id: UUID, seen: Seen) -> None:
        self._known[stream_id] = seen
        self._known.move_to_end(stream_id)
        while len(self._known) > self.remembered_max:
            self._known.popitem(last=False)

    async def _replay(self, first: Appended, stream_id: UUID) -> Written:
        rows = await self.recorder.read(first.position - first.written, limit=first.written)
        events = [event_of(row) for row in rows if row.stream_id == stream_id]
        return Written(first.version, first.position, events, replayed=True)


def happened_at(command: Ask, by: Actor, now: datetime) -> datetime:
    """When what the command is about took place: now, or as far back as the role may say."""
    if command.occurred_at is None:
        return now
    if not command.BACKDATES and by.role is not Role.SYSTEM:
        raise Rejected(
            "occurred-at-refused",
            f"{type(command).__name__} holds from when it is recorded, as what is allowed, and what"
            " is still valid, is judged by then: leave occurred_at out",
            field="occurred_at",
        )
    if command.occurred_at > now + CLOCK_SKEW:
        raise Rejected(
            "occurred-in-future",
            f"occurred_at is later than {now:%Y-%m-%d %H:%M:%S} UTC, which it is now",
            field="occurred_at",
        )
    reach = BACKDATING.get(by.role, BACKDATING_MAX)
    if command.occurred_at < now - reach:
        raise Rejected("backdating-limit", out_of_reach(by.role, reach), field="occurred_at")
    return command.occurred_at.astimezone(UTC)


def out_of_reach(role: Role, reach: timedelta) -> str:
    """What to do about something that happened too long ago for the role."""
    if role not in BACKDATING:
        return f"occurred_at is more than {reach.days // 365} years ago: check the year"
    further = Role.ADMIN if role is Role.SUPERVISOR else Role.SUPERVISOR
    return (
        f"{role.one} may record what happened up to {reach // timedelta(hours=1)} hours ago: ask"
        f" {further.one}, or leave occurred_at out and say in the text when it was"
    )
