"""Rates that hold for all worker processes of a workspace: counts in a small file of their own.

A minute's limit is a bucket that fills evenly (generic cell rate algorithm, ITU-T I.371): a tenant
that was silent may ask a minute's worth at once. A day's limit counts by days of UTC. Counts are no
records: the file is written without waiting for the disk, and losing it forgives at most one day.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MINUTE_S = 60.0
_DAY_S = 86_400.0
# Another process holds the file for microseconds; if it was stopped while holding it, nobody waits.
_PATIENCE_S = 0.05
_TABLE = (
    "CREATE TABLE IF NOT EXISTS rates (tenant TEXT PRIMARY KEY, full_at REAL NOT NULL, "
    "day INTEGER NOT NULL, n_day INTEGER NOT NULL) WITHOUT ROWID"
)
_READ = "SELECT full_at, day, n_day FROM rates WHERE tenant = ?"
_WRITE = "INSERT OR REPLACE INTO rates VALUES (?, ?, ?, ?)"


class RateBook:
    """Counts requests by tenant. Made once per process; safe to share by threads."""

    def __init__(self, path: Path | None) -> None:
        """`path` names the file, None counts in this process alone."""
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path,
            isolation_level=None,
            check_same_thread=False,
            timeout=_PATIENCE_S,
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute(_TABLE)

    def take(self, tenant: str, per_minute: int | None, per_day: int | None, now_s: float) -> float:
        """Count one request; returns 0, or after how many seconds it may come back.

        A refused request is not counted. `now_s` is wall time, which processes share. Where the
        file cannot be had in time the request goes through: a limit must not stop the service.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return 0.0
            try:
                return self._count(tenant, per_minute, per_day, now_s)
            finally:
                with suppress(sqlite3.OperationalError):
                    self._connection.execute("COMMIT")

    def close(self) -> None:
        """Give the file up."""
        with self._lock:
            self._connection.close()

    def _count(
        self, tenant: str, per_minute: int | None, per_day: int | None, now_s: float
    ) -> float:
        today = int(now_s // _DAY_S)
        row = self._connection.execute(_READ, (tenant,)).fetchone()
        full_at, day, n_day = row or (now_s, today, 0)
        n_day = n_day if day == today else 0
        # More than a minute ahead only after a clock was set back, which must lock nobody out.
        full_at = now_s if full_at > now_s + _MINUTE_S else max(full_at, now_s)
        wait_s = _wait_s(full_at, per_minute, now_s)
        if per_day is not None and n_day >= per_day:
            wait_s = max(wait_s, (today + 1) * _DAY_S - now_s)
        if wait_s > 0:
            return wait_s
        step_s = _MINUTE_S / per_minute if per_minute else 0.0
        self._connection.execute(_WRITE, (tenant, full_at + step_s, today, n_day + 1))
        return 0.0


def _wait_s(full_at: float, per_minute: int | None, now_s: float) -> float:
    if per_minute is None:
        return 0.0
    if per_minute == 0:
        return _MINUTE_S
    # A hair's breadth of slack, or the sum of sixty sixtieths would refuse the last one.
    return max(0.0, full_at + _MINUTE_S / per_minute - now_s - _MINUTE_S - 1e-6)
