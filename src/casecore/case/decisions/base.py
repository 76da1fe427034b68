"""What the commands of every chapter have in common."""

from collections.abc import Mapping, Sized
from typing import Any, ClassVar, TypeVar

from casecore.actors import Actor, Role
from casecore.asking import Ask
from casecore.case.state import Case
from casecore.case.state.outcome import ENDED, OPEN, Stage
from casecore.errors import Forbidden, NotFound, Rejected

UNCLOSED: frozenset[Stage] = OPEN | {"resolved"}
"""The stages in which the customer may still be waiting for something."""
LASTING: frozenset[Stage] = UNCLOSED | {"closed"}
"""The stages in which what happens can still be recorded: all but those that ended (I-05)."""

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
        if by.role is not Role.AGENT:
            return
        owner = state.ownership.owner
        if owner is not None and owner != by.id:
            raise Forbidden(
                "not-owner",
                f"the case is with {owner}: leave it to them, or ask for it to be transferred",
                owner=owner,
            )
        if owner is None and self.OWN:
            raise Forbidden("not-owner", "nobody owns the case yet: claim it first")


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


def found(things: Mapping[str, T], id: str, field: str) -> T:
    """What the case has under the id that the command's `field` gives."""
    if id in things:
        return things[id]
    noun = told(field.removesuffix("_id"))
    there = f"it has {', '.join(things)}" if things else "it has none"
    raise NotFound(
        f"{noun.replace(' ', '-')}-not-found", f"the case has no {noun} {id}: {there}", field=field
    )


def next_id(prefix: str, things: Sized) -> str:
    """The id of the next of those things, which are never taken away."""
    return f"{prefix}{len(things) + 1}"


def told(value: Any) -> str:
    """A word of the code, as a person says it."""
    return str(value).replace("_", " ")
