"""The goodwill policy: draft its terms, and publish them in versions that never change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import LEADS, Ask, Instant
from casecore.errors import Malformed, Rejected
from casecore.goodwill.events import (
    GoodwillPolicyDrafted,
    GoodwillPolicyEvent,
    GoodwillPolicyPublished,
    GoodwillTerms,
    Limit,
)
from casecore.goodwill.state import RANKS, GoodwillPolicy
from casecore.money import Currency, Money

DEFAULT_TERMS = Path(__file__).with_name("default.toml")
"""The policy of a desk that has not published one of its own."""
AHEAD_MAX = timedelta(days=3650)
"""How long before it takes effect a policy may be published."""


class DraftGoodwillPolicy(Ask, frozen=True, kw_only=True):
    """Write down the terms of the next policy, which nobody is bound by yet."""

    WHO = LEADS

    terms: GoodwillTerms

    def decide(self, state: GoodwillPolicy, by: Actor, at: datetime) -> list[GoodwillPolicyEvent]:
        refuse_unsound(self.terms)
        return [] if self.terms == state.draft else [GoodwillPolicyDrafted(self.terms)]


class PublishGoodwillPolicy(Ask, frozen=True, kw_only=True):
    """Put terms into force, now or from a later time on."""

    WHO = frozenset({Role.ADMIN, Role.SYSTEM})

    terms: GoodwillTerms
    effective_from: Instant | None = None

    def decide(self, state: GoodwillPolicy, by: Actor, at: datetime) -> list[GoodwillPolicyEvent]:
        refuse_unsound(self.terms)
        effective_from = self.effective_from or at
        if not at <= effective_from <= at + AHEAD_MAX:
            raise Rejected(
                "effective-from-invalid",
                "a policy takes effect when it is published or later, and within"
                f" {AHEAD_MAX.days} days: leave effective_from out, or name such a time",
                field="effective_from",
                invariant="I-32",
            )
        effective_from = effective_from.astimezone(UTC)
        before = state.at(effective_from)
        if before is not None and before.terms == self.terms:
            return []
        return [GoodwillPolicyPublished(len(state.versions) + 1, self.terms, effective_from)]


GoodwillPolicyCommand = DraftGoodwillPolicy | PublishGoodwillPolicy


def refuse_unsound(terms: GoodwillTerms) -> None:
    """Refuse terms that contradict themselves, or give a rank less than one below it."""
    roles = [limit.role for limit in terms.limits]
    for role in roles:
        if role not in RANKS:
            raise unsound(f"nobody offers goodwill as {role}: name {', '.join(RANKS)}")
        if roles.count(role) > 1:
            raise unsound(f"there are two limits for {role}: keep one")
    for limit in terms.limits:
        refuse_two_of_one_currency(limit.amounts, "terms.limits")
    refuse_two_of_one_currency(terms.case_amounts, "terms.case_amounts")
    ranked = sorted(terms.limits, key=lambda limit: RANKS.index(limit.role))
    for lower, higher in pairwise(ranked):
        refuse_decrease(lower, higher)


def refuse_two_of_one_currency(amounts: tuple[Money, ...], field: str) -> None:
    currencies = [amount.currency for amount in amounts]
    for currency in currencies:
        if currencies.count(currency) > 1:
            raise unsound(f"there are two amounts in {currency}: keep one", field)


def refuse_decrease(lower: Limit, higher: Limit) -> None:
    most = {amount.currency: amount.minor for amount in higher.amounts}
    if higher.percent_bp < lower.percent_bp:
        raise unsound(f"{higher.role} may offer a smaller percentage than {lower.role}: raise it")
    for amount in lower.amounts:
        if most.get(amount.currency, 0) < amount.minor:
            raise unsound(
                f"{higher.role} may offer less than {lower.role} in {amount.currency}: raise it"
            )


def unsound(message: str, field: str = "terms.limits") -> Rejected:
    return Rejected("policy-unsound", message, field=field)


Amounts = Annotated[dict[Currency, Annotated[int, Meta(ge=0, le=10**15)]], Meta(max_length=50)]


class LimitInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    percent_bp: Annotated[int, Meta(ge=0, le=10_000)]
    amounts: Amounts = {}


class LimitsInFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    agent: LimitInFile | None = None
    supervisor: LimitInFile | None = None
    admin: LimitInFile | None = None


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as people write it, in TOML: by role, and amounts by currency."""

    limits: LimitsInFile
    case_amounts: Amounts = {}
    offer_valid_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    effective_from: Instant | None = None


def read_terms(toml_text: str) -> PublishGoodwillPolicy:
    """The command that publishes the policy which such a file states."""
    try:
        file = msgspec.toml.decode(toml_text, type=PolicyFile)
    except msgspec.DecodeError as error:
        message, _, path = str(error).partition(" - at `$.")
        raise Malformed(
            "policy-unreadable",
            f"the policy cannot be read: {message}" + (f", at {path[:-1]}" if path else ""),
            field=path[:-1] or None,
        ) from error
    limits = (file.limits.agent, file.limits.supervisor, file.limits.admin)
    terms = GoodwillTerms(
        limits=tuple(
            Limit(role, limit.percent_bp, monies(limit.amounts))
            for role, limit in zip(RANKS, limits, strict=True)
            if limit is not None
        ),
        case_amounts=monies(file.case_amounts),
        offer_valid_days=file.offer_valid_days,
    )
    if not terms.limits:
        raise Malformed(
            "policy-unreadable",
            "the policy names no limits: write limits.agent, .supervisor or .admin",
            field="limits",
        )
    refuse_unsound(terms)
    return PublishGoodwillPolicy(terms=terms, effective_from=file.effective_from)


def monies(amounts: dict[str, int]) -> tuple[Money, ...]:
    return tuple(Money(minor, currency) for currency, minor in sorted(amounts.items()))
