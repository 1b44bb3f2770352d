"""Rates hold together for all processes, and give back what time gives back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imprint.store.quota.rates import RateBook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = 1_800_000_000.0


@pytest.fixture
def book() -> Iterator[RateBook]:
    made = RateBook(None)
    yield made
    made.close()


def taken(book: RateBook, n: int, now_s: float, tenant: str = "acme", **limits: int | None) -> int:
    chosen = {"per_minute": None, "per_day": None} | limits
    return sum(book.take(tenant, now_s=now_s, **chosen) == 0 for _ in range(n))


def test_a_minutes_worth_may_come_at_once_and_then_evenly(book: RateBook) -> None:
    assert taken(book, 100, NOON, per_minute=60) == 60
    assert 0.9 < book.take("acme", 60, None, NOON) < 1.1
    assert taken(book, 10, NOON + 3.01, per_minute=60) == 3
    assert taken(book, 100, NOON + 300, per_minute=60) == 60


def test_tenants_do_not_take_from_each_other(book: RateBook) -> None:
    assert taken(book, 20, NOON, per_minute=10) == 10
    assert taken(book, 20, NOON, "umbrella", per_minute=10) == 10


def test_a_day_is_counted_and_says_when_the_next_begins(book: RateBook) -> None:
    assert taken(book, 20, NOON, per_day=10) == 10
    wait_s = book.take("acme", None, 10, NOON)
    assert (NOON + wait_s) % 86_400 == 0
    assert taken(book, 20, NOON + wait_s, per_day=10) == 10


def test_a_refused_request_is_not_counted(book: RateBook) -> None:
    taken(book, 1000, NOON, per_minute=10, per_day=15)
    assert taken(book, 1000, NOON + 600, per_minute=10, per_day=15) == 5


def test_a_clock_that_was_set_back_locks_nobody_out(book: RateBook) -> None:
    taken(book, 10, NOON + 10 * 365 * 86_400, per_minute=10, per_day=10)
    assert taken(book, 20, NOON, per_minute=10, per_day=10) == 10


def test_a_limit_of_nothing_lets_nothing_through(book: RateBook) -> None:
    assert book.take("acme", 0, None, NOON) > 0
    assert book.take("acme", None, 0, NOON) > 0


_OTHER = """
import sys
from pathlib import Path
from imprint.store.quota.rates import RateBook
book = RateBook(Path(sys.argv[1]))
print(sum(book.take("acme", 500, None, 1_800_000_000.0) == 0 for _ in range(400)))
"""


def test_processes_share_one_limit(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OTHER, str(tmp_path / "rates.sqlite")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    # Not one too many; a worker that could not have the file in time may let one through uncounted.
    let_in = sum(int(worker.communicate(timeout=60)[0]) for worker in workers)
    assert 500 <= let_in <= 510


def test_a_file_that_cannot_be_had_stops_nobody(tmp_path: Path) -> None:
    place = tmp_path / "rates.sqlite"
    book = RateBook(place)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert book.take("acme", 0, 0, NOON) == 0.0
    holder.execute("ROLLBACK")
    holder.close()
    assert book.take("acme", 0, 0, NOON) > 0
    book.close()
