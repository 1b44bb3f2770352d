"""Compare with SetFit in one run: the same supports, the same sentence encoder, the same test file.

    python benchmarks/setfit_comparison.py ../shared/data --model DIR                # its defaults
    python benchmarks/setfit_comparison.py ../shared/data --model DIR --minutes 20   # capped

DIR holds all-MiniLM-L6-v2 in the sentence-transformers form. SetFit runs with its defaults;
with `--minutes` the number of steps is capped to what fits (its learning-rate plan then spans the
capped steps), and the time of the uncapped run is extrapolated from the seconds a step took.
Needs setfit, datasets and torch. Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from imprint.heads import Decider
from machine import machine, versions

PROBE_STEPS = 12


def texts_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(stream)]
    return np.array([text for text, _ in rows]), np.array([label for _, label in rows])


def drawn(labels: np.ndarray, n_shot: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), n_shot, replace=False) for c in np.unique(labels)]
    )


def imprint_side(taught: list[str], labels: list[str], asked: list[str], truth: np.ndarray) -> dict:
    from imprint.encoders.catalogue import load_encoder, minilm
    from imprint.settings import read_settings

    settings = read_settings()
    encoder = load_encoder("minilm-l6-fp32", cache_dir=settings.cache, mirror=settings.model_mirror)

    def vectors(texts: list[str]) -> np.ndarray:
        parts = [
            encoder.encode([minilm.text_sample(text) for text in texts[at : at + 64]])
            for at in range(0, len(texts), 64)
        ]
        return np.concatenate(parts)

    vectors(taught[:8])
    start = time.perf_counter()
    supports = vectors(taught)
    embedded = time.perf_counter()
    decider = Decider.fit(supports, labels, background=encoder.background)
    fitted = time.perf_counter()
    answered = np.array(decider.labels)[decider.probabilities(vectors(asked)).argmax(axis=1)]
    return {
        "top1": float((answered == truth).mean()),
        "head": decider.calibration.head,
        "seconds_embed": embedded - start,
        "seconds_fit": fitted - embedded,
    }


def setfit_side(
    model: Path,
    taught: list[str],
    labels: list[str],
    asked: list[str],
    truth: np.ndarray,
    minutes: float,
) -> dict:
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    names = sorted(set(labels))
    rows = Dataset.from_dict({"text": taught, "label": [names.index(one) for one in labels]})

    def trained(steps: int) -> tuple[SetFitModel, Trainer, float]:
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                max_steps=steps,
                report_to="none",
                save_strategy="no",
                show_progress_bar=False,
            )
            fresh = SetFitModel.from_pretrained(str(model))
            trainer = Trainer(model=fresh, args=arguments, train_dataset=rows)
            start = time.perf_counter()
            trainer.train()
            return fresh, trainer, time.perf_counter() - start

    full = default_steps(labels)
    steps = -1
    if minutes:
        trained(2)  # the first steps pay for what torch sets up
        _, _, few = trained(PROBE_STEPS)
        _, _, more = trained(3 * PROBE_STEPS)
        per_step = (more - few) / (2 * PROBE_STEPS)
        steps = min(full, max(PROBE_STEPS, int(minutes * 60 / per_step)))
    fitted, _, seconds = trained(steps)
    taken = full if steps == -1 else steps
    answered = np.array([names[int(one)] for one in fitted.predict(asked)])
    return {
        "top1": float((answered == truth).mean()),
        "steps": taken,
        "default_steps": full,
        "seconds_fit": seconds,
        "seconds_fit_at_default_steps": seconds / taken * full,
    }


def default_steps(labels: list[str]) -> int:
    """Steps of one epoch over the default pairs, 16 a step.

    Pairs of one class are repeated until there are as many as pairs of two.
    """
    counts = np.unique(labels, return_counts=True)[1]
    same = int((counts * (counts + 1) // 2).sum())
    different = int((len(labels) ** 2 - (counts**2).sum()) // 2)
    return -(-2 * max(same, different) // 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0, help="cap of SetFit's steps; 0: none")
    chosen = parser.parse_args()
    texts, labels = texts_of(chosen.shared / "banking77/train.csv")
    asked, truth = texts_of(chosen.shared / "banking77/test.csv")
    rows = drawn(labels, chosen.shots, chosen.seed)
    taught = texts[rows].tolist(), labels[rows].tolist()
    ours = imprint_side(*taught, asked.tolist(), truth)
    print(json.dumps({"imprint": ours}), flush=True)
    theirs = setfit_side(chosen.model, *taught, asked.tolist(), truth, chosen.minutes)
    print(
        json.dumps(
            {
                "machine": machine(),
                "versions": versions("imprint", "numpy", "torch", "setfit", "transformers"),
                "shots": chosen.shots,
                "seed": chosen.seed,
                "imprint": ours,
                "setfit": theirs,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
