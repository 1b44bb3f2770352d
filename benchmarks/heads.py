"""Measure heads, unknown and confidence on vectors of the built-in text encoder.

    python benchmarks/heads.py ../shared/data --vectors build/vectors          # everything
    python benchmarks/heads.py ../shared/data --vectors build/vectors --quick  # two draws, 1 and 5

The first run embeds the data sets with minilm-l6-fp32 and keeps the vectors in the folder. Prints
Markdown tables; docs/measurements/heads.md is made of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np

from imprint.heads import Decider

SETS = ("banking77", "injongo_eng", "injongo_swa", "it_tickets", "sms_spam")
HEADS = ("auto", "prototype", "nearest", "lda", "ridge", "logistic", "adapted")


# ------------------------------------------------------------------------------------- vectors


def texts_of(shared: Path, name: str) -> tuple[list[str], list[str]]:
    files = {
        "banking77_train": ("banking77/train.csv", "category"),
        "banking77_test": ("banking77/test.csv", "category"),
        "injongo_eng": ("injongo_intent/eng_train.jsonl", "intent"),
        "injongo_swa": ("injongo_intent/swa_train.jsonl", "intent"),
        "it_tickets": ("it_tickets/dev.csv", "label"),
        "sms_spam": ("sms_spam/dev.csv", "label"),
    }
    path, label = files[name]
    with (shared / path).open(encoding="utf-8", newline="") as stream:
        lines = map(json.loads, stream) if path.endswith("jsonl") else csv.DictReader(stream)
        rows = [(row["text"], row[label]) for row in lines]
    return [text for text, _ in rows], [label for _, label in rows]


class Vectors:
    """Embedded sets, read once."""

    def __init__(self, shared: Path, folder: Path) -> None:
        self.shared, self.folder = shared, folder
        self.held: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in self.held:
            path = self.folder / f"{name}.npz"
            if not path.exists():
                self._embed(name, path)
            with np.load(path) as stored:
                self.held[name] = stored["vectors"], stored["labels"]
        return self.held[name]

    def _embed(self, name: str, path: Path) -> None:
        from imprint.encoders.catalogue import load_encoder, minilm
        from imprint.settings import read_settings

        settings = read_settings()
        encoder = load_encoder(
            "minilm-l6-fp32", cache_dir=settings.cache, mirror=settings.model_mirror
        )
        texts, labels = texts_of(self.shared, name)
        parts = [
            encoder.encode([minilm.text_sample(text) for text in texts[at : at + 64]])
            for at in range(0, len(texts), 64)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, vectors=np.concatenate(parts), labels=np.array(labels))


def bank() -> np.ndarray:
    from safetensors.numpy import load_file

    from imprint.encoders import banks
    from imprint.vectors import unit

    path = Path(banks.__file__).parent / "minilm-l6.safetensors"
    return unit(load_file(path)["vectors"].astype(np.float32))


# ------------------------------------------------------------------------------------- measures


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    both = np.concatenate([known, unknown])
    order, ranks = np.argsort(both, kind="stable"), np.empty(len(both))
    values, start = both[order], 0
    while start < len(both):
        end = int(np.searchsorted(values, values[start], side="right"))
        ranks[order[start:end]] = (start + end + 1) / 2
        start = end
    n = len(known)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(unknown)))


def ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    parts = np.array_split(np.argsort(confidence, kind="stable"), 15)
    gaps = [abs(confidence[p].mean() - correct[p].mean()) * len(p) for p in parts if len(p)]
    return float(sum(gaps) / len(confidence))


def draw(vectors: Vectors, name: str, n_shot: int, seed: int) -> tuple[np.ndarray, ...]:
    """k per class by default_rng(seed).choice, classes sorted; the rest (or the test file) asks."""
    rng = np.random.default_rng(seed)
    source = "banking77_train" if name == "banking77" else name
    rows, labels = vectors(source)
    classes, counts = np.unique(labels, return_counts=True)
    classes = classes[counts >= n_shot + 8]
    taught = np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), n_shot, replace=False) for c in classes]
    )
    if name == "banking77":
        queries, truth = vectors("banking77_test")
        return rows[taught], labels[taught], queries, truth
    rest = np.setdiff1d(np.flatnonzero(np.isin(labels, classes)), taught)
    asked = np.concatenate([rng.permutation(rest[labels[rest] == c])[:50] for c in classes])
    return rows[taught], labels[taught], rows[asked], labels[asked]


def asked(decider: Decider, queries: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    shares = decider.probabilities(queries)
    answer = np.array(decider.labels)[shares.argmax(axis=1)]
    return float((answer == truth).mean()), ece(shares.max(axis=1), answer == truth)


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


# ------------------------------------------------------------------------------------- tables


def accuracy(vectors: Vectors, name: str, shots: list[int], seeds: range) -> None:
    rows, background = [], bank()
    for n_shot in shots:
        found: dict[str, list[tuple[float, float]]] = {head: [] for head in HEADS}
        chosen = []
        for seed in seeds:
            supports, labels, queries, truth = draw(vectors, name, n_shot, seed)
            for head in HEADS:
                decider = Decider.fit(supports, labels.tolist(), head=head, background=background)
                found[head].append(asked(decider, queries, truth))
                if head == "auto":
                    chosen.append(decider.calibration.head)
        means = {head: np.mean(values, axis=0) * 100 for head, values in found.items()}
        best = max(means[head][0] for head in HEADS if head != "auto")
        cells = [f"{means[head][0]:.1f} ({means[head][1]:.1f})" for head in HEADS]
        spread = np.std([top for top, _ in found["auto"]]) * 100
        picks = ", ".join(f"{chosen.count(c)} {c}" for c in dict.fromkeys(chosen))
        rows.append([str(n_shot), *cells, f"{best - means['auto'][0]:.1f}", f"{spread:.1f}", picks])
    heads = ["shots", *HEADS, "regret", "spread", "auto took"]
    table(f"{name}: top-1 % (ECE %), all classes, {len(seeds)} draws", heads, rows)


def episodes(vectors: Vectors, name: str, n_way: int, shots: list[int], n: int) -> None:
    rows, background = [], bank()
    source = "banking77_test" if name == "banking77" else name
    matrix, labels = vectors(source)
    for n_shot in shots:
        confidence, correct = [], []
        rng = np.random.default_rng(0)
        for _ in range(n):
            classes = rng.choice(np.unique(labels), n_way, replace=False)
            picks = [rng.permutation(np.flatnonzero(labels == c)) for c in classes]
            taught = np.concatenate([p[:n_shot] for p in picks])
            left = np.concatenate([p[n_shot : n_shot + 15] for p in picks])
            decider = Decider.fit(matrix[taught], labels[taught].tolist(), background=background)
            shares = decider.probabilities(matrix[left])
            confidence.append(shares.max(axis=1))
            correct.append(np.array(decider.labels)[shares.argmax(axis=1)] == labels[left])
        sure, right = np.concatenate(confidence), np.concatenate(correct)
        rows.append([str(n_shot), f"{right.mean() * 100:.1f}", f"{ece(sure, right) * 100:.1f}"])
    table(f"{name}: {n_way}-way, {n} episodes", ["shots", "top-1 %", "ECE %"], rows)


def reliability(vectors: Vectors, n_shot: int, seeds: range) -> None:
    """Claimed against true, 15 groups of equal size over all draws."""
    sure, right = [], []
    for seed in seeds:
        supports, labels, queries, truth = draw(vectors, "banking77", n_shot, seed)
        shares = Decider.fit(supports, labels.tolist(), background=bank())
        found = shares.probabilities(queries)
        sure.append(found.max(axis=1))
        right.append(np.array(shares.labels)[found.argmax(axis=1)] == truth)
    claimed, correct = np.concatenate(sure), np.concatenate(right)
    parts = np.array_split(np.argsort(claimed, kind="stable"), 15)
    rows = [[f"{claimed[p].mean() * 100:.0f}" for p in parts]]
    rows.append([f"{correct[p].mean() * 100:.0f}" for p in parts])
    table(f"banking77: reliability at {n_shot} supports", [str(i + 1) for i in range(15)], rows)


def split(vectors: Vectors, name: str, n_shot: int, seed: int) -> tuple[np.ndarray, ...]:
    """Two thirds of the classes taught (52 of 77), the others asked as unknown."""
    rng = np.random.default_rng(seed)
    rows, labels = vectors("banking77_train" if name == "banking77" else name)
    classes, counts = np.unique(labels, return_counts=True)
    classes = classes[counts >= n_shot + 8]
    order = rng.permutation(len(classes))
    n_known = round(len(classes) * 52 / 77)
    known = classes[order[:n_known]]
    taught = np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), n_shot, replace=False) for c in known]
    )
    if name == "banking77":
        queries, truth = vectors("banking77_test")
    else:
        keep = np.setdiff1d(np.flatnonzero(np.isin(labels, classes)), taught)
        queries, truth = rows[keep], labels[keep]
    inside = np.isin(truth, known)
    return rows[taught], labels[taught], queries[inside], truth[inside], queries[~inside]


def unknown(vectors: Vectors, name: str, shots: list[int], seeds: range, rate: float) -> None:
    rows, background = [], bank()
    for n_shot in shots:
        found = []
        for seed in seeds:
            supports, labels, queries, truth, strangers = split(vectors, name, n_shot, seed)
            decider = Decider.fit(
                supports, labels.tolist(), background=background, false_accept_rate=rate
            )
            ours, theirs = decider.decide(queries), decider.decide(strangers)
            known = np.array([one.known for one in ours])
            foreign = np.array([one.known for one in theirs])
            right = np.array([one.candidates[0].label for one in ours]) == truth
            accepted = np.mean([one.kind == "recognized" for one in theirs])
            taken = np.array([one.kind == "recognized" for one in ours])
            at = np.quantile(foreign, 1 - 0.0875)
            found.append(
                (
                    auroc(known, foreign),
                    accepted,
                    (taken & right).mean(),
                    ((known > at) & right).mean(),
                )
            )
        values = np.array(found) * 100
        mean, rates = values.mean(axis=0), values[:, 1]
        rows.append(
            [
                str(n_shot),
                f"{mean[0]:.1f}",
                f"{mean[1]:.1f} ({rates.min():.1f} .. {rates.max():.1f})",
                f"{mean[2]:.1f}",
                f"{mean[3]:.1f}",
            ]
        )
    heads = [
        "shots",
        "AUROC %",
        "observed false accepts % (range)",
        "recognized and right %",
        "the same at 8.75 % false accepts",
    ]
    table(
        f"{name}: unknown, {rate:.0%} requested, splits {seeds.start} .. {seeds.stop - 1}",
        heads,
        rows,
    )


def verification(vectors: Vectors, shots: list[int], seeds: range, rate: float) -> None:
    rows, background = [], bank()
    for n_shot in shots:
        found = []
        for seed in seeds:
            supports, labels, queries, truth, strangers = split(vectors, "banking77", n_shot, seed)
            decider = Decider.fit(
                supports, labels.tolist(), background=background, false_accept_rate=rate
            )
            own = other = n_own = n_other = foreign = 0
            for label in decider.labels[::4]:
                passed = np.array([one.accepted for one in decider.verify(queries, label)])
                mine = truth == label
                own, n_own = own + passed[mine].sum(), n_own + mine.sum()
                other, n_other = other + passed[~mine].sum(), n_other + (~mine).sum()
                foreign += sum(one.accepted for one in decider.verify(strangers, label))
            n_foreign = len(strangers) * len(decider.labels[::4])
            found.append((1 - own / n_own, other / n_other, foreign / n_foreign))
        mean = np.mean(found, axis=0) * 100
        rows.append([str(n_shot), *(f"{value:.1f}" for value in mean)])
    table(
        f"banking77: verify, {rate:.0%} requested",
        ["shots", "false rejects %", "false accepts, other classes %", "strangers %"],
        rows,
    )


def cloud(rng: np.random.Generator, n: int, width: int = 384) -> np.ndarray:
    raw = rng.standard_normal((n, width)).astype(np.float32)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def median_ms(call: object, n: int) -> str:
    took = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1e3)
    return f"{np.median(took):.3f} ({np.quantile(took, 0.9):.3f})"


def recalibrate(decider: Decider) -> object:
    return lambda: decider.recalibrated(np.random.default_rng(0))


def decide(decider: Decider, query: np.ndarray, near: np.ndarray | None = None) -> object:
    return lambda: decider.decide(query, support_similarities=near)


def teach(decider: Decider, vector: np.ndarray) -> object:
    return lambda: decider.added(vector, "c7")


def timing(repeats: int) -> None:
    rng, background, rows = np.random.default_rng(0), bank(), []
    query = cloud(rng, 1)
    names = [f"c{i}" for i in range(10_000)]
    thousand = Decider.fit(cloud(rng, 1000), names[:1000], background=background)
    rows.append(["decide, 1,000 classes of one", median_ms(decide(thousand, query), repeats)])
    many = cloud(rng, 10_000)
    for head in ("prototype", "nearest", "lda"):
        labels = [f"c{i // 10}" for i in range(10_000)]
        decider = Decider.fit(many, labels, head=head, background=background)
        near = decider.rows.dot(query)
        what = f"10,000 supports of 1,000 classes, {head}"
        rows.append(
            [
                f"decide, {what}, similarities at hand",
                median_ms(decide(decider, query, near), repeats),
            ]
        )
        rows.append([f"teach, {what}", median_ms(teach(decider, query[0]), repeats)])
        rows.append([f"recalibrate, {what}", median_ms(recalibrate(decider), 5)])
    single = Decider.fit(many, names, background=background)
    rows.append(["decide, 10,000 classes of one", median_ms(decide(single, query), repeats)])
    rows.append(["recalibrate, 10,000 classes of one", median_ms(recalibrate(single), 5)])
    for n_way, n_shot in ((5, 1), (5, 5), (20, 5), (10, 10), (77, 10)):
        near_rows = cloud(rng, n_way).repeat(n_shot, axis=0) + 0.5 * cloud(rng, n_way * n_shot)
        near_rows /= np.linalg.norm(near_rows, axis=1, keepdims=True)
        labels = [f"c{i // n_shot}" for i in range(n_way * n_shot)]
        decider = Decider.fit(near_rows, labels, background=background)
        rows.append(
            [f"recalibrate, auto, {n_way} classes of {n_shot}", median_ms(recalibrate(decider), 9)]
        )
    table("times, ms: median (90th percentile)", ["what", "ms"], rows)


def measure(vectors: Vectors, parts: list[str], *, quick: bool) -> None:  # noqa: C901 - a list of tables
    shots, opened = ([1, 5], [1, 5]) if quick else ([1, 2, 5, 8, 10], [1, 5, 10])
    if "accuracy" in parts:
        for name in SETS:
            n_draws = 2 if quick else 10 if name == "banking77" else 5
            accuracy(vectors, name, shots, range(n_draws))
    if "episodes" in parts:
        for name in SETS[:4]:
            episodes(vectors, name, 5, opened, 30 if quick else 200)
    if "reliability" in parts:
        reliability(vectors, 5, range(2 if quick else 5))
    if "unknown" in parts:
        unknown(vectors, "banking77", opened, range(2 if quick else 5), 0.05)
        for name in () if quick else SETS[:4]:
            unknown(vectors, name, opened, range(5, 20) if name == "banking77" else range(10), 0.05)
    if "verify" in parts:
        verification(vectors, opened[:2], range(1 if quick else 3), 0.05)
    if "timing" in parts:
        timing(50 if quick else 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, default=Path("build/vectors"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="accuracy,episodes,reliability,unknown,verify,timing")
    chosen = parser.parse_args()
    measure(Vectors(chosen.shared, chosen.vectors), chosen.only.split(","), quick=chosen.quick)


if __name__ == "__main__":
    main()
