"""Prometheus metrics. Nothing here has a tenant, a job or a text as a label."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from domain.job import JobStatus

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """One registry for one app, so that two apps in a process don't meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "deliberate_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "deliberate_http_request_seconds",
            "Time to answer, long polls included.",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._jobs = self._gauge("deliberate_jobs", "Jobs by status.", "status")
        self._deliveries = self._gauge("deliberate_webhook_deliveries", "Webhook deliveries by state.", "state")
        self._oldest = self._gauge("deliberate_oldest_queued_seconds", "Age of the oldest queued job.")
        self._outbox = self._gauge("deliberate_outbox_depth", "Outbox rows not relayed yet.")
        self._database = self._gauge("deliberate_database_up", "1 when Postgres answered, else 0.")

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def database(
        self, jobs: Mapping[JobStatus, int], deliveries: Mapping[str, int], oldest_queued_s: float, outbox_depth: int
    ) -> None:
        self._database.set(1)
        self._oldest.set(oldest_queued_s)
        self._outbox.set(outbox_depth)
        for status, count in jobs.items():
            self._jobs.labels(status.value).set(count)
        for state, count in deliveries.items():
            self._deliveries.labels(state).set(count)

    def database_down(self) -> None:
        """Old numbers would look like present ones: they are taken away."""
        self._database.set(0)
        self._jobs.clear()
        self._deliveries.clear()
        self._oldest.set(float("nan"))
        self._outbox.set(float("nan"))

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)
