"""The timeline of a case for people: one page that stands for itself, and prints well."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from jinja2 import Environment, StrictUndefined, Template

from api.commands.screens import lasting
from casecore.errors import CaseError
from casecore.ledger import Row
from casecore.recording import from_row

if TYPE_CHECKING:
    from api.evidence.bundle import Evidence

LATE_SECONDS = 60
"""From when on it is said that something was recorded later than it happened."""


class Entry(NamedTuple):
    row: Row
    what: str
    """The case, or its clocks."""
    sentence: str
    by: str
    day: str
    time: str
    recorded: str
    later: str
    """How much later than it happened, where that matters."""
    facts: list[tuple[str, str]]


def html(evidence: "Evidence") -> str:
    registered, checkpoint = evidence.registered, evidence.checkpoint
    stream_of = {stream[0].stream_id: what for what, stream in evidence.streams}
    entries = [
        entry(evidence.ledger, one.row, stream_of[one.row.stream_id]) for one in evidence.proved
    ]
    return template().render(
        ledger=evidence.ledger,
        case_id=str(evidence.case_id),
        case_ref=evidence.case_ref,
        registered=registered,
        received=registered and f"{registered.received_at:%Y-%m-%d %H:%M} UTC",
        findings=evidence.findings,
        entries=entries,
        first=entries[0],
        last=entries[-1],
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        head=evidence.streams[0][1][-1].head.hex(),
        key=str(evidence.key),
        fingerprint=grouped(sha256(evidence.key.public).hexdigest().upper()),
    )


def entry(ledger: str, row: Row, what: str) -> Entry:
    stamp = f"{row.recorded_at:%Y-%m-%d %H:%M:%S}"
    try:
        recorded = from_row(ledger, row)
    except CaseError:
        # It is evidence all the same, and what checks it says whether it was changed.
        at = row.recorded_at
        return Entry(row, what, "(this event cannot be read)", "", *stamps(at), stamp, "", [])
    actor, at = recorded.actor, recorded.occurred_at
    late = int((recorded.recorded_at - at).total_seconds())
    behalf = f", for {actor.on_behalf_of}" if actor.on_behalf_of else ""
    return Entry(
        row=row,
        what=what,
        sentence=f"{actor.id} {recorded.event.told()}",
        by=f"{actor.id} ({actor.role}{behalf})",
        day=f"{at:%A, %-d %B %Y}",
        time=f"{at:%H:%M}",
        recorded=stamp,
        later=lasting(late) if late >= LATE_SECONDS else "",
        facts=list(facts(msgspec.json.decode(row.data))),
    )


def stamps(at: Any) -> tuple[str, str]:
    return f"{at:%A, %-d %B %Y}", f"{at:%H:%M}"


def facts(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """What an event says, a line each, without what it leaves open."""
    match data:
        case dict():
            for key, value in data.items():
                yield from facts(value, f"{name}, {words(key)}" if name else words(key))
        case list() if all(isinstance(item, str | int | float) for item in data):
            if data:
                yield name, "; ".join(str(item) for item in data)
        case list():
            for number, item in enumerate(data, 1):
                yield from facts(item, f"{name} {number}")
        case None | "":
            return
        case bool():
            yield name, "yes" if data else "no"
        case _:
            yield name, str(data)


def grouped(fingerprint: str) -> str:
    """As verify.py prints it, to be compared by eye or read out."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def words(key: str) -> str:
    return key.replace("_", " ")


@cache
def template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(
        files("api.evidence").joinpath("timeline.html.jinja").read_text("utf-8")
    )
