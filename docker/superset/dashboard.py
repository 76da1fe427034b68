"""A dashboard for Apache Superset, written from the views: a bundle for it to import.

    .venv/bin/python docker/superset/dashboard.py complaints.zip
    superset import-dashboards --path complaints.zip --username admin

Then edit the database `casecore` in Superset: give its address, and the password of the role.
Superset keeps the charts it has: delete them there before this is imported again.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5
from zipfile import ZIP_DEFLATED, ZipFile

from casecore.views import View
from projections.bi import VIEWS

ADDRESS = "postgresql+psycopg2://superset@postgres:5432/casecore"
VERSION = "1.0.0"
COLUMNS = 12
"""How many a row of the dashboard is wide."""
TEMPORAL = ("date", "timestamptz")


class Chart(NamedTuple):
    title: str
    view: str
    viz_type: str
    params: dict[str, Any]


def metric(label: str, sql: str) -> dict[str, str]:
    return {"expressionType": "SQL", "sqlExpression": sql, "label": label}


def only(sql: str) -> dict[str, str]:
    return {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": sql}


def number(title: str, view: str, sql: str, told: str, format: str = ".1f") -> Chart:
    shown = {"metric": metric(title, sql), "subheader": told, "y_axis_format": format}
    return Chart(title, view, "big_number_total", shown)


def by_month(title: str, view: str, day: str, label: str, sql: str, *by: str) -> Chart:
    along = {"x_axis": day, "time_grain_sqla": "P1M", "groupby": by}
    return Chart(title, view, BARS, {"metrics": [metric(label, sql)], "stack": "Stack", **along})


def given_by_month(title: str) -> Chart:
    """Each currency by itself; a percentage has none before it is paid."""
    day, by = "offered_day_utc", ("currency", "purpose")
    chart = by_month(title, "goodwill_fact", day, "given", GIVEN, *by)
    return chart._replace(params=chart.params | {"adhoc_filters": [only("given_minor > 0")]})


BARS = "echarts_timeseries_bar"
MET = "AVG(met_percent)"
GIVEN = "SUM(given_minor / 10.0 ^ currency_decimals)"
AGENTS = {
    "taken on": "SUM(case_assigned_count)",
    "resolved": "SUM(case_resolved_count)",
    "called back": "SUM(called_back_count)",
    "promises kept": "SUM(promise_kept_count)",
    "promises broken": "SUM(promise_broken_count)",
}
ROWS: tuple[tuple[Chart, ...], ...] = (
    (
        number("Targets met", "clock_fact", MET, "% of those decided"),
        number("First contact", "case_fact", "AVG(first_contact_percent)", "% of those resolved"),
        number("Promises kept", "promise_fact", "AVG(kept_percent)", "% of those settled"),
        number("As of position", "dim_ledger", "MIN(as_of_position)", "of the ledger", ",d"),
    ),
    (
        Chart(
            "Targets met per month",
            "clock_fact",
            "echarts_timeseries_line",
            {
                "x_axis": "due_day_utc",
                "time_grain_sqla": "P1M",
                "groupby": ("target_name",),
                "metrics": [metric("met %", MET)],
            },
        ),
        Chart(
            "Targets met per product",
            "clock_fact",
            BARS,
            {
                "x_axis": "product",
                "xAxisForceCategorical": True,
                "groupby": ("target_name",),
                "metrics": [metric("met %", MET)],
            },
        ),
    ),
    (
        by_month(
            *("Complaints received per month", "case_fact", "received_day_utc", "complaints"),
            *("COUNT(*)", "channel"),
        ),
        given_by_month("Goodwill given per month"),
    ),
    (
        Chart(
            "Queues",
            "dim_queue",
            "table",
            {
                "query_mode": "raw",
                "all_columns": (
                    *("queue", "case_count", "waiting_case_count", "oldest_waiting_received_at"),
                ),
            },
        ),
        Chart(
            "Agents",
            "agent_day",
            "table",
            {
                "query_mode": "aggregate",
                "groupby": ("agent_pseudonym",),
                "metrics": [metric(label, sql) for label, sql in AGENTS.items()],
            },
        ),
        Chart(
            "Whose ideas work",
            "solution_fact",
            "table",
            {
                "query_mode": "raw",
                "all_columns": ("proposer", "offered_count", "accepted_count", "reopened_count"),
                "adhoc_filters": [only("entry_kind = 'proposer'")],
            },
        ),
    ),
)
CHARTS = tuple(chart for row in ROWS for chart in row)


def uuid(*of: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(("casecore/superset", *of))))


def bundle() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file with what it says; JSON is YAML."""
    yield "metadata.yaml", {"version": VERSION, "type": "Dashboard"}
    yield "databases/casecore.yaml", database()
    for view in VIEWS:
        if any(chart.view == view.name for chart in CHARTS):
            yield f"datasets/casecore/{view.name}.yaml", dataset(view)
    for chart in CHARTS:
        yield f"charts/{chart.title.replace(' ', '_')}.yaml", slice_of(chart)
    yield "dashboards/complaints.yaml", dashboard()


def database() -> dict[str, Any]:
    return {
        "version": VERSION,
        "uuid": uuid("database"),
        "database_name": "casecore",
        "sqlalchemy_uri": ADDRESS,
        "expose_in_sqllab": True,
        "extra": {},
    }


def dataset(view: View) -> dict[str, Any]:
    days = [column.name for column in view.columns if column.type in TEMPORAL]
    return {
        "version": VERSION,
        "uuid": uuid(view.name),
        "database_uuid": uuid("database"),
        "schema": "bi",
        "table_name": view.name,
        "description": view.comment,
        "main_dttm_col": next((name for name in days if name.endswith("_day_utc")), None),
        "metrics": [{"metric_name": "count", "metric_type": "count", "expression": "COUNT(*)"}],
        "columns": [
            {
                "column_name": column.name,
                "type": column.type.upper(),
                "is_dttm": column.type in TEMPORAL,
                "groupby": True,
                "filterable": True,
                "description": column.comment,
            }
            for column in view.columns
        ],
    }


def slice_of(chart: Chart) -> dict[str, Any]:
    return {
        "version": VERSION,
        "uuid": uuid("chart", chart.title),
        "dataset_uuid": uuid(chart.view),
        "slice_name": chart.title,
        "viz_type": chart.viz_type,
        "params": {"viz_type": chart.viz_type, "row_limit": 1_000, **chart.params},
    }


def dashboard() -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": "Complaints"}},
    }
    rows = []
    for number, charts in enumerate(ROWS):
        row, height = f"ROW-{number}", 25 if number == 0 else 50
        rows.append(row)
        inside = ["ROOT_ID", "GRID_ID", row]
        for chart in charts:
            id = f"CHART-{chart.title}"
            position[id] = {"type": "CHART", "id": id, "children": [], "parents": inside}
            position[id]["meta"] = {
                "chartId": CHARTS.index(chart) + 1,
                "uuid": uuid("chart", chart.title),
                "sliceName": chart.title,
                "width": COLUMNS // len(charts),
                "height": height,
            }
        ids = [f"CHART-{chart.title}" for chart in charts]
        position[row] = {"type": "ROW", "id": row, "children": ids, "parents": inside[:2]}
        position[row]["meta"] = {"background": "BACKGROUND_TRANSPARENT"}
    position["GRID_ID"] = {
        "type": "GRID",
        "id": "GRID_ID",
        "children": rows,
        "parents": ["ROOT_ID"],
    }
    return {
        "version": VERSION,
        "uuid": uuid("dashboard"),
        "dashboard_title": "Complaints",
        "slug": "complaints",
        "published": True,
        "position": position,
        "metadata": {},
    }


def main() -> None:
    path = Path(sys.argv[1])
    with ZipFile(path, "w", ZIP_DEFLATED) as written:
        for name, said in bundle():
            written.writestr(f"complaints/{name}", json.dumps(said, indent=1))


if __name__ == "__main__":
    main()
