"""BANKING77 as vectors of minilm-l6 with labels, and its classes dealt into two halves."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from imprint.flows.answering.encoding import EncoderShelf
from imprint.intake.decode import to_sample
from imprint.settings import read_settings

Part = tuple[np.ndarray, np.ndarray]  # vectors, labels
_BATCH = 64


def part(root: Path, one: str, kept: Path) -> Part:
    """The file train.csv or test.csv; vectors are read from `kept`, or made once and left there."""
    file = kept / f"banking77_{one}.npz"
    if not file.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        np.savez(file, **_embedded(root / "banking77" / f"{one}.csv"))
    with np.load(file, allow_pickle=False) as arrays:
        return arrays["vectors"], arrays["labels"]


def only(of: Part, names: np.ndarray) -> Part:
    """The rows of some classes."""
    rows = np.isin(of[1], names)
    return of[0][rows], of[1][rows]


def shuffled_names(of: Part) -> np.ndarray:
    """All classes, in the one order that benchmarks deal them by."""
    return np.random.default_rng(0).permutation(np.unique(of[1]))


def one_of_each(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One row of every class, in the order of sorted names."""
    return np.array([rng.choice(np.flatnonzero(labels == name)) for name in np.unique(labels)])


def _embedded(file: Path) -> dict[str, np.ndarray]:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    encoder = EncoderShelf(read_settings()).named("minilm-l6", "text")
    samples = [to_sample(row["text"], "text") for row in rows]
    parts = [encoder.encode(samples[at : at + _BATCH]) for at in range(0, len(samples), _BATCH)]
    return {"vectors": np.concatenate(parts), "labels": np.array([r["category"] for r in rows])}
