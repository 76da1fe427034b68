"""A row an event: a log for process mining."""

from casecore.views import Column, View
from projections.bi.words import CASE_ID, SALTED, agent, day

VIEW = View(
    "event_fact",
    "Everything that happened to every case, in order: a log for process mining, with case_id as"
    " the case, activity, occurred_at as the time and resource_pseudonym as the resource",
    ("position",),
    (
        Column("position", "bigint", "The number of the event in the ledger"),
        CASE_ID,
        Column("event_number", "integer", "The number of the event in its case", "f.version"),
        Column("activity", "text", "What happened, such as ComplaintAcknowledged", "f.type"),
        Column(
            "occurred_at",
            "timestamptz",
            "When it happened; of events that were imported, or recorded later, the time they name",
        ),
        day("occurred_day_utc", "occurred_at"),
        Column("recorded_at", "timestamptz", "When it was written down, in the ledger's order"),
        agent("resource_pseudonym", "Who did it", "f.actor"),
        Column(
            "resource_role",
            "text",
            "In which role: agent, supervisor, admin, service, or system, which is casecore itself",
            "f.role",
        ),
        agent(
            "on_behalf_of_pseudonym",
            "For whom, when one service acts for somebody; else null",
            "f.on_behalf_of",
        ),
        agent("new_owner_pseudonym", "Whom it made the owner of the case; else null", "f.agent"),
    ),
    f"ops.timeline f {SALTED}",
    ("timeline",),
)
