"""A fact of another system, recorded as it was there, whatever our rules would have said."""

from datetime import datetime
from typing import Any

from casecore.actors import Actor, Role
from casecore.asking import Ask
from casecore.case.events import CaseEvent
from casecore.case.state import Case
from casecore.errors import NotFound, Rejected


class RecordFact(Ask, frozen=True, kw_only=True):
    """Record an event of a case that was worked on elsewhere. For imports alone."""

    WHO = frozenset({Role.SYSTEM})

    event: Any

    def decide(self, state: Case, by: Actor, at: datetime) -> list[CaseEvent]:
        if state.stage == "unknown":
            raise NotFound("case-not-found", "there is no such case here: register it first")
        try:
            state.evolve(self.event)
        except KeyError as error:
            raise Rejected(
                "fact-out-of-place",
                f"{type(self.event).__name__} speaks of {error}, which the case does not have",
            ) from None
        return [self.event]
