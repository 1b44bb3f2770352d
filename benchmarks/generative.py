"""Generated supports at one shot: accuracy with and without, in the same episodes.

    python benchmarks/generative.py ../shared/data                    # BANKING77, gaussian
    python benchmarks/generative.py ../shared/data --kinds gaussian vae gan

Classes are ordered by `default_rng(0)`: the generator learns from the first 45 (train.csv), and
episodes are of the other 32. Settings were chosen inside the 45 alone: learned from 30, asked of 15
("--half chosen"). An episode takes one support of each class from train.csv and answers every row
of test.csv of these classes, by cosine with the prototype. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from banking import Part, one_of_each, only, part, shuffled_names
from imprint.train.generative.extra import extra_supports
from imprint.train.generative.generator import Generator, fit
from imprint.train.generative.plan import KINDS, GeneratorPlan
from imprint.train.generative.screening import ScreenLimits
from imprint.vectors import unit
from machine import machine, versions

NEAREST_ONLY = ScreenLimits(least_margin=-2.0, most_alike=1.0, least_alike=-1.0)


def episode(
    generator: Generator, taught: Part, asked: Part, limits: ScreenLimits, n_way: int, seed: int
) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    names = np.sort(rng.permutation(np.unique(taught[1]))[:n_way])
    vectors, labels = only(taught, names)
    queries, truth = only(asked, names)
    supports = vectors[one_of_each(labels, rng)]
    extra = extra_supports(generator, supports, names.tolist(), limits=limits, seed=seed)
    sums = supports.copy()
    for one in extra.supports:
        sums[one.row] += one.vector
    before = (names[(queries @ supports.T).argmax(axis=1)] == truth).mean()
    after = (names[(queries @ unit(sums).T).argmax(axis=1)] == truth).mean()
    return float(before), float(after), float(extra.screened.kept.mean())


def asked_often(one: Callable[[int], tuple[float, float, float]], n_episodes: int) -> dict:
    found = np.array([one(seed) for seed in range(n_episodes)])
    gain = found[:, 1] - found[:, 0]
    return {
        "before": float(found[:, 0].mean()),
        "after": float(found[:, 1].mean()),
        "gain": float(gain.mean()),
        "gain_95": float(1.96 * gain.std(ddof=1) / np.sqrt(n_episodes)),
        "kept": float(found[:, 2].mean()),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("root", type=Path, help="the folder of the data sets")
    options.add_argument("--kinds", nargs="+", choices=KINDS, default=["gaussian"])
    options.add_argument("--steps", type=int, default=400, help="of the two networks")
    options.add_argument("--episodes", type=int, default=600)
    options.add_argument("--way", type=int, nargs="+", default=[5, 32])
    options.add_argument("--half", choices=("chosen", "asked"), default="asked")
    options.add_argument("--vectors", type=Path, default=Path("build/vectors"), help="kept vectors")
    chosen = options.parse_args()
    import torch

    torch.set_num_threads(1)
    train, test = (part(chosen.root, one, chosen.vectors) for one in ("train", "test"))
    names = shuffled_names(train)
    learned, others = {
        "chosen": (names[:30], names[30:45]),
        "asked": (names[:45], names[45:]),
    }[chosen.half]
    taught, asked = only(train, others), only(test, others)
    found: dict = {"machine": machine(), "versions": versions("numpy", "torch")}
    found |= {"half": chosen.half, "episodes": chosen.episodes, "steps": chosen.steps}
    for kind in chosen.kinds:
        plan = GeneratorPlan(kind=kind, n_steps=chosen.steps)
        began = time.perf_counter()
        generator = fit(*only(train, learned), plan)
        found[kind] = {"plan": asdict(plan), "fit_seconds": time.perf_counter() - began}
        for n_way in chosen.way:
            for name, limits in (("screened", ScreenLimits()), ("nearest_real_only", NEAREST_ONLY)):
                found[kind][f"{n_way}_way_{name}"] = asked_often(
                    lambda seed, n=n_way, by=limits, of=generator: episode(
                        of, taught, asked, by, n, seed
                    ),
                    chosen.episodes,
                )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
