"""The prediction log, written behind the answers: grouped commits by one background thread.

An answer never waits for the disk. What is buffered when a process is killed is lost (at most half
a second of log, never a support); `flush` makes everything said so far durable.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from imprint.errors import ImprintError

if TYPE_CHECKING:
    from imprint.store.ports import AnswerRow, TenantStore

_FLUSH_AFTER_S = 0.5
_FLUSH_AT_ROWS = 256
# When the disk is full the log gives way rather than memory or answers.
_MOST_BUFFERED = 20_000


class AnswerLog:
    """Buffer of answered queries, shared by all collections and tenants of a workspace."""

    def __init__(self) -> None:
        self._rows: list[tuple[TenantStore, AnswerRow]] = []
        self._wake = threading.Condition()
        self._writing = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.n_dropped = 0

    def append(self, tenant: TenantStore, row: AnswerRow) -> None:
        """Take one row; returns at once."""
        with self._wake:
            if len(self._rows) >= _MOST_BUFFERED:
                self.n_dropped += 1
                return
            self._rows.append((tenant, row))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="imprint-answer-log", daemon=True
                )
                self._thread.start()
            if len(self._rows) in (1, _FLUSH_AT_ROWS):
                self._wake.notify()

    def flush(self) -> None:
        """Write everything taken so far, then return."""
        with self._writing:
            with self._wake:
                rows, self._rows = self._rows, []
            grouped: dict[int, list[AnswerRow]] = defaultdict(list)
            tenants = {id(tenant): tenant for tenant, _ in rows}
            for tenant, row in rows:
                grouped[id(tenant)].append(row)
            for key, some in grouped.items():
                try:
                    tenants[key].log_answers(some)
                except ImprintError:
                    # A full or read-only disk must not stop answers; doctor reports the count.
                    self.n_dropped += len(some)

    def close(self) -> None:
        """Flush and stop the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._rows or self._closed)
                if self._closed:
                    return
                self._wake.wait_for(
                    lambda: len(self._rows) >= _FLUSH_AT_ROWS or self._closed, _FLUSH_AFTER_S
                )
            self.flush()
