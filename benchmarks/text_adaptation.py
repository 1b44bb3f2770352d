"""Adapting the sentence encoder: seconds, and accuracy before and after, on a whole test file.

    python benchmarks/text_adaptation.py ../shared/data                       # BANKING77, 5 and 10
    python benchmarks/text_adaptation.py ../shared/data --draws 3 --folds 1   # judged as well

Supports of draw s are chosen by `default_rng(s)`. Both encoders answer every row of test.csv, each
with the prototype head and with what `auto` takes (the adapted head). Seconds are those of tuning
on all supports, lower layers included. Needs the train extra. Prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from imprint import FewShotClassifier
from imprint.settings import read_settings
from machine import machine, versions


def texts_of(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(stream)]
    return [text for text, _ in rows], np.array([label for _, label in rows])


def drawn(labels: np.ndarray, n_shot: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), n_shot, replace=False) for c in np.unique(labels)]
    )


def right(head: str, supports: np.ndarray, labels: np.ndarray, queries, truth) -> float:
    classifier = FewShotClassifier(head=head, random_state=0).fit(supports, labels)
    return float((classifier.predict(queries) == truth).mean())


def draw(taught, asked, n_shot: int, seed: int, plan, start, n_folds: int) -> dict:
    from imprint.train.adapt.evidence import folds
    from imprint.train.adapt.recipe import Bench

    rows = drawn(taught[1], n_shot, seed)
    texts, labels = [taught[0][i] for i in rows], taught[1][rows]
    _, classes = np.unique(labels, return_inverse=True)
    began = time.perf_counter()
    bench = Bench(start, texts, classes.astype(np.intp), plan, lambda *_: None)
    network, tuned = bench.tuned(np.arange(len(texts)), "")
    seconds = time.perf_counter() - began
    states = network.lower(asked[0])
    frozen_queries = type(network)(start, plan.n_layers).eval().encode(states)
    pairs = {
        "frozen": (bench.frozen, frozen_queries),
        "adapted": (network.encode(bench.states), network.encode(states)),
    }
    found = {
        f"{encoder}_{head}": right(head, supports, labels, queries, asked[1])
        for encoder, (supports, queries) in pairs.items()
        for head in ("prototype", "adapted")
    }
    parts = folds(bench.classes, n_folds, np.random.default_rng(seed)) if n_folds else []
    comparison = bench.comparison(parts)
    judged = None if comparison is None else {**comparison._asdict(), "pays": comparison.pays}
    return {"seed": seed, "seconds": seconds, "loss": tuned.final_loss, **found, "judged": judged}


def main() -> None:
    from imprint.train.adapt.folder import Start, start_folder
    from imprint.train.adapt.plan import AdaptPlan

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("root", type=Path, help="the folder of the data sets")
    options.add_argument("--shots", type=int, nargs="+", default=[5, 10])
    options.add_argument("--draws", type=int, default=3)
    options.add_argument("--folds", type=int, default=0, help="rounds of holding out, per draw")
    options.add_argument("--epochs", type=int, default=None)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    import torch

    torch.set_num_threads(chosen.threads)
    settings = read_settings()
    plan = AdaptPlan(**({"epochs": chosen.epochs} if chosen.epochs else {}))
    folder = chosen.root / "banking77"
    taught, asked = texts_of(folder / "train.csv"), texts_of(folder / "test.csv")
    found: dict = {"machine": machine(), "versions": versions("torch", "transformers")}
    found |= {"plan": asdict(plan), "threads": chosen.threads}
    with tempfile.TemporaryDirectory() as scratch:
        start = start_folder(
            Start("minilm-l6", settings.cache, settings.model_mirror), Path(scratch)
        )
        for n_shot in chosen.shots:
            draws = [
                draw(taught, asked, n_shot, seed, plan, start, chosen.folds)
                for seed in range(chosen.draws)
            ]
            names = [name for name, value in draws[0].items() if isinstance(value, float)]
            means = {name: float(np.mean([one[name] for one in draws])) for name in names}
            found[f"{n_shot}_shots"] = {"mean": means, "draws": draws}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
