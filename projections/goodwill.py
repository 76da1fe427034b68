"""Discounts and other goodwill: what was offered, who allowed it, and what was paid."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.actors import Role
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillApprovalRequested,
    GoodwillApproved,
    GoodwillDeclined,
    GoodwillEvent,
    GoodwillExpired,
    GoodwillKind,
    GoodwillOffered,
    GoodwillPaid,
    GoodwillRefused,
    GoodwillReversed,
    GoodwillWithdrawn,
    Purpose,
)
from casecore.database import Pool
from casecore.money import Money
from casecore.recording import Recorded
from casecore.tables import columns, row_of
from projections.paging import Instant, Page, page, place_of

OfferState = Literal[
    "awaiting_approval",
    "offered",
    "accepted",
    "paid",
    "declined",
    "refused",
    "expired",
    "withdrawn",
    "reversed",
]


class Offer(msgspec.Struct, frozen=True):
    case_id: UUID
    offer_id: str
    """Its number within the case: g1, g2."""
    kind: GoodwillKind | Literal["discount"]
    purpose: Purpose
    state: OfferState
    policy_version: int
    """Of the goodwill policy it was offered under."""
    offered_by: str
    offered_at: datetime
    expires_at: datetime
    amount_minor: int | None = None
    """In the currency's smallest unit; null for a percentage."""
    currency: str | None = None
    percent_bp: int | None = None
    """Hundredths of a percent."""
    cap_minor: int | None = None
    """The most that a percentage may come to."""
    required_role: Role | None = None
    """Who has to approve it, where that was asked for."""
    approved_by: str | None = None
    declined_by: str | None = None
    answered_at: datetime | None = None
    """When the customer accepted or refused it."""
    paid_at: datetime | None = None
    payment_ref: str | None = None
    updated_at: datetime | None = None


NAME = "goodwill"
VERSION = 1
ROW = Offer
KEY: tuple[str, ...] = ("case_id", "offer_id")
BY_STREAM = True
ONCE = False
READS: frozenset[type] = frozenset(get_args(GoodwillEvent))
INDEXES: tuple[str, ...] = (
    "(ledger, offered_at DESC, case_id DESC, offer_id DESC)",
    "(ledger, state, offered_at DESC, case_id DESC, offer_id DESC)",
)

Key = tuple[UUID, str]


def keys(recorded: Recorded) -> Iterable[Key]:
    assert isinstance(recorded.event, GoodwillEvent)
    return [(recorded.stream_id, recorded.event.offer_id)]


def fold(key: Key, row: Offer | None, recorded: Recorded) -> Offer:
    event, by, at = recorded.event, recorded.actor.id, recorded.recorded_at
    if isinstance(event, DiscountOffered | GoodwillOffered):
        return offered(key, event, recorded)
    assert row is not None
    match event:
        case GoodwillApprovalRequested():
            return replace(
                row,
                state="awaiting_approval",
                required_role=event.required_role,
                updated_at=at,
            )
        case GoodwillApproved():
            return replace(row, state="offered", approved_by=by, updated_at=at)
        case GoodwillDeclined():
            return replace(row, state="declined", declined_by=by, updated_at=at)
        case GoodwillAccepted():
            answered_at = recorded.occurred_at
            return replace(row, state="accepted", answered_at=answered_at, updated_at=at)
        case GoodwillRefused():
            answered_at = recorded.occurred_at
            return replace(row, state="refused", answered_at=answered_at, updated_at=at)
        case GoodwillPaid():
            return replace(
                row,
                state="paid",
                amount_minor=event.amount.minor,
                currency=event.amount.currency,
                paid_at=event.paid_at,
                payment_ref=event.payment_ref,
                updated_at=at,
            )
        case GoodwillExpired():
            return replace(row, state="expired", updated_at=at)
        case GoodwillWithdrawn():
            return replace(row, state="withdrawn", updated_at=at)
        case GoodwillReversed():
            return replace(row, state="reversed", updated_at=at)
    return row


def offered(key: Key, event: DiscountOffered | GoodwillOffered, recorded: Recorded) -> Offer:
    percent_bp: int | None = None
    cap: Money | None = None
    kind: GoodwillKind | Literal["discount"] = "discount"
    if isinstance(event, DiscountOffered):
        percent_bp, cap = event.percent_bp, event.cap
    else:
        kind = event.kind
    worth = event.amount or cap
    return Offer(
        *key,
        kind=kind,
        purpose=event.purpose,
        state="offered",
        policy_version=event.policy_version,
        offered_by=recorded.actor.id,
        offered_at=recorded.occurred_at,
        expires_at=event.expires_at,
        amount_minor=event.amount.minor if event.amount else None,
        currency=worth.currency if worth else None,
        percent_bp=percent_bp,
        cap_minor=cap.minor if cap else None,
        updated_at=recorded.recorded_at,
    )


class Place(NamedTuple):
    offered_at: Instant
    case_id: UUID
    offer_id: str


async def listed(
    pool: Pool,
    ledger: int,
    *,
    case_id: UUID | None = None,
    state: OfferState | None = None,
    offered_by: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Offer]:
    """The newest first; in state `awaiting_approval`, what somebody has to decide."""
    rows = await pool.fetch(
        f"""
        SELECT {columns(ROW)} FROM ops.goodwill
        WHERE ledger = $1
          AND ($2::uuid IS NULL OR case_id = $2)
          AND ($3::text IS NULL OR state = $3)
          AND ($4::text IS NULL OR offered_by = $4)
          AND ($5::timestamptz IS NULL OR (offered_at, case_id, offer_id) < ($5, $6, $7))
        ORDER BY offered_at DESC, case_id DESC, offer_id DESC LIMIT $8
        """,
        ledger,
        case_id,
        state,
        offered_by,
        *(place_of(after, Place) or (None, None, None)),
        limit + 1,
    )
    offers = [row_of(ROW, row) for row in rows]
    return page(offers, limit, lambda o: Place(o.offered_at, o.case_id, o.offer_id))
