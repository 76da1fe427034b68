"""The dashboard asks for what there is."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from casecore.database import Pool
from casecore.recorder import Recorder
from tests.projections.bi.following import ask, follow


def loaded() -> ModuleType:
    path = Path(__file__).parents[3] / "docker/superset/dashboard.py"
    spec = spec_from_file_location("dashboard", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHARTS = loaded().CHARTS


@pytest.mark.parametrize("chart", CHARTS, ids=[chart.title for chart in CHARTS])
async def test_every_chart_can_be_drawn(pool: Pool, recorder: Recorder, chart: tuple) -> None:
    await follow(pool, recorder)
    _, view, _, params = chart
    by = [*params.get("groupby", ()), *params.get("all_columns", ())]
    by += [params["x_axis"]] if "x_axis" in params else []
    metrics = [*params.get("metrics", ()), *([params["metric"]] if "metric" in params else [])]
    asked = [*by, *(metric["sqlExpression"] for metric in metrics)]
    grouped = f"GROUP BY {', '.join(by)}" if by and metrics else ""
    where = " AND ".join(only["sqlExpression"] for only in params.get("adhoc_filters", ()))
    await ask(pool, f"SELECT {', '.join(asked)} FROM bi.{view} WHERE {where or 'true'} {grouped}")


def test_a_bundle_names_each_file_and_each_thing_once() -> None:
    files = list(loaded().bundle())
    assert len({name for name, _ in files}) == len(files)
    ids = [said["uuid"] for name, said in files if "uuid" in said]
    assert len({*ids}) == len(ids) == len(files) - 1
