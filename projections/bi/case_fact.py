"""A row a case: what it is about, how far it is, how long it took, and how it ended."""

from casecore.views import Column, View
from projections.bi.words import (
    CASE_QUEUE,
    PRODUCT,
    SALTED,
    agent,
    count,
    customer,
    day,
    percent,
    seconds,
)
from projections.sla_clocks import STATE_NOW

EVENTS = """
    SELECT ledger, case_id, count(*) AS events,
           min(occurred_at) FILTER (
               WHERE type IN ('ComplaintAcknowledged', 'AcknowledgementSent')) AS acknowledged_at,
           min(occurred_at) FILTER (WHERE type = 'ResponseSent') AS responded_at,
           min(occurred_at) FILTER (WHERE agent IS NOT NULL) AS assigned_at,
           min(occurred_at) FILTER (WHERE type = 'ComplaintResolved') AS resolved_at,
           count(DISTINCT agent) AS owners,
           count(*) FILTER (WHERE type = 'InteractionStarted') AS conversations,
           count(*) FILTER (WHERE type = 'CustomerContacted') AS contacts,
           count(*) FILTER (WHERE type = 'ResponseSent') AS responses,
           count(*) FILTER (WHERE type = 'ProgressUpdateSent') AS updates,
           count(*) FILTER (WHERE type = 'OwnershipTransferred') AS transfers,
           count(*) FILTER (WHERE type = 'ComplaintEscalated') AS escalations
    FROM ops.timeline GROUP BY ledger, case_id
"""
PROMISES = """
    SELECT ledger, case_id, count(*) AS made, count(*) FILTER (WHERE state = 'kept') AS kept,
           count(*) FILTER (WHERE state = 'broken') AS broken
    FROM ops.promises GROUP BY ledger, case_id
"""
OFFERS = """
    SELECT ledger, case_id, count(*) AS made,
           count(*) FILTER (WHERE state IN ('accepted', 'paid')) AS given
    FROM ops.goodwill GROUP BY ledger, case_id
"""
CLOCKS = f"""
    SELECT ledger, case_id, count(*) FILTER (WHERE state = 'met') AS met,
           count(*) FILTER (WHERE {STATE_NOW.format(now="now()")} = 'breached') AS breached
    FROM ops.sla_clocks GROUP BY ledger, case_id
"""

VIEW = View(
    "case_fact",
    "Every complaint as it stands, however far it is",
    ("case_id",),
    (
        Column("case_id", "uuid", "The case; the people of the desk find it by this id"),
        customer("customer_pseudonym", "Whose complaint it is", "f.customer_ref"),
        Column(
            "is_represented",
            "boolean",
            "Whether somebody complains on behalf of the customer",
            "q.represents IS NOT NULL",
        ),
        Column(
            "stage",
            "text",
            "How far it is: registered, triaged, investigating, solution_offered, resolved, closed,"
            " withdrawn or not_a_complaint",
        ),
        Column("channel", "text", "How it came in: phone, email, web, chat, letter and so on"),
        PRODUCT,
        Column("category", "text", "The kind of complaint, as the desk calls it"),
        CASE_QUEUE,
        agent("owner_pseudonym", "Who is accountable for it now; null while nobody is", "f.owner"),
        Column("priority", "text", "low, normal, high or urgent"),
        Column("severity", "integer", "From 1 to 5, the gravest; null until triaged"),
        Column("heat", "integer", "How upset the customer was when last assessed, from 0 to 4"),
        Column(
            "escalation_tier",
            "integer",
            "How high it has been escalated, 0 when it never was",
            "f.tier",
        ),
        Column(
            "desired_outcome",
            "text",
            "What the customer wants: be_heard, explanation, apology, correction, refund,"
            " compensation or other",
        ),
        Column(
            "intake_source",
            "text",
            "The system or file it was brought in from; null when it was recorded here",
        ),
        Column("received_at", "timestamptz", "When the customer complained"),
        day("received_day_utc", "received_at"),
        Column("registered_at", "timestamptz", "When it was recorded"),
        Column("first_assigned_at", "timestamptz", "When it first had an owner", "t.assigned_at"),
        Column(
            "acknowledged_at",
            "timestamptz",
            "When it was first acknowledged, by word or in writing",
            "t.acknowledged_at",
        ),
        Column(
            "first_response_at",
            "timestamptz",
            "When the customer was first sent a response",
            "t.responded_at",
        ),
        Column(
            "first_resolved_at",
            "timestamptz",
            "When it was first resolved, also if it was opened again since",
            "t.resolved_at",
        ),
        Column("resolved_at", "timestamptz", "When it was resolved; null while it is not"),
        day("resolved_day_utc", "resolved_at"),
        Column("called_back_at", "timestamptz", "When the customer was called after that"),
        Column(
            "closed_at",
            "timestamptz",
            "When it was closed, withdrawn or found to be no complaint; null before",
        ),
        Column(
            "seconds_to_acknowledge",
            "bigint",
            "Seconds from received_at to acknowledged_at, nights and weekends included",
            seconds("f.received_at", "t.acknowledged_at"),
        ),
        Column(
            "seconds_to_first_resolve",
            "bigint",
            "Seconds from received_at to first_resolved_at, nights and weekends included",
            seconds("f.received_at", "t.resolved_at"),
        ),
        Column("is_heard", "boolean", "Whether the customer was listened to", "f.heard"),
        Column("is_apologised", "boolean", "Whether an apology was given", "f.apologised"),
        Column(
            "is_waiting_for_customer",
            "boolean",
            "Whether it waits for the customer now",
            "f.waiting ? 'customer'",
        ),
        Column(
            "is_waiting_for_third_party",
            "boolean",
            "Whether it waits for somebody else outside now",
            "f.waiting ? 'third_party'",
        ),
        Column(
            "outcome",
            "text",
            "upheld, partly_upheld, rejected or heard_no_action; null while unresolved",
        ),
        Column("root_cause", "text", "The code of what caused it; null until found"),
        Column(
            "is_resolved_at_first_contact",
            "boolean",
            "Whether it was resolved when the customer first got in touch; null while unresolved",
            "f.first_contact",
        ),
        percent("first_contact_percent", "is_resolved_at_first_contact", "f.first_contact"),
        count("reopened", "How often it was opened again", "f.reopened"),
        count("event", "How many events it has", "t.events"),
        count("owner", "How many have owned it", "t.owners"),
        count("transfer", "How often an owner passed it on to another", "t.transfers"),
        count("escalation", "How often it was escalated, up or sideways", "t.escalations"),
        count("conversation", "How many conversations there were", "t.conversations"),
        count("customer_contact", "How often the customer wrote or called after it", "t.contacts"),
        count("response", "How many responses the customer was sent", "t.responses"),
        count("progress_update", "How often the customer was told how it stands", "t.updates"),
        count("promise", "How many promises the customer was made", "p.made"),
        count("promise_kept", "How many of them were kept", "p.kept"),
        count("promise_broken", "How many of them were broken", "p.broken"),
        count("goodwill_offer", "How many goodwill offers were made", "g.made"),
        count("goodwill_given", "How many of them were accepted or paid", "g.given"),
        count("clock_met", "How many SLA clocks were met", "k.met"),
        count("clock_breached", "How many SLA clocks are breached as of now", "k.breached"),
        Column("csat", "integer", "How satisfied the customer was when last asked, from 1 to 5"),
        Column("felt_heard", "integer", "How much heard they felt when last asked, from 1 to 5"),
        Column("effort", "integer", "At how much effort, as last answered, from 1 to 7"),
        Column(
            "retention",
            "text",
            "What they did when last looked at: stayed, reduced, left or unknown",
        ),
        Column("updated_at", "timestamptz", "When its last event was recorded"),
    ),
    f"""
        ops.cases f {SALTED}
        LEFT JOIN ops.agent_queues q ON q.ledger = f.ledger AND q.case_id = f.case_id
        LEFT JOIN ({EVENTS}) AS t ON t.ledger = f.ledger AND t.case_id = f.case_id
        LEFT JOIN ({PROMISES}) AS p ON p.ledger = f.ledger AND p.case_id = f.case_id
        LEFT JOIN ({OFFERS}) AS g ON g.ledger = f.ledger AND g.case_id = f.case_id
        LEFT JOIN ({CLOCKS}) AS k ON k.ledger = f.ledger AND k.case_id = f.case_id
    """,
    ("cases", "agent_queues", "timeline", "promises", "goodwill", "sla_clocks"),
)
