"""The goodwill policy in force, and the draft of the next."""

from datetime import datetime
from typing import Self, assert_never
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from msgspec.structs import replace

from casecore.goodwill.events import (
    GoodwillPolicyDrafted,
    GoodwillPolicyEvent,
    GoodwillPolicyPublished,
    GoodwillTerms,
)

GOODWILL_POLICY_ID = uuid5(NAMESPACE_URL, "casecore/goodwill-policy")
"""The stream of the one policy that every ledger has."""


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
