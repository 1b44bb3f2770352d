"""What encryption at rest and the audit chain cost, sealed and plain side by side in one run.

    python benchmarks/encryption.py [--folder FOLDER] [--supports 2000] [--repeats 400] [--seed 0]

Single adds, answers and prediction-log writes of a plain and of an encrypted workspace alternate,
so that both see the same machine at the same time. Vectors are of 384 dimensions and texts of 60
bytes, without an encoder: `--encoder minilm-l6` adds whole `classify` and `teach` calls with one.
Prints one JSON document; the record is docs/measurements/encryption.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import imprint
from imprint.settings import Settings
from imprint.store import open_store
from imprint.store.ports import AnswerRow, CollectionRow, NewSupport, Store, TenantStore
from imprint.store.sealing.masters.local import LocalMasterKey
from imprint.store.sealing.sealing_key import SealingKey
from imprint.store.trail.chain import Content, digest_of, linked
from imprint.types import RawItem
from machine import machine, say, spread_ms, timed, versions

DIM = 384
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLLECTION = "c1"
MASTER = LocalMasterKey(bytes(range(32)))


def supports(n: int, first: int, seed: int) -> list[NewSupport]:
    rows = np.random.default_rng(seed + first).normal(size=(n, DIM)).astype(np.float32)
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


def opened(folder: Path, *, sealed: bool) -> Store:
    store = open_store(folder, master_keys=[MASTER] if sealed else [])
    row = CollectionRow(COLLECTION, "c", "text", "bench", "bench@1", DIM, {}, 0, NOW)
    with store.tenant("bench").transaction("create", actor="bench", now=NOW) as transaction:
        transaction.create_collection(row)
    return store


def teach(tenant: TenantStore, group: list[NewSupport]) -> None:
    with tenant.transaction("teach", actor="bench", now=NOW, collection="c") as transaction:
        transaction.add_supports(COLLECTION, group)


def answer(number: int, vector: np.ndarray) -> AnswerRow:
    return AnswerRow(
        f"a{number}", COLLECTION, f"{number:064d}", vector, "bench@1", 1, 1, "recognized",
        "class 1", 0.9, {"candidates": [["class 1", 0.9]] * 5}, NOW,
    )  # fmt: skip


def in_turn(actions: dict[str, Callable[[int], object]], repeats: int) -> dict[str, object]:
    """Time the actions alternately; the ratio is of medians."""
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(repeats):
        for name, action in actions.items():
            start = time.perf_counter()
            action(number)
            taken[name].append(time.perf_counter() - start)
    told: dict[str, object] = {name: spread_ms(times) for name, times in taken.items()}
    plain, sealed = (statistics.median(taken[name]) for name in ("plain", "sealed"))
    return told | {"sealed over plain": round(sealed / plain, 3)}


def primitives(repeats: int) -> dict[str, float]:
    """Microseconds of the parts, on one core."""
    key = SealingKey(1, bytes(32))
    vector, place = bytes(DIM * 4), b"embeddings|1|1|1|bench@1"
    sealed = key.seal(vector, place)
    content = Content(1, 1, 1, "ann", "teach", "c", "{}")
    parts = {
        "seal a vector": lambda: key.seal(vector, place),
        "open a vector": lambda: key.open(sealed, place),
        "digest and link an audit row": lambda: linked(bytes(32), digest_of(bytes(16), content)),
    }
    return {
        name: round(statistics.median(timed(part, repeats * 10)) * 1e6, 2)
        for name, part in parts.items()
    }


def store_figures(folder: Path, n: int, repeats: int, seed: int) -> dict[str, object]:
    stores = {name: opened(folder / name, sealed=name == "sealed") for name in ("plain", "sealed")}
    tenants = {name: store.tenant("bench") for name, store in stores.items()}
    for start in range(0, n, 256):
        group = supports(min(256, n - start), start, seed)
        for tenant in tenants.values():
            teach(tenant, group)
    singles = supports(repeats, 1_000_000, seed)
    rows = [answer(number, s.vector) for number, s in enumerate(singles)]
    told: dict[str, object] = {
        "one durable add": in_turn(
            {k: lambda i, t=t: teach(t, [singles[i]]) for k, t in tenants.items()}, repeats
        ),
        "load all supports": in_turn(
            {k: lambda _, t=t: t.changes(COLLECTION) for k, t in tenants.items()}, 15
        ),
        "log one answer": in_turn(
            {k: lambda i, t=t: t.log_answers([rows[i]]) for k, t in tenants.items()}, repeats
        ),
        "sequence()": in_turn(
            {k: lambda _, t=t: t.sequence(COLLECTION) for k, t in tenants.items()}, repeats
        ),
        "read one raw sample": in_turn(
            {k: lambda i, t=t: t.raw(COLLECTION, f"s{i}") for k, t in tenants.items()},
            min(repeats, n),
        ),
        "bytes on disk": {
            k: sum(p.stat().st_size for p in (folder / k).rglob("*") if p.is_file())
            for k in tenants
        },
    }
    start = time.perf_counter()
    done = stores["sealed"].custody.reseal("bench", actor="bench", clock=lambda: NOW, rotate=True)
    told["rotation, rows/s"] = round(sum(done.n_rows.values()) / (time.perf_counter() - start))
    start = time.perf_counter()
    report = stores["sealed"].trail.verify()
    told["audit verify, rows/s"] = round(report.n_rows / (time.perf_counter() - start))
    for store in stores.values():
        store.close()
    return told


def whole_calls(folder: Path, encoder: str, repeats: int) -> dict[str, object]:
    """`classify` and `teach` with an encoder, 50 classes of 5 texts."""
    words = [f"customer question number {n} about topic {n % 50} please help" for n in range(250)]
    spaces = {}
    for name in ("plain", "sealed"):
        settings = Settings(text_encoder=encoder, master_key="01" * 32 if name == "sealed" else "")
        workspace = imprint.open(folder / f"calls {name}", settings=settings)
        collection = workspace.collection("c", "text")
        list(collection.teach_many((f"topic {n % 50}", word) for n, word in enumerate(words)))
        collection.classify("warm up")
        spaces[name] = (workspace, collection)
    told = {
        "classify": in_turn(
            {
                k: lambda i, c=c: c.classify(f"a new question {i} please")
                for k, (_, c) in spaces.items()
            },
            repeats,
        ),
        "teach": in_turn(
            {k: lambda i, c=c: c.teach("topic 1", f"one more {i}") for k, (_, c) in spaces.items()},
            repeats // 4,
        ),
    }
    for workspace, _ in spaces.values():
        workspace.close()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="which disk is measured")
    parser.add_argument("--supports", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", help="also time whole calls with this text encoder")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        told: dict[str, object] = {
            "machine": machine(),
            "versions": versions("cryptography", "sqlalchemy", "numpy"),
            "parts, us": primitives(given.repeats),
            **store_figures(folder, given.supports, given.repeats, given.seed),
        }
        say("the store is timed")
        if given.encoder:
            told |= whole_calls(folder, given.encoder, given.repeats)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
