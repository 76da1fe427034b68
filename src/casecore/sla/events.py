"""What can happen to the book of calendars and policies: drafted, published, retired."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Meta

from casecore.asking import Code
from casecore.case.events.contact import WaitingFor
from casecore.case.events.intake import Channel, Priority
from casecore.clocks.calendar import Calendar
from casecore.clocks.targets import AnyTarget
from casecore.facts import Event

SLA_BOOK_ID = uuid5(NAMESPACE_URL, "casecore/sla-book")
"""The stream of the one book that every ledger has."""

TARGETS_MAX = 50
TRIGGERS_MAX = 20
MATCH_MAX = 200
WARNINGS_MAX = 10
SECONDS_MAX = 100 * 365 * 86_400
CALL_SECONDS_MAX = 31 * 86_400

TargetKind = Literal[
    "acknowledgement",
    "first_response",
    "next_response",
    "progress_update",
    "resolution",
    "promise",
    "callback",
    "follow_up",
    "approval",
    "regulatory",
]
Reopen = Literal["resume", "new_cycle", "none"]
"""What becomes of a clock when its case is reopened (R13)."""
Recurs = Literal["never", "on_event", "at_once"]
"""Whether a clock begins again: with the next event that starts it, or as soon as it is met."""
Scalar = str | int | bool


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Events of a case that do something to a clock."""

    event: Annotated[str, Meta(min_length=1, max_length=100)]
    where: dict[str, tuple[Scalar, ...]] = {}
    """Only with one of these values in the event's field."""
    at: str | None = None
    """The field that says when, if not when the event occurred; without a value, nothing does."""
    by_people: bool = False
    """Only if a person did it: not a service by itself, which is how automatic replies come."""


Triggers = Annotated[tuple[Trigger, ...], Meta(max_length=TRIGGERS_MAX)]


class Warn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When to warn: at a percentage of the time used, or with so many seconds left (R17)."""

    percent: Annotated[int, Meta(ge=1, le=99)] | None = None
    seconds_left: Annotated[int, Meta(ge=1, le=SECONDS_MAX)] | None = None

    @property
    def threshold(self) -> str:
        return f"{self.seconds_left}s" if self.percent is None else f"{self.percent}%"


class TargetRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A clock of a policy: how much time there is, and what starts, stops and pauses it."""

    name: Code
    kind: TargetKind
    target: AnyTarget | None = None
    by_priority: dict[Priority, AnyTarget] = {}
    """For cases of a priority, instead of `target`."""
    due_from: str | None = None
    """The field of the starting event that says when it is due; with a value, no target counts."""
    subject: str | None = None
    """The field that tells clocks of one case apart, such as promise_id."""
    starts: Annotated[Triggers, Meta(min_length=1)]
    satisfied_by: Annotated[Triggers, Meta(min_length=1)]
    cancelled_by: Triggers = ()
    moved_by: Triggers = ()
    """What sets a new due date: these events have the `due_from` field, too."""
    paused_by: Annotated[tuple[WaitingFor, ...], Meta(max_length=10)] = ()
    """Waiting for whom stops it; for nobody, it is not pausable (R8)."""
    warnings: Annotated[tuple[Warn, ...], Meta(max_length=WARNINGS_MAX)] = ()
    recurs: Recurs = "never"
    reopen: Reopen = "none"
    after: Annotated[tuple[Code, ...], Meta(max_length=TARGETS_MAX)] = ()
    """It does not run before these clocks have been answered, where the case has them."""
    open_only: bool = True
    """It only starts while the case is neither resolved nor closed."""
    min_remaining_seconds: Annotated[int, Meta(ge=0, le=SECONDS_MAX)] = 0
    """What is left at least when a change of the target would have it overdue already (R11)."""
    regime: Code | None = None

    @property
    def pausable(self) -> bool:
        return bool(self.paused_by)


Values = Annotated[tuple[str, ...], Meta(max_length=MATCH_MAX)]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The cases a policy is for: those with one of the values in each field that names any."""

    products: Values = ()
    channels: Annotated[tuple[Channel, ...], Meta(max_length=MATCH_MAX)] = ()
    priorities: Annotated[tuple[Priority, ...], Meta(max_length=MATCH_MAX)] = ()
    tiers: Values = ()
    jurisdictions: Values = ()
    """A case may lie in several: one of them is enough."""
    queues: Values = ()


class ReturnCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When to call the customer back after a resolution, in open time since then (SP-56)."""

    after_seconds: Annotated[int, Meta(ge=0, le=CALL_SECONDS_MAX)]
    within_seconds: Annotated[int, Meta(ge=1, le=CALL_SECONDS_MAX)]


class SlaPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Clocks for certain cases. All policies that match give a case theirs; of two clocks of one
    name, the one from the policy of the higher rank counts."""

    rank: Annotated[int, Meta(ge=0, le=1_000_000)]
    calendar_id: Code
    targets: Annotated[tuple[TargetRule, ...], Meta(min_length=1, max_length=TARGETS_MAX)]
    match: Match = Match()
    return_call: ReturnCall | None = None
    """Without one, that of the policy of the next lower rank counts."""

    def rule(self, name: str) -> TargetRule | None:
        return next((rule for rule in self.targets if rule.name == name), None)


class Pin(msgspec.Struct, frozen=True):
    """The versions a clock runs by (R9)."""

    policy_id: str
    policy_version: int
    calendar_id: str
    calendar_version: int

    def __str__(self) -> str:
        return (
            f"policy {self.policy_id} v{self.policy_version} and calendar {self.calendar_id}"
            f" v{self.calendar_version}"
        )


class CalendarDrafted(Event, frozen=True):
    calendar_id: str
    calendar: Calendar

    def told(self) -> str:
        return f"drafted calendar {self.calendar_id}"


class CalendarPublished(Event, frozen=True):
    calendar_id: str
    version: int
    calendar: Calendar

    def told(self) -> str:
        return f"published version {self.version} of calendar {self.calendar_id}"


class SlaPolicyDrafted(Event, frozen=True):
    policy_id: str
    policy: SlaPolicy

    def told(self) -> str:
        return f"drafted SLA policy {self.policy_id}"


class SlaPolicyPublished(Event, frozen=True):
    policy_id: str
    version: int
    policy: SlaPolicy
    effective_from: datetime

    def told(self) -> str:
        since = f"{self.effective_from:%Y-%m-%d %H:%M} UTC"
        return f"published version {self.version} of SLA policy {self.policy_id}, from {since} on"


class SlaPolicyRetired(Event, frozen=True):
    policy_id: str
    retired_from: datetime
    reason: str

    def told(self) -> str:
        return f"retired SLA policy {self.policy_id}: {self.reason}"


SlaEvent = (
    CalendarDrafted | CalendarPublished | SlaPolicyDrafted | SlaPolicyPublished | SlaPolicyRetired
)
