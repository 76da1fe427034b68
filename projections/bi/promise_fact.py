"""A row a promise."""

from casecore.views import Column, View
from projections.bi.words import (
    CASE_ID,
    CASE_PRODUCT,
    CASE_QUEUE,
    PLACED,
    SALTED,
    agent,
    count,
    day,
    percent,
    seconds,
)

KEPT = "CASE f.state WHEN 'kept' THEN true WHEN 'broken' THEN false END"

VIEW = View(
    "promise_fact",
    "Every promise that was made to a customer, and what became of it",
    ("case_id", "promise_id"),
    (
        CASE_ID,
        Column("promise_id", "text", "Its number within the case, such as p1"),
        CASE_PRODUCT,
        CASE_QUEUE,
        Column(
            "kind",
            "text",
            "resolution, update, callback, decision, payment, personal_attention or other",
        ),
        Column("state", "text", "open, kept, broken or released, as recorded"),
        Column(
            "is_kept",
            "boolean",
            "True when kept, false when broken; null while open, and when released",
            KEPT,
        ),
        percent("kept_percent", "is_kept", KEPT),
        Column(
            "is_overdue",
            "boolean",
            "Whether it is open although it was due, as of now",
            "f.state = 'open' AND f.due_at < now()",
        ),
        agent("made_by_pseudonym", "Who made it", "f.made_by"),
        Column("made_at", "timestamptz", "When it was made"),
        day("made_day_utc", "made_at"),
        Column(
            "due_at",
            "timestamptz",
            "By when it is to be kept; when it was moved in time, the new date",
        ),
        day("due_day_utc", "due_at"),
        Column(
            "basis",
            "text",
            "How the customer counts until then: elapsed time, business time or civil days",
        ),
        Column("kept_at", "timestamptz", "When it was kept"),
        Column("broken_at", "timestamptz", "When it was found broken, which is after it was due"),
        Column("fulfilled_at", "timestamptz", "When it was done after all, too late"),
        Column(
            "lateness_seconds",
            "bigint",
            "Seconds from due_at to fulfilled_at; null when it was not done too late",
            seconds("f.due_at", "f.fulfilled_at"),
        ),
        count("renegotiated", "How often its date was moved in time", "f.renegotiated"),
        Column("replaces_promise_id", "text", "The broken one it was made for", "f.replaces"),
        Column(
            "has_follow_up",
            "boolean",
            "Whether a follow-up was planned before it is due",
            "f.protected_by IS NOT NULL",
        ),
    ),
    f"ops.promises f {SALTED} {PLACED}",
    ("promises", "cases", "agent_queues"),
)
