"""A row for each solution of the library, and for each kind of proposer."""

from casecore.views import Column, View
from projections.bi.words import SALTED, agent, count
from projections.solutions import Z

ACCEPTED, OFFERED = "f.accepted::float8", "f.offered::float8"
SPREAD = (
    f"{Z} * sqrt(greatest(0, {ACCEPTED} / {OFFERED} * (1 - {ACCEPTED} / {OFFERED}) / {OFFERED}"
    f" + {Z}^2 / (4 * {OFFERED}^2)))"
)
LOW = f"({ACCEPTED} / {OFFERED} + {Z}^2 / (2 * {OFFERED}) - {SPREAD}) / (1 + {Z}^2 / {OFFERED})"
"""The lower bound of the Wilson score interval."""

VIEW = View(
    "solution_fact",
    "What has been tried to put complaints right, and how well it did: a row for each solution of"
    " the library, and one for each kind of proposer. Of the same use of a solution both count, so"
    " keep to one entry_kind when adding up",
    ("entry",),
    (
        Column("entry", "text", "The id of the library's solution, or such as proposer/customer"),
        Column("entry_kind", "text", "library or proposer", "f.kind"),
        Column("status", "text", "draft, trial, endorsed, superseded or withdrawn; of the library"),
        Column("version", "integer", "The newest version of its text; of the library"),
        Column(
            "proposer",
            "text",
            "Whose idea it was: customer, agent, joint or library",
            "CASE f.kind WHEN 'proposer' THEN substr(f.entry, length('proposer/') + 1)"
            " ELSE f.proposer END",
        ),
        Column("source_case_id", "uuid", "The case it comes from: joins case_fact; of the library"),
        Column("superseded_by_entry", "text", "What took its place", "f.superseded_by"),
        agent("endorsed_by_pseudonym", "Who endorsed it", "f.endorsed_by"),
        Column("product", "text", "The product it fits: joins dim_product; null for any"),
        Column("category", "text", "The kind of complaint it fits; null for any"),
        Column("cause_code", "text", "The root cause it fits; null for any"),
        count("offered", "How many times it was offered; amended ones count once", "f.offered"),
        count("accepted", "How many times customers accepted it", "f.accepted"),
        count("rejected", "How many times customers rejected it", "f.rejected"),
        count("verified_worked", "How many times it was found to work", "f.verified_worked"),
        count("verified_failed", "How many times it was found not to", "f.verified_failed"),
        count(
            "reopened", "How many accepted ones were in doubt when a case reopened", "f.reopened"
        ),
        Column(
            "acceptance_low_bp",
            "integer",
            "With 95 % confidence, at least so many hundredths of a percent of those offered are"
            " accepted; null before any was offered",
            f"CASE WHEN f.offered > 0 THEN floor(greatest(0, 10000 * {LOW})) END",
        ),
        Column("updated_at", "timestamptz", "When anything was last recorded about it"),
    ),
    f"ops.solutions f {SALTED}",
    ("solutions",),
)
