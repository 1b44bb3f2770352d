"""Self-training at one shot: accuracy with and without an unlabeled pool, on the same draws.

    python benchmarks/self_training.py ../shared/data   # BANKING77

Classes are halved by `default_rng(0)`. Settings were chosen on the first half ("--half chosen");
figures to report come from the second ("--half asked", the default). Draw s takes one support of
each class and a pool of other texts of the same classes without their labels by `default_rng(s)`;
every query of those classes is answered. BANKING77: supports and pool from train.csv, queries
test.csv. The encoder is minilm-l6. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from banking import Part, one_of_each, only, part, shuffled_names
from imprint import FewShotClassifier
from imprint.train.selftrain.plan import SelfTrainPlan
from imprint.train.selftrain.rounds import self_trained
from machine import machine, versions


def draw(taught: Part, asked: Part, n_pool: int, seed: int, plan: SelfTrainPlan) -> dict:
    vectors, labels = taught
    rng = np.random.default_rng(seed)
    rows = one_of_each(labels, rng)
    rest = np.setdiff1d(np.arange(len(labels)), rows)
    pool = rng.choice(rest, min(n_pool, len(rest)), replace=False)
    began = time.perf_counter()
    found = self_trained(vectors[rows], labels[rows].tolist(), vectors[pool], plan)
    seconds = time.perf_counter() - began
    joined = [pool[one.row] for one in found.pseudo]
    given = [one.label for one in found.pseudo]
    both = np.concatenate([vectors[rows], vectors[joined]])
    named = np.concatenate([labels[rows], np.array(given, labels.dtype)])
    plain = FewShotClassifier(head="prototype", random_state=0).fit(vectors[rows], labels[rows])
    after = FewShotClassifier(head="prototype", random_state=0).fit(both, named)
    return {
        "cosine": float((labels[rows][(asked[0] @ vectors[rows].T).argmax(1)] == asked[1]).mean()),
        "cosine_self_trained": float((np.array(found.answers(asked[0])) == asked[1]).mean()),
        "product": float((plain.predict(asked[0]) == asked[1]).mean()),
        "product_self_trained": float((after.predict(asked[0]) == asked[1]).mean()),
        "product_transductive": float(
            (plain.predict(asked[0], transductive=True) == asked[1]).mean()
        ),
        "pseudo_labels_right": float(np.mean(labels[joined] == np.array(given))),
        "n_pseudo": len(given),
        "seconds": seconds,
    }


def summed(draws: list[dict]) -> dict:
    def mean(name: str) -> float:
        return float(np.mean([one[name] for one in draws]))

    found: dict = {name: mean(name) for name in draws[0]}
    for name in ("cosine", "product"):
        gains = np.array([one[f"{name}_self_trained"] - one[name] for one in draws])
        found[f"{name}_gain"] = float(gains.mean())
        found[f"{name}_gain_95"] = float(1.96 * gains.std(ddof=1) / np.sqrt(len(gains)))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("root", type=Path, help="the folder of the data sets")
    options.add_argument("--draws", type=int, default=20)
    options.add_argument("--pool", type=int, nargs="+", default=[500, 2000])
    options.add_argument("--half", choices=("chosen", "asked", "all"), default="asked")
    options.add_argument("--vectors", type=Path, default=Path("build/vectors"), help="kept vectors")
    chosen = options.parse_args()
    plan = SelfTrainPlan()
    train, test = (part(chosen.root, one, chosen.vectors) for one in ("train", "test"))
    names = shuffled_names(train)
    names = {"chosen": names[:38], "asked": names[38:], "all": names}[chosen.half]
    taught, asked = only(train, names), only(test, names)
    found: dict = {"machine": machine(), "versions": versions("numpy"), "plan": asdict(plan)}
    found |= {
        "set": "BANKING77",
        "half": chosen.half,
        "n_way": len(names),
        "n_asked": len(asked[1]),
    }
    for n_pool in chosen.pool:
        draws = [
            draw(taught, asked, n_pool, seed, replace(plan, seed=seed))
            for seed in range(chosen.draws)
        ]
        found[f"pool_{n_pool}"] = {"mean": summed(draws), "draws": draws}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
