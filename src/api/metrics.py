"""Metrics for Prometheus: read when they are asked for, and kept by nobody."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from litestar import route
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from api import given
from api.answers import Answer
from api.desk import Desk
from api.given import AnyRequest, Door
from api.reading import READ
from api.traffic import Traffic
from api.verdicts import Verdict, verdicts
from casecore.actors import Role
from casecore.asking import LEADS
from casecore.following.progress import Progress

METRICS = "/metrics"
MAY_SCRAPE = LEADS | {Role.AUDITOR, Role.BI}
TEXT = (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode())


class Gauge(NamedTuple):
    """Of a read model."""

    name: str
    help: str
    of: Callable[[Progress], float]


GAUGES = (
    Gauge(
        "position", "Position of the ledger that the read model has come to.", lambda p: p.position
    ),
    Gauge("lag_events", "Events of the ledger that the read model has not seen.", lambda p: p.lag),
    Gauge(
        "lag_seconds",
        "Age of the first event that the read model has not seen; 0 when it has seen all.",
        lambda p: p.lag_seconds,
    ),
    Gauge(
        "parked_rows",
        "Rows that wait for somebody, because an event about them could not be folded.",
        lambda p: p.parked,
    ),
    Gauge(
        "oldest_parked_seconds",
        "How long the longest parked row has waited; 0 when none is parked.",
        lambda p: p.parked_seconds,
    ),
    Gauge("stopped", "1 when the read model cannot go on at all.", lambda p: p.error is not None),
    Gauge(
        "building",
        "1 while the read model is made anew beside the one that serves.",
        lambda p: p.building is not None,
    ),
    Gauge("runners", "Processes that follow the ledger for the read model.", lambda p: p.runners),
)


class Families(Collector):
    """What was found for one scrape."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self.found = found

    def collect(self) -> Iterable[Metric]:
        return self.found


def shows_metrics(door: Door, traffic: Traffic) -> HTTPRouteHandler:
    """Of the whole process, and of the ledger that the key is for: as everywhere, no key opens
    another, whatever its role."""
    registry = CollectorRegistry()
    registry.register(traffic)
    ProcessCollector(registry=registry)

    @route(METRICS, http_method=READ)
    async def metrics(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        given.refuse_others(caller.actor, MAY_SCRAPE)
        desk = caller.desk
        found = Families(
            [
                *of_read_models(desk.ledger, await desk.feed.status()),
                *of_ledger(desk, await desk.recorder.head()),
                of_checks(await verdicts(door.desks.checks)),
            ]
        )
        # To write it all down takes longer than requests should have to wait.
        written = await asyncio.gather(
            *(asyncio.to_thread(generate_latest, source) for source in (registry, found))
        )
        return Answer(b"".join(written), [TEXT])

    return metrics


def of_read_models(ledger: str, found: Sequence[Progress]) -> Iterator[Metric]:
    for name, help, of in GAUGES:
        family = GaugeMetricFamily(
            f"casecore_projection_{name}", help, labels=("ledger", "projection")
        )
        for one in found:
            family.add_metric((ledger, one.name), of(one))
        yield family


def of_ledger(desk: Desk, head: int) -> Iterator[Metric]:
    appender, feed = desk.appender, desk.feed
    position = GaugeMetricFamily(
        "casecore_ledger_position", "Position of the last event of the ledger.", labels=("ledger",)
    )
    flushes = CounterMetricFamily(
        "casecore_append_flushes", "Flushes to the ledger by this process.", labels=("ledger",)
    )
    appended = CounterMetricFamily(
        "casecore_append_events", "Events appended by this process.", labels=("ledger",)
    )
    queue = GaugeMetricFamily(
        "casecore_append_queue_requests",
        "Requests of this process that wait for a flush.",
        labels=("ledger",),
    )
    batches = SummaryMetricFamily(
        "casecore_feed_batch_events",
        "Events that the feed of this process found new, each time that there were any.",
        labels=("ledger",),
    )
    names = (desk.ledger,)
    position.add_metric(names, head)
    flushes.add_metric(names, appender.flushes)
    appended.add_metric(names, appender.appended)
    queue.add_metric(names, appender.queued)
    batches.add_metric(names, count_value=feed.batches, sum_value=feed.told)
    return iter((position, flushes, appended, queue, batches))


def of_checks(found: dict[str, Verdict]) -> Metric:
    family = GaugeMetricFamily(
        "casecore_check_ok",
        "1 when what the check watches over is as it should be.",
        labels=("check",),
    )
    for name, verdict in found.items():
        family.add_metric((name,), verdict.ok)
    return family
