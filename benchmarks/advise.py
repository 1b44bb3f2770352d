"""Labels `advise` needs to reach what random labeling reaches with twenty a class.

    python benchmarks/advise.py ../shared/data --vectors build/report-vectors

A collection in memory, with vectors looked up, is taught in rounds: `collection.advise` names a
batch, it is taught, and the next round starts from there. Random labeling draws from the same pool
without regard to classes; its accuracy at twenty labels times the number of classes, mean over
seeds, is the target. Prints one JSON line a set; the record is docs/measurements/advise.md.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import imprint
from embedded import Embedded, Shelf
from imprint.errors import ImprintError
from machine import machine, say, versions

PER_CLASS = 20
# Set, and where its test rows come from: another set, or a share of its own rows.
TASKS = {"banking77": ("banking77_train", "banking77_test"), "it_tickets": ("it_tickets", None),
         "injongo_swa": ("injongo_swa", None)}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A pool to label from and queries to be right about, as rows of one matrix."""

    vectors: np.ndarray
    labels: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    source: Embedded

    @property
    def n_way(self) -> int:
        return len(np.unique(self.labels[self.pool]))


class Given:
    """The built-in encoder with its vectors looked up by row number."""

    name, modality = "given", "text"

    def __init__(self, task: Task) -> None:
        self.vectors, self.dim = task.vectors, task.vectors.shape[1]
        self.version = "given@0000000000000000"
        self.background = task.source.encoder.background

    def encode(self, samples):
        return self.vectors[[int(sample.value) for sample in samples]]


def task_of(shelf: Shelf, name: str) -> Task:
    source, test = TASKS[name]
    pool = shelf(source)
    if test is not None:
        asked = shelf(test)
        n_pool = len(pool.vectors)
        return Task(
            np.concatenate([pool.vectors, asked.vectors]),
            np.concatenate([pool.labels, asked.labels]),
            np.arange(n_pool),
            np.arange(n_pool, n_pool + len(asked.vectors)),
            pool,
        )
    order = np.random.default_rng(0).permutation(len(pool.vectors))
    n_test = len(order) // 3
    return Task(pool.vectors, pool.labels, order[n_test:], order[:n_test], pool)


def taught(task: Task, head: str):
    workspace = imprint.open()
    policy = {"head": head, "log_answers": False, "keep_raw": False}
    return workspace, workspace.collection(
        "pool", modality="text", encoder=Given(task), policy=policy
    )


def teach(collection, task: Task, rows: list[int]) -> None:
    outcomes = collection.teach_many(((task.labels[row], str(row)) for row in rows), batch=1000)
    failed = [one for one in outcomes if isinstance(one, ImprintError)]
    assert not failed, failed[0]
    collection.settle()


def accuracy(collection, task: Task) -> float:
    answers = collection.classify_many([str(row) for row in task.test], top_k=1)
    given = [one.candidates[0].label if one.candidates else None for one in answers]
    return float(np.mean(np.array(given, dtype=object) == task.labels[task.test]))


def by_chance(task: Task, head: str, seed: int, n_labels: int) -> float:
    rows = np.random.default_rng(seed).permutation(task.pool)[:n_labels]
    workspace, collection = taught(task, head)
    with workspace:
        teach(collection, task, rows.tolist())
        return accuracy(collection, task)


def by_advice(task: Task, head: str, seed: int, target: float, batch: int) -> dict[str, object]:
    """Label what advise names, a batch a round, until the target is reached."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(task.pool)
    rows = order[: max(2, batch // 4)].tolist()  # a few by chance to start from
    curve, waits = [], []
    workspace, collection = taught(task, head)
    with workspace:
        teach(collection, task, rows)
        while True:
            curve.append((len(rows), accuracy(collection, task)))
            say(f"seed {seed}: {curve[-1][0]} labels, {curve[-1][1]:.4f} of {target:.4f}")
            if curve[-1][1] >= target or len(rows) >= PER_CLASS * task.n_way:
                break
            known = set(rows)
            unlabeled = [row for row in order.tolist() if row not in known]
            start = time.perf_counter()
            chosen = collection.advise([str(row) for row in unlabeled], batch)
            waits.append(time.perf_counter() - start)
            added = [unlabeled[one.position] for one in chosen]
            teach(collection, task, added)
            rows += added
    return {"curve": curve, "advise_s": round(float(np.median(waits)), 2)}


def measured(task: Task, name: str, head: str, seeds: int, batch: int) -> dict[str, object]:
    full = PER_CLASS * task.n_way
    reached = [by_chance(task, head, seed, full) for seed in range(seeds)]
    target = float(np.mean(reached))
    say(f"{name}: random {full} labels reach {target:.4f} ({np.round(reached, 4).tolist()})")
    runs = [by_advice(task, head, seed, target, batch) for seed in range(seeds)]
    needed = [run["curve"][-1][0] for run in runs]
    chance = {
        n: float(np.mean([by_chance(task, head, seed, n) for seed in range(seeds)]))
        for n in sorted({round(full * share) for share in (0.25, 0.5, 0.75)})
    }
    return {
        "set": name,
        "head": head,
        "classes": task.n_way,
        "pool": len(task.pool),
        "test": len(task.test),
        "random_labels": full,
        "random_accuracy": [round(one, 4) for one in reached],
        "random_curve": chance,
        "batch": batch,
        "labels_needed": needed,
        "share": [round(one / full, 3) for one in needed],
        "mean_share": round(float(np.mean(needed)) / full, 3),
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, help="folder of the data sets")
    parser.add_argument("--vectors", type=Path, required=True, help="folder to keep vectors in")
    parser.add_argument("--sets", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--head", default="auto")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20, help="rounds that make twenty a class")
    asked = parser.parse_args()
    shelf = Shelf(asked.shared, asked.vectors)
    print(json.dumps(machine()), versions("imprint", "numpy", "onnxruntime"), sep="\n")
    for name in asked.sets:
        task = task_of(shelf, name)
        batch = max(1, PER_CLASS * task.n_way // asked.rounds)
        found = measured(task, name, asked.head, asked.seeds, batch)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
