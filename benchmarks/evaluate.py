"""Accuracy, calibration and unknown on intents, and the time evaluation takes.

    python benchmarks/evaluate.py TRAIN TEST --heads prototype nearest auto

TRAIN and TEST are CSV files (text, category), embedded with `--encoder`, or .npz files with arrays
`vectors` and `labels`. Prints one JSON document; `--markdown` the tables of
docs/measurements/evaluation.md instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np

import imprint
from imprint.vectors import unit
from machine import machine, say, timed, versions

SHOTS = (1, 2, 5, 8, 10)
OPEN_SHOTS = (1, 5, 10)


def embedded(path: Path, encoder: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and labels of a file."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return unit(arrays["vectors"]), arrays["labels"]
    from imprint.flows.answering.encoding import EncoderShelf
    from imprint.intake.decode import to_sample
    from imprint.settings import read_settings

    with path.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    loaded = EncoderShelf(read_settings()).given(encoder, "text")
    parts = []
    for start in range(0, len(rows), 128):
        texts = [to_sample(row["text"], "text") for row in rows[start : start + 128]]
        parts.append(loaded.encode(texts))
        say(f"embedded {start + len(texts)} of {len(rows)}")
    return np.concatenate(parts), np.array([row["category"] for row in rows])


def shown(estimate) -> dict[str, float] | None:
    return None if estimate is None else estimate.to_json()


def row_of(report) -> dict[str, object]:
    fields = ("top1", "ece", "brier", "auroc", "fpr95", "false_accept", "recognized_correct")
    return {
        "head": report.head,
        "n_shot": report.n_shot,
        **{name: shown(getattr(report, name)) for name in fields},
        "episodes_s": round(report.seconds["episodes"], 2),
    }


def judged(train, test, heads, draws: int, n_taught: int) -> dict[str, list[dict[str, object]]]:
    """Three tables: all classes at once, a part of them taught, and 5-way episodes."""
    tables: dict[str, list[dict[str, object]]] = {"full": [], "open": [], "episodes": []}
    for head in heads:
        for n_shot in SHOTS:
            say(f"{head}, {n_shot} shots, all classes")
            full = imprint.evaluate(
                *train, n_shot=n_shot, head=head, protocol="full", test=test, n_episodes=draws
            )
            tables["full"].append(row_of(full))
        for n_shot in OPEN_SHOTS:
            say(f"{head}, {n_shot} shots, {n_taught} classes taught")
            part = imprint.evaluate(
                *train, n_way=n_taught, n_shot=n_shot, head=head, protocol="full", test=test,
                n_episodes=5,
            )  # fmt: skip
            tables["open"].append(row_of(part))
            say(f"{head}, {n_shot} shots, episodes")
            tables["episodes"].append(row_of(imprint.evaluate(*train, n_shot=n_shot, head=head)))
    return tables


def speed(train, heads, repeats: int) -> list[dict[str, object]]:
    """Seconds of 600 5-way 1-shot 15-query episodes on given vectors."""
    rows = []
    for head in heads:
        taken = sorted(timed(lambda h=head: imprint.evaluate(*train, head=h), repeats, warmup=1))
        rows.append(
            {
                "head": head,
                "median_s": taken[len(taken) // 2],
                "min_s": taken[0],
                "max_s": taken[-1],
            }
        )
    return rows


def cell(value: object) -> str:
    if isinstance(value, dict):
        spread = "" if value["ci95"] is None else f" ± {100 * value['ci95']:.2f}"
        return f"{100 * value['mean']:.2f}{spread}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def markdown(rows: list[dict[str, object]]) -> str:
    kept = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    lines = [kept, ["---"] * len(kept), *([cell(row[name]) for name in kept] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--heads", nargs="+", default=["nearest", "prototype", "auto"])
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--n-taught", type=int, default=52)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    train, test = embedded(asked.train, asked.encoder), embedded(asked.test, asked.encoder)
    began = time.perf_counter()
    tables = judged(train, test, asked.heads, asked.draws, asked.n_taught)
    tables["speed"] = speed(train, asked.heads, asked.repeats)
    if asked.markdown:
        print("\n\n".join(f"### {name}\n\n{markdown(rows)}" for name, rows in tables.items()))
        return
    record = {"machine": machine(), "versions": versions("imprint", "numpy", "scikit-learn")}
    print(json.dumps({**record, "seconds": time.perf_counter() - began, **tables}, indent=1))


if __name__ == "__main__":
    main()
