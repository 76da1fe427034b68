"""What an import asks of the core for one case, or why it cannot."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, TypeAlias
from uuid import UUID, uuid5

import msgspec

from casecore.asking import Ask
from casecore.case.decisions.intake import RegisterCase
from casecore.core import Key
from casecore.recording import Logged


class Plan(NamedTuple):
    where: str
    case: str
    """The case's name in the file."""
    case_id: UUID
    commands: Sequence[Ask]
    key: Key
    places: Sequence[str] = ()
    """Where each command stems from, when that is not all in one place."""
    logged: Sequence[Logged | None] = ()
    """What each command was in a log."""


class Bad(NamedTuple):
    """Something in the file that does not come in: where it stands, and what to do about it."""

    where: str
    why: str
    column: str | None = None
    case: str | None = None
    fatal: bool = False
    """Whether nothing after it can be read."""


class Share(NamedTuple):
    """Which of the cases of a file one process takes on, of so many."""

    nth: int = 0
    of: int = 1

    def has(self, number: int) -> bool:
        return number % self.of == self.nth


ALL = Share()

Plans: TypeAlias = Iterator[Plan | Bad]


class Unreadable(Exception):
    """A value that is not what its column should hold."""

    def __init__(self, column: str | None, why: str) -> None:
        super().__init__(why)
        self.column = column
        self.why = why


def planned(
    where: str,
    register: RegisterCase,
    *commands: Ask,
    once: bool = False,
    places: Sequence[str] = (),
    logged: Sequence[Logged | None] = (),
) -> Plan:
    """The case, under the id that its intake always leads to.

    The key is made of the content, so that what came in before is not asked for again, and what
    has changed since is; `once` refuses that instead, for facts that would be told twice.
    """
    case_id = register.intake_id
    assert case_id is not None
    assert register.intake_ref is not None
    asks = (register, *commands)
    fingerprint = sha256(msgspec.json.encode((case_id, asks))).digest()
    command_id = uuid5(case_id, "import") if once else UUID(bytes=fingerprint[:16], version=5)
    return Plan(
        where,
        register.intake_ref,
        case_id,
        asks,
        Key(command_id, fingerprint),
        (where, *places),
        (None, *logged) if logged else (),
    )
