"""Who may read which case: the rules for reading, as `Ask.permit` has those for writing.

Auditors, supervisors and admins read everything; agents what they own or made themselves, and what
nobody owns; services the cases they registered; BI only lists that name no person.
"""

from uuid import UUID

from api.given import Caller
from casecore.actors import Role
from casecore.errors import Forbidden
from projections.case_file import Filed


async def readable(caller: Caller, case_id: UUID) -> Filed:
    """The case's file as it stands, unless it is not for this caller."""
    filed = await caller.desk.files.get(case_id)
    actor = caller.actor
    if actor.role is Role.AGENT and filed.owner not in (None, actor.id):
        raise Forbidden("not-owner", f"the case is with {filed.owner}: ask them, or a supervisor")
    if actor.role is Role.SERVICE and filed.registered_by != actor.id:
        raise Forbidden("own-scope", "a service reads the cases that it registered, and no others")
    return filed


async def of_case_or_own(caller: Caller, case_id: UUID | None, by: str | None) -> str | None:
    """For a list about cases: of one that may be read, or else whose doings to list."""
    if case_id is None:
        return own(caller, by)
    await readable(caller, case_id)
    return by


def own(caller: Caller, whose: str | None) -> str | None:
    """Whose doings a list is about: agents see their own, and others whose they will."""
    if caller.actor.role is not Role.AGENT:
        return whose
    if whose not in (None, caller.actor.id):
        raise Forbidden(
            "not-owner", f"an agent sees what is their own: leave out {whose}, or ask a supervisor"
        )
    return caller.actor.id
