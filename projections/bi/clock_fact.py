"""A row for each time an SLA clock ran."""

from casecore.views import Column, View
from projections.bi.words import CASE_ID, PRODUCT, QUEUE, day, percent
from projections.sla_clocks import LATENESS_NOW, OVER, STATE_NOW

STATE = STATE_NOW.format(now="now()")
MET = f"CASE {STATE} WHEN 'met' THEN true WHEN 'breached' THEN false END"

VIEW = View(
    "clock_fact",
    "Every SLA clock of every case, and each time it ran; how it stands, and how late it is, as of"
    " now",
    ("clock_id", "cycle"),
    (
        Column("clock_id", "uuid", "The clock"),
        Column("cycle", "integer", "Which time it ran, from 1: some run again and again"),
        CASE_ID,
        PRODUCT,
        QUEUE,
        Column("target_name", "text", "The target, as the policy calls it", "f.name"),
        Column(
            "kind",
            "text",
            "What the target is about: acknowledgement, first_response, next_response,"
            " progress_update, resolution, promise, callback, regulatory and so on",
        ),
        Column(
            "subject",
            "text",
            "The promise or callback of the case that it is about, such as p1; else null",
        ),
        Column("regime", "text", "The rules it comes from, such as a regulator's; null for ours"),
        Column("policy_id", "text", "The SLA policy it runs by"),
        Column("policy_version", "integer", "The version of that policy"),
        Column("calendar_id", "text", "The calendar it runs by"),
        Column("calendar_version", "integer", "The version of that calendar"),
        Column("is_pausable", "boolean", "Whether it may stand still", "f.pausable"),
        Column("state", "text", "running, paused, met, breached or cancelled, as of now", STATE),
        Column(
            "is_met",
            "boolean",
            "True when met, false when breached; null while neither, and when cancelled",
            MET,
        ),
        percent("met_percent", "is_met", MET),
        Column("started_at", "timestamptz", "When it began to run"),
        day("started_day_utc", "started_at"),
        Column(
            "due_at",
            "timestamptz",
            "When it is used up, as known by the last event; null while it is paused",
        ),
        day("due_day_utc", "due_at"),
        Column(
            "at_risk_at",
            "timestamptz",
            "When it is to be looked after: at its first warning, or else when it is due. Null"
            " while it is paused, and when it is over",
        ),
        Column("satisfied_at", "timestamptz", "When what it waits for was done"),
        Column("cancelled_at", "timestamptz", "When it stopped to matter"),
        Column(
            "breached_at",
            "timestamptz",
            "When it was used up with nothing done",
            "CASE WHEN f.state = 'running' AND f.due_at < now() THEN f.due_at"
            " ELSE f.breached_at END",
        ),
        Column("detected_at", "timestamptz", "When that was recorded, if it was"),
        Column("target_seconds", "bigint", "Seconds it has, of the time its calendar counts"),
        Column(
            "consumed_seconds",
            "bigint",
            "Seconds used up in the end, of the time its calendar counts; null until it is over",
            f"CASE WHEN {OVER} THEN f.consumed_seconds END",
        ),
        Column(
            "lateness_seconds",
            "bigint",
            "Seconds from breached_at until it was satisfied, or now, nights and weekends"
            " included; null when it was not breached",
            LATENESS_NOW.format(now="now()"),
        ),
    ),
    "ops.sla_clocks f",
    ("sla_clocks",),
)
