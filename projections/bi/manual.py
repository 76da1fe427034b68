"""docs/bi.md: how to read schema bi, and what every column means."""

from collections.abc import Iterator
from importlib.resources import files

from casecore.views import View, digest, shape
from projections.bi import VIEWS

PLACE = "<!-- tables -->\n"
"""Where in the guide the tables are described."""


def manual() -> str:
    guide = files("projections.bi").joinpath("guide.md").read_text("utf-8")
    before, after = guide.split(PLACE)
    tables = "\n".join(line for view in VIEWS for line in described(view))
    return f"{before}Shape `{digest(shape(VIEWS))}`.\n\n{tables}\n{after}"


def described(view: View) -> Iterator[str]:
    yield f"### {view.relation}"
    yield ""
    yield f"{view.comment}. One row for each {' and '.join(('ledger', *view.key))}."
    yield ""
    yield "| column | type | what it says |"
    yield "|---|---|---|"
    for column in view.columns:
        yield f"| `{column.name}` | {column.type} | {column.comment} |"
    yield ""
