"""What every command is: its body, who may send it, and the rule that answers it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol, Self, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.errors import Forbidden

LEADS = frozenset({Role.SUPERVISOR, Role.ADMIN, Role.SYSTEM})
DESK = LEADS | {Role.AGENT}
FRONT = DESK | {Role.SERVICE}
"""Everyone who works on cases, and the services that bring complaints and messages in."""

TEXT_MAX = 10_000
LIST_MAX = 100

END = r"$(?!\n)"
"""The end of a pattern: by itself, `$` lets a line break pass."""

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=rf"^[A-Za-z0-9_.:/@+-]+{END}",
        description="letters, digits and _ . : / @ + - only",
    ),
]
"""A name from a list kept elsewhere: an agent, a cause, a message's id."""
QueueName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=rf"^\.*[A-Za-z0-9_:@+-][A-Za-z0-9_.:@+-]*{END}",
        description="letters, digits and _ . : @ + - only, and not dots alone",
    ),
]
"""A queue's name is part of its path, so it has no slash, and is not `.` or `..`."""
LocalId = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=12,
        pattern=rf"^[a-z]{{1,2}}[0-9]+{END}",
        description="an id as it was answered, such as p1 or s2",
    ),
]
"""The id of something within its case, as it was answered: p1, s2, e1."""
Instant = Annotated[datetime, Meta(tz=True)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=LIST_MAX)]
LocalIds = Annotated[tuple[LocalId, ...], Meta(max_length=LIST_MAX)]


class State(Protocol):
    """What the rules of an aggregate read."""

    def __init__(self, id: UUID) -> None: ...

    def evolve(self, event: Any) -> Self: ...


S = TypeVar("S", bound=State)


class Both(NamedTuple):
    """What a command decides for two aggregates at once: its own, and the one beside it."""

    here: Sequence[Any]
    there: Sequence[Any]


class Beside(NamedTuple):
    """Another aggregate that a command must see, or write to in the same append."""

    of: type[Any]
    stream_id: UUID


class Ask(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag=True,
    tag_field="type",
):
    """A request, in the imperative: the body of its HTTP call, and the rule that answers it.

    A subclass has `decide(state, by, at)`, or `decide(state, by, at, other)` when `beside`
    names another aggregate, and answers with events, none when what is asked is so already,
    or raises what speaks against it.
    """

    WHO: ClassVar[frozenset[Role]] = DESK
    BEGINS: ClassVar[bool] = False
    """Whether it begins a stream."""
    BACKDATES: ClassVar[bool] = True
    """Whether it may be recorded later than it happened."""

    occurred_at: Instant | None = None
    """When it happened, if that was earlier than now."""

    def permit(self, state: Any, by: Actor) -> None:
        """Refuse whoever may not ask this, whatever the rules would say."""
        if by.role not in self.WHO:
            allowed = ", ".join(sorted(self.WHO - {Role.SYSTEM}))
            raise Forbidden(
                "role-forbidden",
                f"{type(self).__name__} is for {allowed}; this key's role is {by.role}",
            )

    if TYPE_CHECKING:
        decide: ClassVar[Any]  # One signature or the other; each subclass gives its own in full.

    def beside(self, state: Any) -> Beside | None:
        return None
