"""A row for each agent and day on which they did something, or something of theirs came out."""

from casecore.views import Column, View
from projections.bi.words import SALTED, agent, count

DAY = "AT TIME ZONE 'UTC')::date"
DONE = f"""
    SELECT ledger, actor AS agent, (occurred_at {DAY} AS day, type AS what, true AS acted, case_id
    FROM ops.timeline WHERE role IN ('agent', 'supervisor', 'admin')
    UNION ALL
    SELECT ledger, agent, (occurred_at {DAY}, 'given', false, case_id
    FROM ops.timeline WHERE agent IS NOT NULL
    UNION ALL
    SELECT ledger, made_by, (made_at {DAY}, 'promised', false, case_id
    FROM ops.promises
    UNION ALL
    SELECT ledger, made_by, (kept_at {DAY}, 'kept', false, case_id
    FROM ops.promises WHERE state = 'kept'
    UNION ALL
    SELECT ledger, made_by, (due_at {DAY}, 'broken', false, case_id
    FROM ops.promises WHERE state = 'broken'
"""
COUNTED = {
    "resolved": ("ComplaintResolved",),
    "closed": ("CaseClosed",),
    "responses": ("ResponseSent",),
    "updates": ("ProgressUpdateSent",),
    "escalations": ("ComplaintEscalated",),
    "attempts": ("CallbackAttempted",),
    "called_back": ("CustomerCalledBack",),
    "offered": ("DiscountOffered", "GoodwillOffered"),
    "approved": ("GoodwillApproved",),
    "given": ("given",),
    "promised": ("promised",),
    "kept": ("kept",),
    "broken": ("broken",),
}
COUNTS = ", ".join(
    f"count(*) FILTER (WHERE what IN ({', '.join(repr(one) for one in whats)})) AS {name}"
    for name, whats in COUNTED.items()
)

VIEW = View(
    "agent_day",
    "What each agent did on each day, in UTC, by when things happened; a day on which nothing did"
    " has no row. What services and casecore itself did does not count",
    ("agent_pseudonym", "day_utc"),
    (
        agent("agent_pseudonym", "Who did it", "f.agent"),
        Column("day_utc", "date", "The day, in UTC: joins dim_date", "f.day"),
        count("event", "How many events they recorded", "f.events"),
        count("case_touched", "In how many cases that was", "f.cases"),
        count("case_assigned", "How often they became the owner of a case", "f.given"),
        count("case_resolved", "How many complaints they resolved", "f.resolved"),
        count("case_closed", "How many cases they closed", "f.closed"),
        count("response", "How many responses they sent", "f.responses"),
        count("progress_update", "How often they told a customer how it stands", "f.updates"),
        count("escalation", "How often they escalated a complaint", "f.escalations"),
        count(
            "callback_attempt", "How many callbacks they tried that came to nothing", "f.attempts"
        ),
        count("called_back", "How many customers they called back", "f.called_back"),
        count("promise_made", "How many promises they made", "f.promised"),
        count("promise_kept", "How many of theirs were kept that day", "f.kept"),
        count("promise_broken", "How many of theirs were due that day, and broken", "f.broken"),
        count("goodwill_offer", "How many goodwill offers they made", "f.offered"),
        count("goodwill_approval", "How many goodwill offers they approved", "f.approved"),
    ),
    f"""
        (
            SELECT ledger, agent, day, count(*) FILTER (WHERE acted) AS events,
                   count(DISTINCT case_id) FILTER (WHERE acted) AS cases, {COUNTS}
            FROM ({DONE}) AS done GROUP BY ledger, agent, day
        ) AS f {SALTED}
    """,
    ("timeline", "promises"),
)
