"""Cases as an object-centric log tells them (OCEL 2.0): events, and the objects they are about.

Objects are the cases, their customers, the people who work on them, and what they come to:
promises, goodwill, solutions, and the entries of the solution library. What changes of an object (a
case's stage, priority and owner, say) changes at a time.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import inspect

from api.exports.selecting import as_happened
from casecore.actors import Role
from casecore.case.events.callbacks import CustomerCalledBack
from casecore.case.events.contact import (
    AcknowledgementSent,
    CustomerContacted,
    ProgressUpdateSent,
    ResponseSent,
)
from casecore.case.events.goodwill import (
    DiscountOffered,
    GoodwillAccepted,
    GoodwillApprovalRequested,
    GoodwillApproved,
    GoodwillDeclined,
    GoodwillExpired,
    GoodwillOffered,
    GoodwillPaid,
    GoodwillRefused,
    GoodwillReversed,
    GoodwillWithdrawn,
    size,
)
from casecore.case.events.intake import (
    ApologyGiven,
    CaseRegistered,
    ComplaintAcknowledged,
    ComplaintHeard,
    CustomerThanked,
)
from casecore.case.events.outcome import CaseWithdrawn
from casecore.case.events.promises import (
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseReleased,
    PromiseRenegotiated,
)
from casecore.case.events.solutions import (
    SolutionAccepted,
    SolutionAmended,
    SolutionImplemented,
    SolutionOffered,
    SolutionProposed,
    SolutionRejected,
    SolutionVerified,
)
from casecore.case.state import Case
from casecore.recording import EVENTS, Recorded
from casecore.solutions.events import (
    SolutionDrafted,
    SolutionEndorsed,
    SolutionRevised,
    SolutionSuperseded,
    SolutionTrialled,
    SolutionWithdrawn,
)
from casecore.surveying import Life

Scalar = str | int | bool | datetime
Values = dict[str, Scalar]

OBJECT_TYPES: dict[str, dict[str, str]] = {
    "case": {
        "case_ref": "string",
        "received_at": "time",
        "channel": "string",
        "product": "string",
        "category": "string",
        "priority": "string",
        "stage": "string",
        "owner": "string",
        "queue": "string",
        "intake_source": "string",
        "intake_ref": "string",
    },
    "customer": {"ref": "string", "name": "string", "company": "string", "tier": "string"},
    "agent": {"name": "string", "role": "string"},
    "promise": {
        "kind": "string",
        "text": "string",
        "due_at": "time",
        "made_by": "string",
        "state": "string",
    },
    "goodwill": {"kind": "string", "purpose": "string", "size": "string", "state": "string"},
    "solution": {"text": "string", "proposer": "string", "state": "string"},
    "library_solution": {"title": "string", "status": "string"},
}
"""Their attributes, and the type of each."""
SHARED = ("customer", "agent", "library_solution")
"""Those that several cases are about."""

ENVELOPE = {
    "actor": "string",
    "actor_role": "string",
    "position": "integer",
    "recorded_at": "time",
    "sentence": "string",
    "activity": "string",
    "transition": "string",
}
"""What every event has; the last two, if it was imported from a log."""
KINDS = {
    inspect.StrType: "string",
    inspect.LiteralType: "string",
    inspect.EnumType: "string",
    inspect.UUIDType: "string",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.DateTimeType: "time",
}

PEOPLE = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})
LIBRARY = {
    SolutionDrafted: "drafted",
    SolutionRevised: "drafted",
    SolutionTrialled: "trialled",
    SolutionEndorsed: "endorsed",
    SolutionSuperseded: "superseded",
    SolutionWithdrawn: "withdrawn",
}
"""What an entry of the library becomes by each of its events."""
STATES: dict[type, str] = {
    PromiseKept: "kept",
    PromiseBroken: "broken",
    PromiseReleased: "released",
    GoodwillApprovalRequested: "awaiting approval",
    GoodwillApproved: "approved",
    GoodwillDeclined: "declined",
    GoodwillAccepted: "accepted",
    GoodwillRefused: "refused",
    GoodwillPaid: "paid",
    GoodwillExpired: "expired",
    GoodwillWithdrawn: "withdrawn",
    GoodwillReversed: "reversed",
    SolutionOffered: "offered",
    SolutionAccepted: "accepted",
    SolutionRejected: "rejected",
    SolutionImplemented: "implemented",
}
"""What a promise, an offer or a solution becomes by an event about it."""
REFERENCES = {
    "promise_id": ("promise", "about"),
    "protects_promise_id": ("promise", "protects"),
    "replaces": ("promise", "replaces"),
    "offer_id": ("goodwill", "about"),
    "solution_id": ("solution", "about"),
}
"""Fields that name something of the case."""
NAMES_PEOPLE = {
    "agent": "assigned",
    "from_agent": "from",
    "to_agent": "to",
    "accountable_owner": "accountable",
}
WITH_CUSTOMER = (
    *(CaseRegistered, ComplaintHeard, ComplaintAcknowledged, ApologyGiven, CustomerThanked),
    *(AcknowledgementSent, ResponseSent, CustomerContacted, ProgressUpdateSent),
    *(CustomerCalledBack, SolutionAccepted, SolutionRejected, GoodwillAccepted, GoodwillRefused),
    CaseWithdrawn,
)
"""What happens between the desk and the customer."""


class OcelObject(NamedTuple):
    id: str
    type: str
    at: datetime
    """When these values were first seen."""
    values: Values


class Change(NamedTuple):
    object_id: str
    type: str
    at: datetime
    name: str
    value: Scalar | None


class OcelEvent(NamedTuple):
    id: str
    type: str
    at: datetime
    values: Values
    about: list[tuple[str, str]]
    """Objects, and what each is to the event."""


class Told(NamedTuple):
    """Some events, with what they tell of objects."""

    events: list[OcelEvent]
    objects: list[OcelObject]
    changes: list[Change]
    relations: list[tuple[str, str, str]]
    """From one object to another, and what that is to it."""


def told(life: Life) -> Told:
    """What happened to one case."""
    telling = Telling(life.case_id)
    for fact in life.facts:
        telling.follow(fact)
    for fact in as_happened(life):
        telling.tell(fact)
    return telling.told


def told_of_library(fact: Recorded, is_known: Callable[[str], bool]) -> Told | None:
    """What happened to an entry of the library, if a case that is told of cites it."""
    entry = library_id(fact.stream_id)
    if not is_known(entry):
        return None
    event, about = fact.event, [(entry, "about")]
    objects, relations = [], []
    values: Values = {"status": LIBRARY[type(event)]}
    if isinstance(event, SolutionDrafted | SolutionRevised):
        values["title"] = event.title
    if isinstance(event, SolutionDrafted):
        source = case_id(event.source_case_id)
        if is_known(source):
            about.append((source, "from"))
            relations.append((entry, source, "learned from"))
    if fact.actor.role in PEOPLE:
        objects.append(agent(fact.actor.id, fact))
        about.append((agent_id(fact.actor.id), "by"))
    objects.append(OcelObject(entry, "library_solution", fact.occurred_at, values))
    return Told([event_of(fact, about)], objects, [], relations)


class Telling:
    """What has been told of a case so far."""

    def __init__(self, case: UUID) -> None:
        self.told = Told([], [], [], [])
        self.case = case
        self.state = Case(case)
        self.customer = ""
        self.known: set[str] = set()

    def follow(self, fact: Recorded) -> None:
        """What becomes of the objects."""
        event = fact.event
        match event:
            case CaseRegistered():
                self.register(fact, event)
                return
            case PromiseMade():
                values: Values = {"kind": event.kind, "text": event.text, "due_at": event.due_at}
                made = {"made_by": event.made_by, "state": "open"}
                self.add(fact, "promise", event.promise_id, values | made)
            case DiscountOffered():
                of = size(event.percent_bp, event.amount)
                self.offer(fact, event.offer_id, "discount", event.purpose, of)
            case GoodwillOffered():
                self.offer(fact, event.offer_id, event.kind, event.purpose, str(event.amount))
            case SolutionProposed():
                values = {"text": event.text, "proposer": event.proposer, "state": "proposed"}
                self.add(fact, "solution", event.solution_id, values)
            case PromiseRenegotiated():
                self.change(fact, "promise", event.promise_id, "due_at", event.due_at)
            case SolutionAmended():
                self.change(fact, "solution", event.solution_id, "text", event.text)
            case SolutionVerified():
                worked = "worked" if event.worked else "did not work"
                self.change(fact, "solution", event.solution_id, "state", worked)
        if (state := STATES.get(type(event))) is not None:
            kind, local_id = subject_of(event)
            self.change(fact, kind, local_id, "state", state)
        if fact.stream_id == self.case:
            self.evolve(fact)

    def register(self, fact: Recorded, event: CaseRegistered) -> None:
        self.state = self.state.evolve(event)
        case, at, who = case_id(self.case), fact.occurred_at, event.customer
        self.customer = f"customer:{who.ref}"
        objects, relations = self.told.objects, self.told.relations
        told = ("case_ref", "received_at", "channel", "intake_source", "intake_ref")
        values = {name: getattr(event, name) for name in told} | standing(self.state)
        objects.append(OcelObject(case, "case", at, present(values)))
        values = {name: getattr(who, name) for name in OBJECT_TYPES["customer"]}
        objects.append(OcelObject(self.customer, "customer", at, present(values)))
        relations.append((case, self.customer, "raised by"))
        relations.extend((case, case_id(other), "relates to") for other in event.relates_to)

    def evolve(self, fact: Recorded) -> None:
        before, self.state = standing(self.state), self.state.evolve(fact.event)  # type: ignore[arg-type]
        case = case_id(self.case)
        for name, value in standing(self.state).items():
            if value != before[name]:
                self.told.changes.append(Change(case, "case", fact.occurred_at, name, value))
                if name == "owner" and value is not None:
                    self.told.relations.append((case, self.person(str(value), fact), "owned by"))

    def add(self, fact: Recorded, kind: str, local_id: str, values: Values) -> None:
        id = self.local(kind, local_id)
        self.known.add(id)
        self.told.objects.append(OcelObject(id, kind, fact.occurred_at, values))
        self.told.relations.append((id, case_id(self.case), "of"))
        for entry in entries(fact.event):
            self.told.objects.append(OcelObject(entry, "library_solution", fact.occurred_at, {}))
            self.told.relations.append((id, entry, "taken from"))

    def offer(self, fact: Recorded, local_id: str, kind: str, purpose: str, size: str) -> None:
        values: Values = {"kind": kind, "purpose": purpose, "size": size, "state": "offered"}
        self.add(fact, "goodwill", local_id, values)

    def change(self, fact: Recorded, kind: str, local_id: str, name: str, value: Scalar) -> None:
        id = self.local(kind, local_id)
        if id in self.known:
            self.told.changes.append(Change(id, kind, fact.occurred_at, name, value))

    def tell(self, fact: Recorded) -> None:
        """The event, with all that it is about."""
        event = fact.event
        about = [(case_id(self.case), "of")]
        if fact.logged is not None and fact.logged.resource:
            about.append((self.person(fact.logged.resource, fact), "by"))
        elif fact.actor.role in PEOPLE:
            self.told.objects.append(agent(fact.actor.id, fact))
            about.append((agent_id(fact.actor.id), "by"))
        if isinstance(event, WITH_CUSTOMER):
            about.append((self.customer, "with"))
        for name in event.__struct_fields__:
            value = getattr(event, name)
            if name in REFERENCES and isinstance(value, str):
                kind, qualifier = REFERENCES[name]
                if (id := self.local(kind, value)) in self.known:
                    about.append((id, qualifier))
            elif name in NAMES_PEOPLE and value is not None:
                about.append((self.person(value, fact), NAMES_PEOPLE[name]))
        for entry in entries(event):
            self.told.objects.append(OcelObject(entry, "library_solution", fact.occurred_at, {}))
            about.append((entry, "cites"))
        self.told.events.append(event_of(fact, about))

    def person(self, name: str, fact: Recorded) -> str:
        """Somebody who is named, and of whom no more is known."""
        id = agent_id(name)
        self.told.objects.append(OcelObject(id, "agent", fact.occurred_at, {"name": name}))
        return id

    def local(self, kind: str, local_id: str) -> str:
        return f"{kind}:{self.case}/{local_id}"


def standing(state: Case) -> dict[str, Scalar | None]:
    """What changes of a case, as it is now."""
    return {
        "priority": state.triage.priority,
        "product": state.triage.product,
        "category": state.triage.category,
        "stage": state.stage,
        "owner": state.ownership.owner,
        "queue": state.ownership.queue,
    }


def subject_of(event: Any) -> tuple[str, str]:
    """What of the case an event is about: which kind of thing, and its id within the case."""
    for name, (kind, qualifier) in REFERENCES.items():
        if qualifier == "about" and name in event.__struct_fields__:
            return kind, getattr(event, name)
    raise AssertionError(f"{event} is about nothing")


def entries(event: Any) -> list[str]:
    """The entries of the library that an event of a case names."""
    cited = getattr(event, "library", None)
    id = cited.solution_id if cited else getattr(event, "library_solution_id", None)
    return [library_id(id)] if id else []


def event_of(fact: Recorded, about: list[tuple[str, str]]) -> OcelEvent:
    event, logged = fact.event, fact.logged
    values: dict[str, Any] = {
        "actor": fact.actor.id,
        "actor_role": fact.actor.role.value,
        "position": fact.position,
        "recorded_at": fact.recorded_at,
        "sentence": event.told(),
        "activity": logged and logged.activity,
        "transition": logged and logged.transition,
    }
    name = type(event).__name__
    values |= {field: getattr(event, field) for field in fields_of(name)}
    return OcelEvent(
        str(fact.event_id), name, fact.occurred_at, present(values), list(dict.fromkeys(about))
    )


@cache
def fields_of(event_type: str) -> dict[str, str]:
    """What an event of the type itself tells, of what OCEL has types for."""
    info = inspect.type_info(EVENTS[event_type])
    assert isinstance(info, inspect.StructType)
    found = {}
    for field in info.fields:
        of = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        kinds = {KINDS.get(type(one)) for one in of if not isinstance(one, inspect.NoneType)}
        if len(kinds) == 1 and (kind := kinds.pop()) is not None:
            found[field.name] = kind
    return found


def attributes_of(event_type: str) -> dict[str, str]:
    return ENVELOPE | fields_of(event_type)


def present(values: Mapping[str, Any]) -> Values:
    """What there is, as OCEL has values."""
    return {
        name: str(value) if isinstance(value, UUID | StrEnum) else value
        for name, value in values.items()
        if value is not None
    }


def agent(name: str, fact: Recorded) -> OcelObject:
    values: Values = {"name": name, "role": fact.actor.role.value}
    return OcelObject(agent_id(name), "agent", fact.occurred_at, values)


def agent_id(name: str) -> str:
    return f"agent:{name}"


def case_id(id: UUID) -> str:
    return f"case:{id}"


def library_id(id: UUID) -> str:
    return f"library_solution:{id}"
