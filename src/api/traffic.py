"""The requests that come, counted and timed around everything else."""

from bisect import bisect_left
from collections.abc import Awaitable, Iterator
from itertools import accumulate
from time import perf_counter
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Send
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""What the buckets go up to; the last has no end."""
NO_ROUTE = "none"
"""In place of the path and the method of what no route was found for, which could be anything."""


class Timing:
    """Of the requests to one route, by one method, answered with one class of status."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0


class Traffic(Collector):
    """Costs a request a microsecond or two: it keeps plain numbers, of which metrics are made when
    they are asked for."""

    def __init__(self) -> None:
        self._timings: dict[tuple[str, str, int], Timing] = {}

    def around(self, app: ASGIApp) -> ASGIApp:
        timings = self._timings

        async def counted(scope: Any, receive: Receive, send: Send) -> None:
            began = perf_counter()
            status = 500

            def seen(message: Message) -> Awaitable[None]:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                return send(message)

            try:
                await app(scope, receive, seen)
            finally:
                seconds = perf_counter() - began
                # The router has left there what it found.
                route = scope.get("path_template")
                method = scope["method"] if route else NO_ROUTE
                key = route or NO_ROUTE, method, status // 100
                timing = timings.get(key)
                if timing is None:
                    timing = timings[key] = Timing()
                timing.counts[bisect_left(SECONDS, seconds)] += 1
                timing.seconds += seconds

        return counted

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "casecore_http_request_duration_seconds",
            "From the head of a request to the end of its answer, by route, method and class of"
            " status; of this process",
            labels=("route", "method", "status"),
        )
        for (route, method, status), timing in sorted([*self._timings.items()]):
            upto = zip((*map(str, SECONDS), "+Inf"), accumulate(timing.counts), strict=True)
            family.add_metric((route, method, f"{status}xx"), [*upto], timing.seconds)
        yield family
