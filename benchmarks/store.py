"""The store, timed beside bare sqlite3 in the same run: durable adds, loading, reads, opening.

    python benchmarks/store.py [--folder FOLDER] [--supports 10000] [--repeats 5]

FOLDER decides which disk is measured (default: the system's temporary folder). Single adds of the
store and of bare sqlite3 alternate, so that both see the same disk at the same time. Prints one
JSON document; the record is docs/measurements/store.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from sqlalchemy import create_engine

from imprint.store import open_store
from imprint.store.ports import CollectionRow, NewSupport, TenantStore
from imprint.store.schema import tables, writes
from imprint.store.session import Session, Statements
from imprint.types import RawItem
from machine import machine, say, spread_ms, timed, versions

DIM = 384
GROUP = 256
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLLECTION = "c1"


def supports(n: int, first: int = 0) -> list[NewSupport]:
    """Texts of 60 bytes with a vector of 384: 1.5 KB each."""
    rng = np.random.default_rng(first)
    rows = rng.normal(size=(n, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [
        NewSupport(
            support_id=f"s{number}",
            label=f"class {number % 250}",
            state="active",
            encoder_version="bench@1",
            content_hash=f"{number:064d}",
            vector=row,
            raw=RawItem(f"{number:060d}".encode(), "text/plain"),
            origin="bench",
        )
        for number, row in enumerate(rows, first)
    ]


def teach(tenant: TenantStore, group: list[NewSupport]) -> None:
    with tenant.transaction("teach", actor="bench", now=NOW, collection="c") as transaction:
        transaction.add_supports(COLLECTION, group)


class Bare:
    """What a careful script would do: one table, one index, WAL, synchronous FULL."""

    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(
            "CREATE TABLE t"
            " (id INTEGER PRIMARY KEY, label TEXT, hash TEXT UNIQUE, raw BLOB, v BLOB)"
        )

    def add(self, group: list[NewSupport]) -> None:
        rows = [
            (s.label, s.content_hash, s.raw.content if s.raw else b"", s.vector.tobytes())
            for s in group
        ]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT INTO t (label, hash, raw, v) VALUES (?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")

    def load(self) -> int:
        rows = self.connection.execute("SELECT id, label, v FROM t ORDER BY id").fetchall()
        return len(np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4").reshape(-1, DIM))


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def flushes(folder: Path) -> dict[str, float]:
    """What one durable write costs on this disk, with no database at all."""
    number = os.open(folder / "flush", os.O_CREAT | os.O_WRONLY)

    def flush() -> None:
        os.write(number, bytes(4096))
        os.fdatasync(number)

    taken = timed(flush, 200)
    os.close(number)
    return spread_ms(taken)


def new_tenant(folder: Path) -> TenantStore:
    tenant = open_store(folder).tenant("bench")
    row = CollectionRow(COLLECTION, "c", "text", "bench", "bench@1", DIM, {}, 0, NOW)
    with tenant.transaction("create", actor="bench", now=NOW) as transaction:
        transaction.create_collection(row)
    return tenant


def groups(n: int) -> Iterator[list[NewSupport]]:
    every = supports(n)
    for start in range(0, n, GROUP):
        yield every[start : start + GROUP]


def grouped(folder: Path, n: int, repeats: int) -> dict[str, object]:
    """Rows a second in groups of 256, store and bare in turn."""
    ours, bare = [], []
    for repeat in range(repeats):
        tenant, rival = new_tenant(folder / f"g{repeat}"), Bare(folder / f"g{repeat}.sqlite")
        taken_s = [0.0, 0.0]
        for group in groups(n):
            taken_s[0] += seconds(partial(teach, tenant, group))
            taken_s[1] += seconds(partial(rival.add, group))
        ours.append(n / taken_s[0])
        bare.append(n / taken_s[1])
    return {"store_rows_per_s": per_s(ours), "bare_sqlite3_rows_per_s": per_s(bare)}


def per_s(rates: list[float]) -> dict[str, int]:
    return {
        "median": round(statistics.median(rates)),
        "min": round(min(rates)),
        "max": round(max(rates)),
    }


def one_by_one(tenant: TenantStore, rival: Bare, first: int, n: int = 500) -> dict[str, object]:
    ours, bare = [], []
    for support in supports(n, first):
        ours.append(seconds(partial(teach, tenant, [support])))
        bare.append(seconds(partial(rival.add, [support])))
    return {"store": spread_ms(ours), "bare_sqlite3": spread_ms(bare)}


def cold(folder: Path, repeats: int) -> dict[str, object]:
    """A fresh process: import the store, open the workspace, read a collection's sequence."""
    program = f"""
import time
start = time.perf_counter()
import numpy
from imprint.store import open_store
imported = time.perf_counter()
import sqlalchemy
library = time.perf_counter()
tenant = open_store({str(folder)!r}).tenant("bench")
tenant.sequence("c1")
opened = time.perf_counter()
print(imported - start, library - imported, opened - library)
"""
    runs = [
        [float(word) for word in subprocess.check_output([sys.executable, "-c", program]).split()]
        for _ in range(repeats + 1)
    ][1:]
    names = ("numpy_and_imprint", "import_sqlalchemy", "open_and_first_read")
    return {
        name: spread_ms(taken) for name, taken in zip(names, zip(*runs, strict=True), strict=True)
    }


def statement(repeats: int = 3000) -> dict[str, object]:
    """One insert in memory through SQLAlchemy Core's usual call and through the store's session."""
    engine = create_engine("sqlite://", paramstyle="named")
    connection = engine.connect()
    tables.metadata.create_all(connection)
    connection.exec_driver_sql("INSERT INTO tenants VALUES (1, 'bench')")
    row = {"tenant": 1, "at": 1, "actor": "a", "verb": "v", "collection": None, "detail": "{}"}
    session = Session(connection, Statements(engine.dialect))
    core = timed(lambda: connection.execute(writes.ADD_AUDIT, row), repeats, 100)
    ours = timed(lambda: session.run(writes.ADD_AUDIT, row), repeats, 100)
    connection.close()
    return {"core_us": median_us(core), "session_us": median_us(ours)}


def median_us(taken: list[float]) -> float:
    return round(statistics.median(taken) * 1e6, 1)


def measured(folder: Path, n: int, repeats: int) -> dict[str, object]:
    say("disk")
    found: dict[str, object] = {"fdatasync_4k": flushes(folder), "one_insert": statement()}
    say(f"{n} rows in groups of {GROUP}")
    found["grouped"] = grouped(folder, n, repeats)
    tenant, rival = new_tenant(folder / "w"), Bare(folder / "bare.sqlite")
    for group in groups(n):
        teach(tenant, group)
        rival.add(group)
    say("loading, reading, opening")
    found["load_store"] = spread_ms(timed(lambda: tenant.changes(COLLECTION), repeats, 1))
    found["load_bare_sqlite3"] = spread_ms(timed(rival.load, repeats, 1))
    found["sequence"] = spread_ms(timed(lambda: tenant.sequence(COLLECTION), 5000))
    found["single_add"] = one_by_one(tenant, rival, n)
    found["open_warm"] = spread_ms(timed(lambda: open_store(folder / "w").close(), repeats))
    found["cold_process"] = cold(folder / "w", repeats)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to make the workspaces")
    parser.add_argument("--supports", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=chosen.folder))
    try:
        found = measured(folder, chosen.supports, chosen.repeats)
    finally:
        shutil.rmtree(folder)
    facts = {"machine": machine(), "versions": versions("imprint", "sqlalchemy", "numpy")}
    facts["sqlite"] = sqlite3.sqlite_version
    facts["load_average"] = os.getloadavg()
    print(json.dumps({**facts, "n_supports": chosen.supports, "dim": DIM, **found}, indent=2))


if __name__ == "__main__":
    main()
