"""What facts are looked at by: days, agents, products, queues; and the ledgers they are of."""

from casecore.views import Column, View
from projections.bi.words import SALTED, count, pseudonym

APPEARING = (
    ("actor", "role", "occurred_at", "timeline"),
    ("on_behalf_of", "NULL", "occurred_at", "timeline"),
    ("agent", "NULL", "occurred_at", "timeline"),
    ("made_by", "NULL", "made_at", "promises"),
    ("endorsed_by", "NULL", "updated_at", "solutions"),
)
AGENTS = " UNION ALL ".join(
    f"""
        SELECT ledger, {agent} AS agent, {role} AS role, min({at}) AS first_at, max({at}) AS last_at
        FROM ops.{model} WHERE {agent} IS NOT NULL GROUP BY 1, 2, 3
    """
    for agent, role, at, model in APPEARING
)
PRODUCTS = """
    SELECT ledger, product, received_at FROM ops.cases
    UNION ALL SELECT ledger, product, NULL FROM ops.sla_clocks
    UNION ALL SELECT ledger, product, NULL FROM ops.solutions
"""
QUEUES = """
    SELECT ledger, queue, received_at, open AND owner IS NULL AS waiting FROM ops.agent_queues
    UNION ALL SELECT ledger, queue, NULL, false FROM ops.sla_clocks
"""
DAYS = """
    SELECT ledger, day::date AS day
    FROM (
        SELECT ledger, date_trunc('year', greatest(
                   min(received_at) AT TIME ZONE 'UTC', timestamp '2000-01-01')) AS first,
               date_trunc('year', now() AT TIME ZONE 'UTC') + interval '2 years' AS until
        FROM ops.cases GROUP BY ledger
    ) AS years
    CROSS JOIN LATERAL generate_series(first, until - interval '1 day', interval '1 day') AS day
"""

ISO_WEEK = "extract(week FROM f.day)"

DATE = View(
    "dim_date",
    "Every day from the year of the first complaint, or 2000, to the end of next year; a civil"
    " calendar, not the one of any desk",
    ("day_utc",),
    (
        Column("day_utc", "date", "The day", "f.day"),
        Column("year", "integer", "Such as 2026", "extract(year FROM f.day)"),
        Column("quarter", "integer", "From 1 to 4", "extract(quarter FROM f.day)"),
        Column("month", "integer", "From 1 to 12", "extract(month FROM f.day)"),
        Column("year_month", "text", "Such as 2026-03", "to_char(f.day, 'YYYY-MM')"),
        Column("iso_year", "integer", "The year its week is of", "extract(isoyear FROM f.day)"),
        Column("iso_week", "integer", "From 1 to 53; weeks begin on Monday", ISO_WEEK),
        Column("iso_weekday", "integer", "From 1, Monday, to 7", "extract(isodow FROM f.day)"),
        Column(
            "is_weekend",
            "boolean",
            "Whether it is a Saturday or Sunday",
            "extract(isodow FROM f.day) > 5",
        ),
    ),
    f"({DAYS}) AS f",
    ("cases",),
)
AGENT = View(
    "dim_agent",
    "Whoever appears in the facts as somebody who works on complaints, services and casecore itself"
    " included; a pseudonym is the same 16 digits wherever it stands",
    ("agent_pseudonym",),
    (
        Column("agent_pseudonym", "text", "Who it is", pseudonym("agent", "f.agent")),
        Column(
            "role",
            "text",
            "In which role they last recorded anything: agent, supervisor, admin, service or"
            " system; null when they never did",
        ),
        Column("first_seen_at", "timestamptz", "When they first appear"),
        Column("last_seen_at", "timestamptz", "When they last appear"),
    ),
    f"""
        (
            SELECT ledger, agent, min(first_at) AS first_seen_at, max(last_at) AS last_seen_at,
                   (array_agg(role ORDER BY last_at DESC) FILTER (WHERE role IS NOT NULL))[1]
                       AS role
            FROM ({AGENTS}) AS seen GROUP BY ledger, agent
        ) AS f {SALTED}
    """,
    ("timeline", "promises", "solutions"),
)
PRODUCT = View(
    "dim_product",
    "Every product that a complaint, a clock or a solution is about",
    ("product",),
    (
        Column("product", "text", "Its code, as the systems around casecore call it"),
        count("case", "How many complaints are about it", "f.cases"),
        Column("first_received_at", "timestamptz", "When the first of those was received"),
        Column("last_received_at", "timestamptz", "When the last of those was received"),
    ),
    f"""
        (
            SELECT ledger, product, count(received_at) AS cases,
                   min(received_at) AS first_received_at, max(received_at) AS last_received_at
            FROM ({PRODUCTS}) AS seen WHERE product IS NOT NULL GROUP BY ledger, product
        ) AS f
    """,
    ("cases", "sla_clocks", "solutions"),
)
QUEUE = View(
    "dim_queue",
    "Every queue that a case waits in, or came from",
    ("queue",),
    (
        Column("queue", "text", "Its name"),
        count("case", "How many cases wait in it, or came from it", "f.cases"),
        count("waiting_case", "How many wait in it for an owner", "f.waiting"),
        Column(
            "oldest_waiting_received_at",
            "timestamptz",
            "When the oldest of those that wait was received",
        ),
    ),
    f"""
        (
            SELECT ledger, queue, count(received_at) AS cases,
                   count(*) FILTER (WHERE waiting) AS waiting,
                   min(received_at) FILTER (WHERE waiting) AS oldest_waiting_received_at
            FROM ({QUEUES}) AS seen WHERE queue IS NOT NULL GROUP BY ledger, queue
        ) AS f
    """,
    ("agent_queues", "sla_clocks"),
)
LEDGER = View(
    "dim_ledger",
    "Every ledger: cases of one have nothing to do with those of another",
    (),
    (
        Column("name", "text", "Its name"),
        Column("last_position", "bigint", "How many events it has: what is behind is to come"),
    ),
    "es.ledger f",
    (
        "cases",
        "agent_queues",
        "timeline",
        "promises",
        "goodwill",
        "solutions",
        "sla_clocks",
    ),
)
VIEWS = (DATE, AGENT, PRODUCT, QUEUE, LEDGER)
