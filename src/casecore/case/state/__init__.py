"""As much of a case as its rules need to know, a chapter a file."""

from typing import Any, Self, get_args, get_type_hints
from uuid import UUID

import msgspec
from msgspec.structs import replace

from casecore.case.events import CaseEvent
from casecore.case.state.after import After
from casecore.case.state.callbacks import Callbacks
from casecore.case.state.contact import Contact
from casecore.case.state.escalation import Escalation
from casecore.case.state.goodwill import Goodwill
from casecore.case.state.intake import Intake
from casecore.case.state.investigation import Investigation
from casecore.case.state.outcome import Course, Stage
from casecore.case.state.ownership import Ownership
from casecore.case.state.promises import Promises
from casecore.case.state.solutions import Solutions
from casecore.case.state.triage import Triage


class Case(msgspec.Struct, frozen=True):
    id: UUID
    intake: Intake = Intake()
    contact: Contact = Contact()
    promises: Promises = Promises()
    callbacks: Callbacks = Callbacks()
    ownership: Ownership = Ownership()
    escalation: Escalation = Escalation()
    triage: Triage = Triage()
    investigation: Investigation = Investigation()
    solutions: Solutions = Solutions()
    goodwill: Goodwill = Goodwill()
    course: Course = Course()
    after: After = After()

    @property
    def stage(self) -> Stage:
        return self.course.stage

    def evolve(self, event: CaseEvent) -> Self:
        changes = {
            chapter: getattr(self, chapter).evolve(event)
            for chapter in CHAPTERS.get(type(event), ())
        }
        return replace(self, **changes) if changes else self


def chapters() -> dict[type[Any], tuple[str, ...]]:
    """For each event, the chapters whose `evolve` says in its signature that it reads it."""
    readers: dict[type[Any], tuple[str, ...]] = {}
    for chapter, struct in get_type_hints(Case).items():
        if hasattr(struct, "evolve"):
            for event in get_args(get_type_hints(struct.evolve)["event"]):
                readers[event] = (*readers.get(event, ()), chapter)
    return readers


CHAPTERS = chapters()
