"""The goodwill policy in force, and the draft of the next."""

from datetime import datetime
from typing import Self, assert_never
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from msgspec.structs import replace

from casecore.actors import Role
from casecore.goodwill.events import (
    GoodwillPolicyDrafted,
    GoodwillPolicyEvent,
    GoodwillPolicyPublished,
    GoodwillTerms,
    Limit,
)
from casecore.money import Money

GOODWILL_POLICY_ID = uuid5(NAMESPACE_URL, "casecore/goodwill-policy")
"""The stream of the one policy that every ledger has."""

RANKS = (Role.AGENT, Role.SUPERVISOR, Role.ADMIN)
"""Who may offer goodwill; each may at least what those before may."""


class GoodwillPolicy(msgspec.Struct, frozen=True):
    id: UUID
    draft: GoodwillTerms | None = None
    versions: tuple[GoodwillPolicyPublished, ...] = ()

    def at(self, instant: datetime) -> GoodwillPolicyPublished | None:
        """The version in force then: the latest published of those effective by then."""
        effective = [v for v in self.versions if v.effective_from <= instant]
        return effective[-1] if effective else None

    def evolve(self, event: GoodwillPolicyEvent) -> Self:
        match event:
            case GoodwillPolicyDrafted():
                return replace(self, draft=event.terms)
            case GoodwillPolicyPublished():
                return replace(self, draft=None, versions=(*self.versions, event))
            case _:
                assert_never(event)


def roles_allowed(
    terms: GoodwillTerms, percent_bp: int | None, money: Money | None
) -> tuple[Role, ...]:
    """Who may give so much without asking, the lowest first."""
    limits = {limit.role: limit for limit in terms.limits}
    for rank, role in enumerate(RANKS):
        if role in limits and covers(limits[role], percent_bp, money):
            return RANKS[rank:]
    return ()


def covers(limit: Limit, percent_bp: int | None, money: Money | None) -> bool:
    """Of a percentage with a cap, both must lie within the limit."""
    if percent_bp is not None and percent_bp > limit.percent_bp:
        return False
    return money is None or any(
        money.currency == most.currency and money.minor <= most.minor for most in limit.amounts
    )
