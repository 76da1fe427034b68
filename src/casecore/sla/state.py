"""The book: every calendar and SLA policy of the desk, each in all its versions."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple, Self, TypeVar, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.clocks.calendar import Calendar
from casecore.sla.events import SLA_BOOK_ID as SLA_BOOK_ID
from casecore.sla.events import (
    CalendarDrafted,
    CalendarPublished,
    SlaEvent,
    SlaPolicy,
    SlaPolicyDrafted,
    SlaPolicyPublished,
    SlaPolicyRetired,
)

T = TypeVar("T")

NEVER = datetime.max.replace(tzinfo=UTC)
"""The end of what is in force until further notice."""


class Reign(NamedTuple):
    """From when until when a version of a policy is in force; half-open."""

    since: datetime
    until: datetime
    published: SlaPolicyPublished


class SlaBook(msgspec.Struct, frozen=True):
    id: UUID
    calendars: dict[str, tuple[CalendarPublished, ...]] = {}
    policies: dict[str, tuple[SlaPolicyPublished | SlaPolicyRetired, ...]] = {}
    """What was published and retired of each, in that order."""
    calendar_drafts: dict[str, Calendar] = {}
    policy_drafts: dict[str, SlaPolicy] = {}

    def calendar(self, calendar_id: str, version: int | None = None) -> CalendarPublished | None:
        """That version, or the latest."""
        versions = self.calendars.get(calendar_id, ())
        if version is None:
            return versions[-1] if versions else None
        return next((v for v in versions if v.version == version), None)

    def versions(self, policy_id: str) -> tuple[SlaPolicyPublished, ...]:
        course = self.policies.get(policy_id, ())
        return tuple(step for step in course if isinstance(step, SlaPolicyPublished))

    def policy(self, policy_id: str, version: int) -> SlaPolicyPublished | None:
        return next((v for v in self.versions(policy_id) if v.version == version), None)

    def at(self, policy_id: str, instant: datetime) -> SlaPolicyPublished | None:
        """The version in force then: the latest published of those effective by then."""
        for since, until, published in self.reigns(policy_id):
            if since <= instant < until:
                return published
        return None

    def in_force(self, instant: datetime) -> tuple[SlaPolicyPublished, ...]:
        """The policies in force then, those of the highest rank first."""
        found = [v for id in self.policies if (v := self.at(id, instant))]
        return tuple(sorted(found, key=lambda v: -v.policy.rank))

    def reigns(self, policy_id: str) -> Iterator[Reign]:
        """When each version is in force: until another step of a later publication sets in."""
        course = self.policies.get(policy_id, ())
        for n, step in enumerate(course):
            if isinstance(step, SlaPolicyPublished):
                until = min(map(effective_from, course[n + 1 :]), default=NEVER)
                if step.effective_from < until:
                    yield Reign(step.effective_from, until, step)

    def evolve(self, event: SlaEvent) -> Self:
        match event:
            case CalendarDrafted():
                drafts = self.calendar_drafts | {event.calendar_id: event.calendar}
                return replace(self, calendar_drafts=drafts)
            case CalendarPublished():
                versions = (*self.calendars.get(event.calendar_id, ()), event)
                return replace(
                    self,
                    calendars=self.calendars | {event.calendar_id: versions},
                    calendar_drafts=without(self.calendar_drafts, event.calendar_id),
                )
            case SlaPolicyDrafted():
                return replace(
                    self, policy_drafts=self.policy_drafts | {event.policy_id: event.policy}
                )
            case SlaPolicyPublished() | SlaPolicyRetired():
                course = (*self.policies.get(event.policy_id, ()), event)
                return replace(
                    self,
                    policies=self.policies | {event.policy_id: course},
                    policy_drafts=without(self.policy_drafts, event.policy_id),
                )
            case _:
                assert_never(event)


def effective_from(step: SlaPolicyPublished | SlaPolicyRetired) -> datetime:
    return step.effective_from if isinstance(step, SlaPolicyPublished) else step.retired_from


def without(drafts: dict[str, T], id: str) -> dict[str, T]:
    return {known: draft for known, draft in drafts.items() if known != id}
