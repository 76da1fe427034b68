"""What can happen to the goodwill policy: drafted, and published in immutable versions."""

from datetime import datetime

import msgspec

from casecore.actors import Role
from casecore.facts import Event
from casecore.money import Money


class Limit(msgspec.Struct, frozen=True):
    """What a role may offer alone: nothing in a currency that `amounts` does not name."""

    role: Role
    percent_bp: int
    amounts: tuple[Money, ...] = ()


class GoodwillTerms(msgspec.Struct, frozen=True):
    """The content of one version of the policy."""

    limits: tuple[Limit, ...]
    case_amounts: tuple[Money, ...] = ()
    """The most one case may be given in all, per currency, whoever offers."""
    offer_valid_days: int = 30


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
