"""Poisoning attacks on three shared data sets: what is found, held wrongly, and lost.

    python benchmarks/poisoning.py --data ../shared/data --out docs/measurements/poisoning.md

The attacks and the runner are those of `imprint bench poisoning`; nothing is set here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from imprint.flows.judging.poisoning import PoisoningPlan, poisoning
from intake_acceptance import SETS

DEFAULT = ("banking77", "injongo_eng", "caltech101_fs val")
_MOST = 4000


def main() -> None:
    """Attack every set; print and keep its tables as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=DEFAULT, help="names of sets")
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--harmed", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, help="write the tables here, too")
    chosen = parser.parse_args()
    written: list[str] = []
    for name in chosen.only:
        pairs = SETS[name][1](chosen.data)
        order = np.random.default_rng(chosen.seed).permutation(len(pairs))[:_MOST].tolist()
        plan = PoisoningPlan(n_draws=chosen.draws, n_harmed=chosen.harmed)
        report = poisoning(
            [pairs[row][1] for row in order],
            [pairs[row][0] for row in order],
            PoisoningPlan.quick() if chosen.quick else plan,
            seed=chosen.seed,
        )
        written.append(f"## {name}\n\n```\n{report.to_text()}\n```\n")
        held = {f"{row.attack}/{row.n_shot}": row.held_by for row in report.attacks}
        print(written[-1], file=sys.stdout, flush=True)
        print(held, file=sys.stderr, flush=True)
        if chosen.out is not None:
            chosen.out.write_text("\n".join(written), encoding="utf-8")


if __name__ == "__main__":
    main()
