"""How a request can fail. The door decides what each failure means to its caller."""

from typing import Any


class CaseError(Exception):
    """A failure with a code for programs, a sentence for people, and the field it is about."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, **context: Any
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.context = context


class Malformed(CaseError):
    """The request could not be read as what it should be."""


class Unauthenticated(CaseError):
    """Nobody known is asking."""


class Forbidden(CaseError):
    """Whoever asks may not do this, whatever the state."""


class NotFound(CaseError):
    """There is no such thing in this ledger."""


class Rejected(CaseError):
    """A rule of the domain said no."""


class Conflict(CaseError):
    """Someone else came first; reading again and asking again may help."""


class Stale(CaseError):
    """The caller named a version, and it is not the current one."""


class Unavailable(CaseError):
    """Not now; the same request may be sent again later."""


class Unreadable(CaseError):
    """What was recorded is no longer what this casecore, or any, could have recorded."""
