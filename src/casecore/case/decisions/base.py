"""What the commands of every chapter have in common."""

from collections.abc import Collection, Mapping, Sized
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, TypeVar
from zoneinfo import available_timezones

from msgspec import Meta

from casecore.actors import Actor, Role
from casecore.asking import Ask
from casecore.case.events.contact import WaitingEnd, WaitingEnded, WaitingStarted
from casecore.case.state import Case
from casecore.case.state.outcome import ENDED, OPEN, Stage
from casecore.errors import Forbidden, NotFound, Rejected

UNCLOSED: frozenset[Stage] = OPEN | {"resolved"}
"""The stages in which the customer may still be waiting for something."""
LASTING: frozenset[Stage] = UNCLOSED | {"closed"}
"""The stages in which what happens can still be recorded: all but those that ended (I-05)."""

AHEAD_MAX = timedelta(days=3650)
"""How far ahead anything may be due."""
ZONES = frozenset(available_timezones())

Heat = Annotated[int, Meta(ge=0, le=4)]

T = TypeVar("T")


class CaseAsk(Ask, frozen=True, kw_only=True):
    """A request about a case that is there already."""

    OWN: ClassVar[bool] = True
    """Whether an agent must own the case; else they may act while it lies in a queue, too."""

    def permit(self, state: Case, by: Actor) -> None:
        super().permit(state, by)
        if state.stage == "unknown":
            raise NotFound(
                "case-not-found", "there is no such case here: check the id, or register it first"
            )
        if by.role is Role.AGENT:
            self.permit_agent(state, by)
        self.refuse_before_receipt(state)

    def permit_agent(self, state: Case, by: Actor) -> None:
        owner = state.ownership.owner
        if owner is not None and owner != by.id:
            raise Forbidden(
                "not-owner",
                f"the case is with {owner}: leave it to them, or ask for it to be transferred",
                owner=owner,
            )
        if owner is None and self.OWN:
            raise Forbidden("not-owner", "nobody owns the case yet: claim it first")

    def refuse_before_receipt(self, state: Case) -> None:
        received_at = state.intake.received_at
        if self.occurred_at and received_at and self.occurred_at < received_at:
            raise Rejected(
                "before-receipt",
                f"the complaint was received on {minute(received_at)}, and nothing happened to it"
                " before: check occurred_at, or leave it out",
                field="occurred_at",
            )


def refuse_unless(state: Case, stages: frozenset[Stage], command: Ask) -> None:
    """Refuse what is not done in the stage that the case has come to."""
    if state.stage in stages:
        return
    name = type(command).__name__
    allowed = sorted(stages)
    if state.stage in ENDED:
        remedy = "it has ended for good: register a new complaint that relates to it"
    elif state.stage in ("resolved", "closed"):
        remedy = "reopen it first"
    else:
        remedy = f"bring it to one of these stages first: {', '.join(allowed)}"
    raise Rejected(
        "invalid-transition",
        f"{name} does not go with a case that is {told(state.stage)}; {remedy}",
        from_stage=state.stage,
        command=name,
        allowed=allowed,
    )


def refuse_unanswerable(state: Case) -> None:
    """Refuse to answer a complaint that nobody assessed and nobody stands for (I-04).

    Triage comes first, save at first contact, where the owner may settle the matter at once.
    That it is still the same conversation cannot be told from the record, as not every call is
    logged as one; that somebody is accountable can, and is what is asked for.
    """
    if state.triage.assessment is None and state.ownership.owner is None:
        raise Rejected(
            "triage-required",
            "nobody has assessed the case or owns it: triage it, or assign it to who answers it",
            invariant="I-04",
        )


def found(things: Mapping[str, T], id: str, field: str) -> T:
    """What the case has under the id that the command's `field` gives."""
    refuse_unknown(things, id, field)
    return things[id]


def refuse_unknown(things: Collection[str], id: str | None, field: str) -> None:
    """Refuse a mention of what the case does not have."""
    if id is None or id in things:
        return
    noun = field.removesuffix("s").removesuffix("_id").split("_")[-1]
    there = f"it has {', '.join(things)}" if things else "it has none"
    raise NotFound(f"{noun}-not-found", f"the case has no {noun} {id}: {there}", field=field)


def refuse_disclosure(state: Case) -> None:
    """Refuse to tell a representative of the matter before their authority is on record."""
    if state.intake.speaks_for_another and not state.intake.authority_recorded:
        raise Rejected(
            "authority-required",
            "who complains speaks for someone else: record their authority to do so first",
            invariant="I-03",
        )


def refuse_unknown_zone(zone: str | None, field: str) -> None:
    if zone is not None and zone not in ZONES:
        raise Rejected(
            "unknown-zone", f"{zone} is no time zone; give a name like Europe/London", field=field
        )


def ahead(instant: datetime, at: datetime, field: str, **context: str) -> datetime:
    """The instant in UTC, refused unless it is still to come, and within reason."""
    if not at < instant <= at + AHEAD_MAX:
        raise Rejected(
            "not-ahead",
            f"{field} must be later than {minute(at)} and within {AHEAD_MAX.days} days of it",
            field=field,
            **context,
        )
    return instant.astimezone(UTC)


def minute(instant: datetime) -> str:
    """The instant as sentences say it."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def next_id(prefix: str, things: Sized) -> str:
    """The id of the next of those things, which are never taken away."""
    return f"{prefix}{len(things) + 1}"


def ended(waiting: WaitingStarted, cause: WaitingEnd, at: datetime) -> WaitingEnded:
    """A wait ends when its answer was expected, should nobody have noticed until now (I-14)."""
    if waiting.expected_by is not None and waiting.expected_by <= at:
        return WaitingEnded(waiting.reason, "timeout", ended_at=waiting.expected_by)
    return WaitingEnded(waiting.reason, cause, ended_at=at)


def told(value: Any) -> str:
    """A word of the code, as a person says it."""
    return str(value).replace("_", " ")
