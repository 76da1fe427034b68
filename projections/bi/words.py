"""What the facts have in common: pseudonyms, days, durations, and the columns made of them."""

from casecore.views import Column

SALTED = "JOIN sys.pseudonym_salt AS secret ON secret.ledger = f.ledger"
"""For views with pseudonyms. Their readers cannot read it: a view reads with its owner's rights."""
PLACED = """
    LEFT JOIN ops.cases c ON c.ledger = f.ledger AND c.case_id = f.case_id
    LEFT JOIN ops.agent_queues q ON q.ledger = f.ledger AND q.case_id = f.case_id
"""
"""For facts of a case, which do not know its product and queue themselves."""

CASE_ID = Column("case_id", "uuid", "The case: joins case_fact")
PRODUCT = Column(
    "product", "text", "What the complaint is about: joins dim_product; null when unknown"
)
QUEUE = Column("queue", "text", "The queue its case waits in, or came from: joins dim_queue")
CASE_PRODUCT = PRODUCT._replace(sql="c.product")
CASE_QUEUE = QUEUE._replace(sql="q.queue")


def agent(name: str, comment: str, sql: str) -> Column:
    """Whoever works at the desk, as the same 16 digits wherever they appear."""
    return Column(name, "text", f"{comment}: a pseudonym, joins dim_agent", pseudonym("agent", sql))


def customer(name: str, comment: str, sql: str) -> Column:
    return Column(name, "text", f"{comment}: a pseudonym", pseudonym("customer", sql))


def pseudonym(kind: str, sql: str) -> str:
    hashed = f"sha256(secret.salt || convert_to('{kind}/' || {sql}, 'UTF8'))"
    return f"encode(substr({hashed}, 1, 8), 'hex')"


def day(name: str, of: str, sql: str = "") -> Column:
    """The day of a time; a cast to date would go by the time zone of whoever asks."""
    comment = f"The day of {of}, in UTC: joins dim_date"
    return Column(name, "date", comment, f"{sql or f'f.{of}'} AT TIME ZONE 'UTC'")


def count(of: str, comment: str, sql: str) -> Column:
    return Column(f"{of}_count", "bigint", comment, f"coalesce({sql}, 0)")


def percent(name: str, of: str, sql: str) -> Column:
    """BI tools average numbers, and no booleans."""
    comment = f"100 when {of} is true, 0 when it is false, else null: its average is the percentage"
    return Column(name, "integer", comment, f"({sql})::integer * 100")


def seconds(since: str, until: str) -> str:
    return f"floor(extract(epoch FROM {until} - {since}))"
