"""Accuracy that `report()` expects from the supports alone, against held-out queries.

    python benchmarks/expectation.py ../shared/data --vectors build/report-vectors

Thirty collections of 2 to 60 random classes of eight sets, each taught 1, 3 and 10 supports a
class, with the built-in encoders and the head a collection takes by itself. The first run embeds
the sets and keeps the vectors in the folder. Prints Markdown tables; the record is
docs/measurements/expectation.md.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from embedded import Embedded, Shelf
from imprint.flows.answering.snapshot import Snapshot
from imprint.flows.judging.report import report_on
from imprint.flows.policy import Policy
from machine import machine, say, versions

SHOTS = (1, 3, 10)
QUERIES_PER_CLASS = 40
# Collections of each set.
DRAWN = {
    "banking77": 6,
    "injongo_eng": 4,
    "injongo_swa": 4,
    "it_tickets": 3,
    "sms_spam": 2,
    "caltech101_val": 4,
    "omniglot_eval": 4,
    "tiny_imagenet_val": 3,
}
# Crops of circuit boards, where guessing from one support fails: six collections, when asked for.
HARD = ("deeppcb",)


@dataclass(frozen=True)
class Judged:
    """One report against the truth. Accuracies and shares within 0 .. 1."""

    source: str
    n_way: int
    n_shot: int
    head: str
    expected: float
    truth: float
    covered: bool
    classes_covered: float
    class_error: float
    seconds: float

    @property
    def error(self) -> float:
        return self.expected - self.truth


def drawn(shelf: Shelf, source: str, rng: np.random.Generator) -> tuple[Embedded, Embedded, list]:
    """A set to teach from, a set to ask from, and the classes of one collection."""
    from_set = shelf("banking77_train" if source == "banking77" else source)
    asked = shelf("banking77_test") if source == "banking77" else from_set
    names, counts = np.unique(from_set.labels, return_counts=True)
    names = names[counts >= max(SHOTS) + 8]
    most = min(60, len(names))
    n_way = round(float(np.exp(rng.uniform(np.log(min(5, most)), np.log(most)))))
    return from_set, asked, rng.choice(names, n_way, replace=False).tolist()


def judged(shelf: Shelf, source: str, seed: tuple[int, ...], head: str) -> list[Judged]:
    """One collection at one, three and ten supports a class; the supports nested."""
    rng = np.random.default_rng(seed)
    from_set, asked, names = drawn(shelf, source, rng)
    order = {name: rng.permutation(np.flatnonzero(from_set.labels == name)) for name in names}
    found = []
    for n_shot in SHOTS:
        rows = np.concatenate([order[name][:n_shot] for name in names])
        if asked is from_set:
            parts = [order[name][max(SHOTS) :][:QUERIES_PER_CLASS] for name in names]
        else:
            parts = [np.flatnonzero(asked.labels == name)[:QUERIES_PER_CLASS] for name in names]
        queries = np.concatenate(parts)
        snapshot = Snapshot.of(
            from_set.vectors[rows],
            [str(row) for row in rows.tolist()],
            from_set.labels[rows].tolist(),
            Policy.of({"head": head}),
            from_set.encoder.background,
            calibration=None,
            sequence=len(rows),
            generation=len(rows),
        )
        found.append(_against(snapshot, source, n_shot, asked, queries))
    return found


def _against(
    snapshot: Snapshot, source: str, n_shot: int, asked: Embedded, queries: np.ndarray
) -> Judged:
    start = time.perf_counter()
    report = report_on(source, asked.encoder.version, snapshot, 0.05)
    seconds = time.perf_counter() - start
    shares = snapshot.decider.probabilities(asked.vectors[queries])
    truth = asked.labels[queries]
    right = np.array(snapshot.decider.labels)[shares.argmax(axis=1)] == truth
    inside, gaps = [], []
    for one in report.classes:
        share = float(right[truth == one.label].mean())
        inside.append(one.expected.low <= share <= one.expected.high)
        gaps.append(abs(one.expected.mean - share))
    # Classes weigh alike in the report, so they do in the truth.
    accuracy = float(np.mean([right[truth == one.label].mean() for one in report.classes]))
    mean, low, high = report.expected
    return Judged(
        source, len(report.classes), n_shot, report.head, mean, accuracy,
        low <= accuracy <= high, float(np.mean(inside)), float(np.mean(gaps)), seconds,
    )  # fmt: skip


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def summary(name: str, of: list[Judged]) -> list[str]:
    errors = np.array([one.error for one in of])
    return [
        name,
        str(len(of)),
        percent(float(np.abs(errors).mean())),
        percent(float(np.median(np.abs(errors)))),
        percent(float(np.abs(errors).max())),
        f"{100 * errors.mean():+.1f}",
        percent(float(np.mean([one.covered for one in of]))),
        percent(float(np.mean([one.classes_covered for one in of]))),
        percent(float(np.mean([one.class_error for one in of]))),
    ]


def show(found: list[Judged]) -> None:
    head = [
        *("", "reports", "mean absolute error, points", "median", "largest", "signed"),
        *("overall interval holds %", "class intervals hold %", "mean absolute error of a class"),
    ]
    rows = [summary("all", found)]
    rows += [summary(f"{k} supports", [one for one in found if one.n_shot == k]) for k in SHOTS]
    table("By supports a class", head, rows)
    rows = [
        summary(f"{source}, {k}", [one for one in found if (one.source, one.n_shot) == (source, k)])
        for source in dict.fromkeys(one.source for one in found)
        for k in SHOTS
    ]
    table("By set and supports a class", head, rows)
    rows = [
        [
            one.source,
            str(one.n_way),
            str(one.n_shot),
            one.head,
            percent(one.expected),
            percent(one.truth),
            f"{100 * one.error:+.1f}",
            f"{one.seconds:.2f}",
        ]
        for one in found
    ]
    head = ["set", "classes", "supports", "head", "expected %", "truth %", "error", "report, s"]
    table("Every report", head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, help="folder of the data sets")
    parser.add_argument("--vectors", type=Path, required=True, help="folder to keep vectors in")
    parser.add_argument("--sets", nargs="+", default=list(DRAWN), choices=[*DRAWN, *HARD])
    parser.add_argument("--head", default="auto")
    parser.add_argument("--seed", type=int, default=0, help="of the thirty draws")
    parser.add_argument("--json", type=Path, help="write every report's figures, too")
    asked = parser.parse_args()
    shelf, found = Shelf(asked.shared, asked.vectors), []
    for source in asked.sets:
        for number in range(DRAWN.get(source, 6)):
            seed = (asked.seed, *source.encode(), number)
            found += judged(shelf, source, seed, asked.head)
            latest = ", ".join(
                f"{percent(one.expected)}/{percent(one.truth)}" for one in found[-3:]
            )
            say(f"{source} {number + 1}, {found[-1].n_way} classes: {latest}")
    print(json.dumps(machine()), versions("imprint", "numpy", "onnxruntime"), sep="\n")
    show(found)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in found], indent=1))


if __name__ == "__main__":
    main()
