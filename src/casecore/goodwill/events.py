"""What can happen to the goodwill policy: drafted, and published in immutable versions."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from casecore.actors import Role
from casecore.facts import Event
from casecore.money import Money

Amounts = Annotated[tuple[Money, ...], Meta(max_length=50)]
"""One per currency."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a role may offer alone: nothing in a currency that `amounts` does not name.

    It holds for all that stands on the case with the new offer, whoever offered or approved the
    rest: the percentages together, and the amounts of the new offer's currency together. So a
    large offer in slices needs the same approval as at once.
    """

    role: Role
    percent_bp: Annotated[int, Meta(ge=0, le=10_000)]
    amounts: Amounts = ()


class GoodwillTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of one version of the policy."""

    limits: Annotated[tuple[Limit, ...], Meta(min_length=1, max_length=10)]
    case_amounts: Amounts = ()
    """The most one case may be given in all, per currency, whoever offers."""
    offer_valid_days: Annotated[int, Meta(ge=1, le=3650)] = 30


class GoodwillPolicyDrafted(Event, frozen=True):
    terms: GoodwillTerms

    def told(self) -> str:
        return "drafted a goodwill policy"


class GoodwillPolicyPublished(Event, frozen=True):
    version: int
    terms: GoodwillTerms
    effective_from: datetime

    def told(self) -> str:
        return f"published version {self.version} of the goodwill policy"


GoodwillPolicyEvent = GoodwillPolicyDrafted | GoodwillPolicyPublished
