"""Lists a page at a time: where a page ends, the next one begins, whatever happened between."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from casecore.errors import Malformed

Instant = Annotated[datetime, Meta(tz=True)]
Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

Item = TypeVar("Item")
Place = TypeVar("Place", bound=NamedTuple)


class Page(msgspec.Struct, Generic[Item], frozen=True):
    items: list[Item]
    next: str | None
    """To be given as `after` for what follows; null at the end."""


def page(found: list[Item], limit: int, place: Callable[[Item], NamedTuple]) -> Page[Item]:
    """The first `limit` of what was found, which is one more if there is a next page."""
    items = found[:limit]
    return Page(items, cursor(place(items[-1])) if len(found) > limit else None)


def cursor(place: NamedTuple) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str | None, of: type[Place]) -> Place | None:
    """Where a page begins: at the place in the list's order that its cursor stands for."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = msgspec.json.decode(urlsafe_b64decode(padded.encode("ascii")), type=of)
        return of(*(refuse_unsearchable(value) for value in place))
    except (ValueError, OverflowError, NotBase64, RecursionError):
        raise forged() from None


def forged() -> Malformed:
    return Malformed(
        "schema-violation",
        "after must be the `next` of the page before, from the same list",
        field="after",
    )


def refuse_unsearchable(value: Any) -> Any:
    """Refuse what the database could not even compare; only a forged cursor has such."""
    if isinstance(value, str) and "\0" in value:
        raise ValueError
    return value.astimezone(UTC) if isinstance(value, datetime) else value
