"""What the server counts about itself, in the words of Prometheus.

No series carries a tenant, a collection or a label, so the page holds nothing to guard.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

if TYPE_CHECKING:
    from imprint.serve.limits import Lane

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 4, 8, 30)


class Metrics:
    """Counters of one server; several servers in one process do not share them."""

    def __init__(self) -> None:
        # Their names would end in _created, which no name of ours may.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._began_at = time.monotonic()
        self._requests = Counter(
            "imprint_http_requests_total",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._request_s = self._histogram(
            "imprint_http_request_seconds", "Time from request to last byte.", "route"
        )
        self._queue_s = self._histogram(
            "imprint_queue_seconds", "Time work waited for a thread.", "lane"
        )
        self._work_s = self._histogram("imprint_work_seconds", "Time a thread worked.", "lane")
        self._refused = self._counter("imprint_refusals_total", "Problems answered.", "code")
        self._taught = self._counter("imprint_supports_taught_total", "Receipts given.", "state")
        self._answered = self._counter("imprint_answers_total", "Queries answered.", "decision")
        self._embedded = Counter(
            "imprint_embeddings_total", "Vectors returned to callers.", registry=self._registry
        )
        self._body_bytes = Counter(
            "imprint_http_request_bytes_total", "Bytes of bodies read.", registry=self._registry
        )
        self._gauge("imprint_uptime_seconds", "Time since the server was made.").set_function(
            lambda: time.monotonic() - self._began_at
        )
        self._gauge("imprint_resident_bytes", "Resident memory of the process.").set_function(
            resident_bytes
        )
        self._staleness = self._gauge(
            "imprint_prototype_staleness_seconds",
            "Age of the stalest prototype, at the last round.",
        )
        self._fill = Gauge(
            "imprint_queue_fill_ratio",
            "Share of threads and waiting places taken.",
            ("lane",),
            registry=self._registry,
        )
        self._oldest = Gauge(
            "imprint_oldest_queued_seconds",
            "Wait of the oldest piece of work not begun.",
            ("lane",),
            registry=self._registry,
        )

    def staleness(self, age_s: float) -> None:
        """The stalest prototype of all tenants was found to be that old."""
        self._staleness.set(age_s)

    def watch(self, lane: Lane) -> None:
        """Show the fill and the oldest wait of a lane."""
        self._fill.labels(lane.name).set_function(lambda: lane.fill_ratio)
        self._oldest.labels(lane.name).set_function(lane.oldest_wait_s)

    def request(self, route: str, method: str, status: int, took_s: float) -> None:
        """A request was answered. `route` is the pattern of its address, never the address."""
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._request_s.labels(route).observe(took_s)

    def work(self, lane: str, queued_s: float, worked_s: float) -> None:
        """A lane finished a piece of work."""
        self._queue_s.labels(lane).observe(queued_s)
        self._work_s.labels(lane).observe(worked_s)

    def refused(self, code: str) -> None:
        """A problem was answered."""
        self._refused.labels(code).inc()

    def taught(self, state: str) -> None:
        """A receipt was given."""
        self._taught.labels(state).inc()

    def answered(self, decision: str) -> None:
        """A query was answered."""
        self._answered.labels(decision).inc()

    def embedded(self, n_vectors: int) -> None:
        """Vectors were returned."""
        self._embedded.inc(n_vectors)

    def body(self, n_bytes: int) -> None:
        """A body was read."""
        self._body_bytes.inc(n_bytes)

    def page(self) -> bytes:
        """Everything, in the text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(name, text, (label,), registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry)

    def _histogram(self, name: str, text: str, label: str) -> Histogram:
        return Histogram(name, text, (label,), buckets=_BUCKETS, registry=self._registry)


def resident_bytes() -> float:
    """Memory of this process that is in RAM now (the peak where the system tells only that)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return float(pages * _page_bytes())
    except (OSError, ValueError, IndexError):
        return _peak_bytes()


def _page_bytes() -> int:
    import mmap

    return mmap.PAGESIZE


def _peak_bytes() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
