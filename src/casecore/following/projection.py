"""What a read model is: which rows an event touches, and what becomes of each."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID
from zlib import crc32

import msgspec

from casecore.recording import Recorded
from casecore.tables import Key, Shape

SLOTS = 1024
"""A shard owns a range of them, and by its slot each row is in one shard."""


class Projection(Protocol):
    """A module that says which rows an event touches, and what becomes of each. It does no I/O."""

    @property
    def NAME(self) -> str: ...
    @property
    def VERSION(self) -> int:
        """To be raised when the rows would come out otherwise: they are made anew then."""

    @property
    def ROW(self) -> type[Any]:
        """A struct whose fields are the columns, the key's first."""

    @property
    def KEY(self) -> tuple[str, ...]: ...
    @property
    def INDEXES(self) -> tuple[str, ...]: ...
    @property
    def READS(self) -> frozenset[type]:
        """The events it is about."""

    @property
    def BY_STREAM(self) -> bool:
        """Whether each row is about one stream alone, so that it can be made from that at once."""

    @property
    def ONCE(self) -> bool:
        """Whether each row is of one event alone, so that none is there before it is written."""

    def keys(self, recorded: Recorded) -> Iterable[Any]:
        """The rows that an event it reads touches, each once."""

    @property
    def fold(self) -> Callable[..., Any]:
        """(key, row, recorded): what becomes of the row; None is no row."""


class Learner(Protocol):
    """Learns a stream in its order. What it says of a position must never change by what it
    learns later: then it may be ahead of those who go by it."""

    def learn(self, event: Any, position: int) -> None: ...


class Reference(NamedTuple):
    stream_id: UUID
    begin: Callable[[], Learner]
    """Makes one that has learned nothing yet."""


@runtime_checkable
class Reckoned(Projection, Protocol):
    """One whose fold goes by another stream, as commands do that name one in `beside`, and whose
    rows are shown as several: its fold gets what was learned of the stream as a fourth argument."""

    @property
    def TABLE(self) -> str:
        """Of the rows that are folded."""

    @property
    def REFERENCE(self) -> Reference:
        """Its events must be among READS, to be learned as they come."""

    @property
    def DETAILS(self) -> Shape:
        """What is shown. These rows are never dropped."""

    def concerns(self, recorded: Recorded, learned: Any) -> bool:
        """Whether the event can change a row, or begin one."""

    def settled(self, before: Any, row: Any, learned: Any) -> tuple[Any, Sequence[Any]]:
        """The row as it is written, and those of its details that are not as they were before.

        Once a row and batch, whatever the events: so it must come from the row alone.
        """


def shapes(projection: Projection) -> list[Shape]:
    """Its tables: that of the rows which are folded, then that of their details, if it has any."""
    reckoned = projection if isinstance(projection, Reckoned) else None
    folded = Shape(
        reckoned.TABLE if reckoned else projection.NAME,
        projection.ROW,
        projection.KEY,
        projection.INDEXES,
        (projection.__doc__ or "").partition("\n")[0],
    )
    return [folded, reckoned.DETAILS] if reckoned else [folded]


def types_read(projection: Projection) -> list[str]:
    return sorted(event.__name__ for event in projection.READS)


def slot_of(key: Key) -> int:
    """That of the first of its columns; of a stream's id, the slot its events are stored with."""
    first = key[0]
    return (first.int if isinstance(first, UUID) else crc32(str(first).encode())) % SLOTS


def told(key: Key) -> str:
    """A key as it is written down, for people and to be found again."""
    return msgspec.json.encode(key).decode()
