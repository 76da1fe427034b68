"""given(events).when(command).then(events): how the rules are written down."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Self
from uuid import UUID

from casecore.actors import Actor, Role
from casecore.asking import Ask, Both, State
from casecore.case.events.intake import CaseRegistered, Customer
from casecore.case.state import Case
from casecore.core import happened_at
from casecore.errors import CaseError
from casecore.facts import Event

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CASE_ID = UUID("018f6e2a-7c1b-7d3e-9a4b-5c6d7e8f9a0b")

ADA = Actor("ada", Role.AGENT)
BEN = Actor("ben", Role.AGENT)
SAM = Actor("sam", Role.SUPERVISOR)
ADMIN = Actor("root", Role.ADMIN)
SERVICE = Actor("mailbox", Role.SERVICE)
SYSTEM = Actor("casecore", Role.SYSTEM)
AUDITOR = Actor("ola", Role.AUDITOR)
BI = Actor("lake", Role.BI)

registered = CaseRegistered(
    case_ref="C-MJTW-DNZ8-Z6GB",
    channel="phone",
    received_at=NOON,
    customer=Customer(ref="cust-42", name="Ada Byron"),
    reason="Three weeks late",
    queue="complaints",
    priority="normal",
    product="delivery",
    heat=3,
)


@dataclass
class Spec:
    state: Any
    outcome: list[Event] | CaseError | None = None
    beside: list[Event] | None = None
    """What was decided for the other aggregate."""

    def when(
        self, command: Ask, by: Actor = ADA, at: datetime = NOON, beside: State | None = None
    ) -> Self:
        """Permit, then decide, as core does; `at` is now, and `beside` the other's state."""
        try:
            at = happened_at(command, by, at)
            command.permit(self.state, by)
            if command.beside(self.state) is None:
                decided = command.decide(self.state, by, at)
            else:
                decided = command.decide(self.state, by, at, beside)
        except CaseError as refusal:
            return replace(self, outcome=refusal, beside=None)
        here, there = decided if isinstance(decided, Both) else (decided, ())
        return replace(self, outcome=list(here), beside=list(there))

    def then(self, *events: Event) -> Self:
        """These events, and what follows is given them too."""
        assert self.outcome == list(events)
        return replace(self, state=reduce(type(self.state).evolve, events, self.state))

    def then_beside(self, *events: Event) -> Self:
        assert self.beside == list(events)
        return self

    def then_refused(self, code: str) -> CaseError:
        assert isinstance(self.outcome, CaseError), f"not refused: {self.outcome}"
        assert self.outcome.code == code
        return self.outcome


def given(*events: Event, of: type[State] = Case, id: UUID = CASE_ID) -> Spec:
    return Spec(reduce(of.evolve, events, of(id)))
