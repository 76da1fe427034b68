"""Case logs as XES (IEEE 1849-2016), a trace a case, for pm4py, ProM and their like.

What was imported from a log goes out in that log's own words: its cases by their names there, its
events by their activities. Times are written to the millisecond, which is all that ProM reads; one
that is finer stands beside it in full.
"""

import re
from collections.abc import AsyncGenerator
from datetime import datetime

from api.exports.selecting import as_happened, is_from_log, registration
from casecore.recording import Recorded
from casecore.surveying import Life

EXTENSIONS = ("Concept", "Time", "Organizational", "Lifecycle")
PREFIXES = {"Organizational": "org"}

HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">
{extensions}
  <global scope="trace">
    <string key="concept:name" value=""/>
  </global>
  <global scope="event">
    <string key="concept:name" value=""/>
    <date key="time:timestamp" value="1970-01-01T00:00:00.000+00:00"/>
    <string key="org:resource" value=""/>
    <string key="org:role" value=""/>
    <string key="lifecycle:transition" value="complete"/>
  </global>
  <classifier name="Activity" keys="concept:name"/>
  <classifier name="Activity and lifecycle" keys="concept:name lifecycle:transition"/>
  <classifier name="Resource" keys="org:resource"/>
  <string key="concept:name" value="{ledger}"/>
  <string key="lifecycle:model" value="standard"/>
  <int key="casecore:position" value="{position}"/>
"""
TAIL = "</log>\n"

SPECIAL = re.compile(r'[&<>"\x00-\x1f\x7f-\x9f\ufffe\uffff]')
NAMED = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""For what XML cannot hold."""


async def document(ledger: str, upto: int, lives: AsyncGenerator[Life]) -> AsyncGenerator[str]:
    extensions = "\n".join(map(extension, EXTENSIONS))
    yield HEAD.format(extensions=extensions, ledger=escaped(ledger), position=upto)
    names = Names()
    async for life in lives:
        yield trace(names.of(life), life)
    yield TAIL


class Names:
    """What each trace is called: by its ref, or as in the log it came from.

    The names of a second log could be those of the first, and are preceded by where it is from.
    """

    def __init__(self) -> None:
        self.source: str | None = None

    def of(self, life: Life) -> str:
        registered = registration(life)
        if registered.intake_ref is None or not is_from_log(life):
            return registered.case_ref
        if self.source is None:
            self.source = registered.intake_source
        if registered.intake_source == self.source:
            return registered.intake_ref
        return f"{registered.intake_source}/{registered.intake_ref}"


def extension(name: str) -> str:
    prefix = PREFIXES.get(name, name.lower())
    uri = f"http://www.xes-standard.org/{prefix}.xesext"
    return f'  <extension name="{name}" prefix="{prefix}" uri="{uri}"/>'


def trace(name: str, life: Life) -> str:
    registered = registration(life)
    about = {
        "case_ref": registered.case_ref,
        "customer": registered.customer.ref,
        "channel": registered.channel,
        "product": registered.product,
        "category": registered.category,
        "priority": registered.priority,
        "queue": registered.queue,
        "intake_source": registered.intake_source,
        "intake_ref": registered.intake_ref,
    }
    told = "".join(
        f'    <string key="casecore:{key}" value="{escaped(value)}"/>\n'
        for key, value in about.items()
        if value is not None
    )
    events = "".join(map(event, as_happened(life)))
    return (
        "  <trace>\n"
        f'    <string key="concept:name" value="{escaped(name)}"/>\n'
        f'    <id key="casecore:case_id" value="{life.case_id}"/>\n'
        f'    <date key="casecore:received_at" value="{date(registered.received_at)}"/>\n'
        f"{told}{events}  </trace>\n"
    )


def event(fact: Recorded) -> str:
    kind, logged, actor = type(fact.event).__name__, fact.logged, fact.actor
    activity, transition, group = kind, "complete", None
    resource, role = actor.id, str(actor.role)
    if logged is not None:
        activity, transition = logged.activity, logged.transition or transition
        resource, role, group = logged.resource or resource, logged.role or role, logged.group
    in_group = f'      <string key="org:group" value="{escaped(group)}"/>\n' if group else ""
    at = fact.occurred_at
    finer = (
        f'      <string key="casecore:occurred_at" value="{at.isoformat()}"/>\n'
        if at.microsecond % 1000
        else ""
    )
    return (
        "    <event>\n"
        f'      <string key="concept:name" value="{escaped(activity)}"/>\n'
        f'      <string key="lifecycle:transition" value="{escaped(transition)}"/>\n'
        f'      <date key="time:timestamp" value="{date(at)}"/>\n'
        f'      <string key="org:resource" value="{escaped(resource)}"/>\n'
        f'      <string key="org:role" value="{escaped(role)}"/>\n'
        f"{in_group}{finer}"
        f'      <string key="casecore:type" value="{kind}"/>\n'
        f'      <string key="casecore:sentence" value="{escaped(fact.event.told())}"/>\n'
        f'      <id key="casecore:event_id" value="{fact.event_id}"/>\n'
        f'      <int key="casecore:position" value="{fact.position}"/>\n'
        f'      <int key="casecore:version" value="{fact.version}"/>\n'
        f'      <date key="casecore:recorded_at" value="{date(fact.recorded_at)}"/>\n'
        "    </event>\n"
    )


def date(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def escaped(text: str) -> str:
    return SPECIAL.sub(named, text) if SPECIAL.search(text) else text


def named(special: re.Match[str]) -> str:
    letter = special[0]
    if letter in NAMED:
        return NAMED[letter]
    return f"&#{ord(letter)};" if "\x7f" <= letter <= "\x9f" else NO_CHARACTER
