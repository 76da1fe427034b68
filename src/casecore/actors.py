"""Who acts: the name and role that are recorded with every event."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    SERVICE = "service"
    BI = "bi"
    ADMIN = "admin"
    SYSTEM = "system"
    """casecore itself: processes and imports. No key carries it."""

    @property
    def one(self) -> str:
        """Somebody of this role, as sentences say it."""
        return f"{'an' if self[0] in 'aeiou' else 'a'} {self}"


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    role: Role
    on_behalf_of: str | None = None
