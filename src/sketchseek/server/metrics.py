"""Metrics for Prometheus, and the middleware that counts requests."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from sketchseek.server.service import Service

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = {"GET", "POST", "HEAD"}


class Metrics:
    """One registry per server."""

    def __init__(self, service: "Service") -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("sketchseek_requests", "Requests answered.", labels, registry=self.registry)
        seconds = ("sketchseek_request_seconds", "Time until the response was complete.", ("route",))
        self.seconds = Histogram(*seconds, buckets=BUCKETS, registry=self.registry)
        self.registry.register(_GalleryCollector(service))


class _GalleryCollector(Collector):
    """Gauges that are read when the metrics are requested."""

    def __init__(self, service: "Service") -> None:
        self.service = service

    def describe(self) -> Iterable[Metric]:
        return []  # so registering does not count the gallery

    def collect(self) -> Iterable[Metric]:
        stats, indexing = self.service.stats(), self.service.indexing.status
        yield GaugeMetricFamily("sketchseek_photos", "Distinct photos in the gallery.", stats.photos)
        yield GaugeMetricFamily("sketchseek_files_failed", "Files that could not be indexed.", stats.failed)
        running = self.service.searches.in_flight
        yield GaugeMetricFamily("sketchseek_searches_in_flight", "Searches running or waiting.", running)
        pictures = self.service.pictures.in_flight
        yield GaugeMetricFamily("sketchseek_pictures_in_flight", "Pictures being decoded or waiting.", pictures)
        state = GaugeMetricFamily("sketchseek_indexing", "1 for the current state of indexing.", labels=("state",))
        state.add_metric((indexing.state,), 1)
        yield state
        yield GaugeMetricFamily("sketchseek_indexing_done", "Files checked in this run.", indexing.done)
        yield GaugeMetricFamily("sketchseek_indexing_total", "Files to check in this run.", indexing.total or 0)


class RequestCounter:
    """ASGI middleware that counts requests by route; counting by address would make one series for every photo."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note_status)
        finally:
            route = getattr(scope.get("route"), "path", "page")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - started)
