"""From a log of activities to commands and facts, as a TOML file says.

    source = "helpdesk"                   # with a case's name in the log: where the case came from

    [case]                                # how a case is registered, by its first event
    channel = "other"
    customer = { ref = "helpdesk-{case}" }
    reason = "Ticket {case}"

    [activities.9]                        # a command, which the rules may refuse …
    command = "StartWaiting"
    with = { reason = "customer", asked_for = "More about {product|optional}" }

    [activities.6]                        # … or a fact, as it was in the system of the log
    event = "ComplaintResolved"
    with = { outcome = "upheld", reasons = "Resolved" }

In a text, {name} stands for an attribute or column of the log's event, and {case}, {activity},
{time} and {number} (of the event within its case) for what they say. `|code` makes a name without
spaces of it; a field whose `|optional` attribute is missing or empty is left out.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from api.bodies import converted
from api.imports.fact import RecordFact
from api.imports.plan import Bad, Plan, Unreadable, planned
from casecore.asking import Ask, Code
from casecore.case.decisions.after import AfterCommand
from casecore.case.decisions.callbacks import CallbackCommand
from casecore.case.decisions.contact import ContactCommand
from casecore.case.decisions.escalation import EscalationCommand
from casecore.case.decisions.goodwill import GoodwillCommand
from casecore.case.decisions.intake import AddNote, IntakeCommand, RegisterCase
from casecore.case.decisions.investigation import InvestigationCommand
from casecore.case.decisions.outcome import OutcomeCommand
from casecore.case.decisions.ownership import OwnershipCommand
from casecore.case.decisions.promises import PromiseCommand
from casecore.case.decisions.solutions import CaseSolutionCommand
from casecore.case.decisions.triage import TriageCommand
from casecore.case.events import CaseEvent
from casecore.case.events.intake import CaseRegistered
from casecore.errors import Malformed
from casecore.recording import Logged

SHIPPED = Path(__file__).with_name("mappings")
MAPPING_BYTES_MAX = 1 << 20
CODE_MAX = 100

COMMANDS: dict[str, type[Ask]] = {
    command.__name__: command
    for command in get_args(
        IntakeCommand
        | ContactCommand
        | PromiseCommand
        | CallbackCommand
        | OwnershipCommand
        | EscalationCommand
        | TriageCommand
        | InvestigationCommand
        | CaseSolutionCommand
        | GoodwillCommand
        | OutcomeCommand
        | AfterCommand
    )
    if command is not RegisterCase
}
FACTS: dict[str, type[Any]] = {
    event.__name__: event for event in get_args(CaseEvent) if event is not CaseRegistered
}

FILLED_IN = frozenset({"intake_source", "intake_ref", "occurred_at"})
PLACEHOLDER = re.compile(r"\{([^{}|]+)((?:\|[a-z]+)*)\}")
FILTERS = frozenset({"code", "optional"})
NOT_CODE = re.compile(r"[^\w.:/@+-]+")


class LogEvent(NamedTuple):
    """An event of a log."""

    where: str
    time: datetime
    values: Mapping[str, str]
    logged: Logged | None = None
    """What it is there, when that is more than the activity that the mapping knows it by."""


class Becomes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an activity becomes: a command or an event."""

    command: str | None = None
    event: str | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict, name="with")


class MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Code
    case: dict[str, Any]
    activities: dict[str, Becomes]
    activity: Annotated[str, Meta(min_length=1)] | None = None
    """What names an activity, when that is not one attribute alone."""


Fill = Callable[[Mapping[str, str]], Any]
Make = Callable[[datetime, Mapping[str, str]], Ask]


class Missing(Exception):
    """An optional attribute is not there, so the field is left out."""


class ActivityMapping:
    """A mapping, ready to plan the cases of a log."""

    def __init__(
        self, file: MappingFile, activity: str, *, unmapped: Literal["stop", "note"]
    ) -> None:
        self.source = file.source
        self.unmapped = unmapped
        if "|optional" in activity:
            raise Malformed("mapping-unreadable", "what names an activity is not optional")
        self._activity = template(activity, "activity")
        self._case = template(file.case, "case")
        refuse_unknown_fields(file.case, RegisterCase, "case")
        self._makes = {name: maker(name, becomes) for name, becomes in file.activities.items()}

    def plan(self, case: str, where: str, events: Sequence[LogEvent]) -> Plan | Bad:
        """The whole case, or what is wrong with it."""
        first = min(event.time for event in events)
        at = where
        try:
            told = [self.told(case, number, event) for number, event in enumerate(events, 1)]
            register = self.registration(case, first, told[0])
            commands = []
            for event, values in zip(events, told, strict=True):
                at = event.where
                commands.append(self.ask(event, values))
        except Unmapped as error:
            return Bad(at, error.why, error.column, case, fatal=True)
        except Unreadable as error:
            return Bad(at, error.why, error.column, case)
        except Malformed as error:
            return Bad(at, str(error), error.field, case)
        places = [event.where for event in events]
        logged = [
            event.logged or Logged(values["activity"])
            for event, values in zip(events, told, strict=True)
        ]
        return planned(where, register, *commands, once=True, places=places, logged=logged)

    def told(self, case: str, number: int, event: LogEvent) -> dict[str, str]:
        """What the placeholders of the mapping may stand for."""
        return {
            **event.values,
            "case": case,
            "activity": self._activity(event.values),
            "time": event.time.isoformat(),
            "number": str(number),
        }

    def registration(self, case: str, at: datetime, values: Mapping[str, str]) -> RegisterCase:
        given = {"received_at": at, **self._case(values)}
        given |= {"intake_source": self.source, "intake_ref": case, "occurred_at": at}
        return converted(given, RegisterCase, strict=False, at="case.")

    def ask(self, event: LogEvent, values: Mapping[str, str]) -> Ask:
        activity = values["activity"]
        make = self._makes.get(activity)
        if make is not None:
            return make(event.time, values)
        if self.unmapped == "note":
            text = f"{activity} (event {values['number']} of the log)"
            return converted({"text": text, "occurred_at": event.time}, AddNote)
        raise Unmapped(
            None,
            f"the mapping does not say what activity {activity!r} becomes: add it under"
            " [activities], or take such events in as notes with --unmapped note",
        )


class Unmapped(Unreadable):
    """The mapping has no word for an activity: it is not the event that is at fault."""


def read(name: str) -> MappingFile:
    """A mapping by its path, or one of those that come with casecore by its name."""
    path = SHIPPED / f"{name}.toml" if re.fullmatch(r"[a-z]+", name) else Path(name)
    if not path.is_file():
        shipped = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
        raise Malformed(
            "mapping-missing", f"there is no mapping {name}: give a TOML file, or one of {shipped}"
        )
    if path.stat().st_size > MAPPING_BYTES_MAX:
        raise Malformed("mapping-too-large", f"{path} is over {MAPPING_BYTES_MAX >> 20} MiB")
    try:
        return converted(tomllib.loads(path.read_text("utf-8")), MappingFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Malformed("mapping-unreadable", f"{path} is not TOML: {error}") from None
    except Malformed as error:
        raise Malformed("mapping-unreadable", f"{path}: {error}", field=error.field) from None


def maker(activity: str, becomes: Becomes) -> Make:
    """How an event of the activity turns into a request."""
    where = f"activities.{activity}"
    fill = template(becomes.fields, where)
    if (becomes.command is None) == (becomes.event is None):
        raise Malformed(
            "mapping-unreadable", f"{where} must name a command or an event", field=where
        )
    if becomes.command is not None:
        command = named(becomes.command, COMMANDS, where)
        refuse_unknown_fields(becomes.fields, command, where)
        return lambda at, values: converted(
            {**fill(values), "occurred_at": at}, command, strict=False, at=f"{where}."
        )
    assert becomes.event is not None
    event = named(becomes.event, FACTS, where)
    refuse_unknown_fields(becomes.fields, event, where)
    return lambda at, values: RecordFact(
        event=fact(converted(fill(values), event, strict=False, at=f"{where}."), where),
        occurred_at=at,
    )


def fact(event: Any, where: str) -> Any:
    """The event with its times in UTC, as all that is stored has them."""
    changes = {}
    for name in event.__struct_fields__:
        instant = getattr(event, name)
        if isinstance(instant, datetime):
            if instant.tzinfo is None:
                raise Malformed(
                    "zone-missing",
                    f"{where}.{name}: {instant} has no zone",
                    field=f"{where}.{name}",
                )
            changes[name] = instant.astimezone(UTC)
    return msgspec.structs.replace(event, **changes) if changes else event


def named(name: str, kinds: Mapping[str, type[Any]], where: str) -> type[Any]:
    if name not in kinds:
        raise Malformed(
            "mapping-unreadable",
            f"{where}: there is no {name}; there are {', '.join(sorted(kinds))}",
            field=where,
        )
    return kinds[name]


def refuse_unknown_fields(fields: Mapping[str, Any], of: type[Any], where: str) -> None:
    for name in fields:
        if name in FILLED_IN or name not in of.__struct_fields__:
            known = ", ".join(field for field in of.__struct_fields__ if field not in FILLED_IN)
            raise Malformed(
                "mapping-unreadable",
                f"{where}: {of.__name__} takes no {name} here; it takes {known or 'nothing'}",
                field=f"{where}.{name}",
            )


def template(value: Any, where: str) -> Fill:
    """A function that fills the value's placeholders in."""
    match value:
        case str():
            return text_template(value, where)
        case dict():
            fills = {name: template(item, f"{where}.{name}") for name, item in value.items()}
            return lambda values: dict(present(fills.items(), values))
        case list():
            items = [("", template(item, where)) for item in value]
            return lambda values: [item for _, item in present(items, values)]
        case _:
            return lambda values: value


def present(
    fills: Iterable[tuple[str, Fill]], values: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    for name, fill in fills:
        try:
            yield name, fill(values)
        except Missing:
            continue


def text_template(text: str, where: str) -> Fill:
    literal, *rest = PLACEHOLDER.split(text)
    if not rest:
        return lambda values: text
    names, filters, literals = rest[0::3], rest[1::3], rest[2::3]
    pieces = [attribute(name, wanted, where) for name, wanted in zip(names, filters, strict=True)]
    return lambda values: (
        literal
        + "".join(piece(values) + after for piece, after in zip(pieces, literals, strict=True))
    )


def attribute(name: str, filters: str, where: str) -> Fill:
    wanted = set(filters.split("|")) - {""}
    if unknown := wanted - FILTERS:
        raise Malformed(
            "mapping-unreadable",
            f"{where}: |{min(unknown)} is not known; there are |code and |optional",
            field=where,
        )

    def value_of(values: Mapping[str, str]) -> str:
        value = values.get(name, "")
        if "optional" in wanted and not value:
            raise Missing
        if name not in values:
            raise Unreadable(name, f"{where} needs it, and the event has none")
        return NOT_CODE.sub("-", value)[:CODE_MAX] if "code" in wanted else value

    return value_of
