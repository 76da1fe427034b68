"""A row a goodwill offer."""

from casecore.money import DECIMALS
from casecore.views import Column, View
from projections.bi.words import (
    CASE_ID,
    CASE_PRODUCT,
    CASE_QUEUE,
    PLACED,
    SALTED,
    agent,
    day,
)

GIVEN = "f.state IN ('accepted', 'paid')"
DIGITS = " ".join(f"WHEN '{currency}' THEN {digits}" for currency, digits in DECIMALS.items())

VIEW = View(
    "goodwill_fact",
    "Every discount and other goodwill that was offered, and what became of it",
    ("case_id", "offer_id"),
    (
        CASE_ID,
        Column("offer_id", "text", "Its number within the case, such as g1"),
        CASE_PRODUCT,
        CASE_QUEUE,
        Column("kind", "text", "discount, refund, compensation, fee_waiver or gift"),
        Column("purpose", "text", "thank_you, redress, distress or retention"),
        Column(
            "state",
            "text",
            "awaiting_approval, offered, accepted, paid, declined, refused, expired, withdrawn or"
            " reversed",
        ),
        Column("is_given", "boolean", "Whether the customer accepted it or was paid", GIVEN),
        Column(
            "amount_minor",
            "bigint",
            "What was offered or paid, in the currency's smallest unit: 12.50 EUR is 1250. Null"
            " for a percentage, until that is paid",
        ),
        Column(
            "given_minor",
            "bigint",
            "The same once it is given; null before, and for a percentage until that is paid",
            f"CASE WHEN {GIVEN} THEN f.amount_minor END",
        ),
        Column("currency", "text", "Its ISO 4217 code: never add up amounts of several"),
        Column(
            "currency_decimals",
            "integer",
            "By how many powers of ten to divide what is in its smallest unit: 2 for EUR, 0 for"
            " JPY",
            f"CASE WHEN f.currency IS NOT NULL THEN CASE f.currency {DIGITS} ELSE 2 END END",
        ),
        Column(
            "percent_bp",
            "integer",
            "The percentage that was offered, in hundredths of a percent: 1000 is 10 %; null for"
            " an amount",
        ),
        Column("cap_minor", "bigint", "The most that percentage may come to, in smallest units"),
        Column("policy_version", "integer", "The version of the goodwill policy it was made under"),
        agent("offered_by_pseudonym", "Who offered it", "f.offered_by"),
        Column("offered_at", "timestamptz", "When it was offered"),
        day("offered_day_utc", "offered_at"),
        Column("expires_at", "timestamptz", "Until when the customer may accept it"),
        Column("required_role", "text", "Who had to approve it; null when nobody had to"),
        agent("approved_by_pseudonym", "Who approved it", "f.approved_by"),
        agent("declined_by_pseudonym", "Who did not approve it", "f.declined_by"),
        Column("answered_at", "timestamptz", "When the customer accepted or refused it"),
        Column("paid_at", "timestamptz", "When it was paid"),
    ),
    f"ops.goodwill f {SALTED} {PLACED}",
    ("goodwill", "cases", "agent_queues"),
)
