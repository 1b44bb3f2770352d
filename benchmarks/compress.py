"""What compressing a trained network costs and gains: one table, measured as served.

    python benchmarks/compress.py runs/ledger/proto ../shared/data/omniglot --into runs/small

Exports the network, prunes it to half its parameters, wins back what was lost by matching the
whole one on training images, makes 8-bit twins, and asks every file the same test episodes. Prints
the table and one JSON document; what it printed here is in docs/measurements/compress.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from machine import machine, say, versions


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("run", type=Path, help="folder of a training run")
    parser.add_argument("data", type=Path, help="what the run was trained on")
    parser.add_argument("--into", type=Path, required=True, help="folder for the files")
    parser.add_argument("--split", default="auto")
    parser.add_argument("--inverted", action="store_true", help="serve dark ink on light paper")
    parser.add_argument("--size", type=float, default=0.5, help="share of parameters that stay")
    parser.add_argument("--steps", type=int, default=3000, help="matching steps at most")
    parser.add_argument("--minutes", type=float, default=None, help="matching wall time at most")
    parser.add_argument("--batch", type=int, default=128, help="images of a matching step")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--way", type=int, default=20)
    parser.add_argument("--shot", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Compress, measure, print."""
    args = arguments()
    import torch

    from imprint.train.compress.match import MatchPlan
    from imprint.train.compress.network import read_trained
    from imprint.train.compress.recipe import CompressPlan, compress
    from imprint.train.compress.table import Exam
    from imprint.train.evaluation import EpisodeShape
    from imprint.train.precision import keep_freed_memory
    from imprint.train.sources import open_splits

    torch.set_num_threads(1)
    keep_freed_memory()
    splits = open_splits(args.data, read_trained(args.run).backbone.image_px, split=args.split)
    exam = Exam(
        splits.test, EpisodeShape(args.way, args.shot, 15), args.episodes, args.seed, args.inverted
    )
    matching = MatchPlan(
        args.steps, args.minutes, n_batch=args.batch, rate=args.rate, seed=args.seed
    )
    plan = CompressPlan(args.size, inverted=args.inverted, match=matching)
    began, began_cpu = time.monotonic(), time.process_time()
    heard = [0]

    def told(stage: str, done: int, of: int) -> None:
        if done == 0 or done * 20 // of > heard[0]:
            heard[0] = done * 20 // of
            say(f"{time.monotonic() - began:,.0f} s {stage} {done}/{of}")

    table = compress(args.run, splits, exam, args.into, plan, told)
    say(str(table))
    facts = {
        "machine": machine(),
        "versions": versions("torch", "onnxruntime", "onnx", "numpy"),
        "load": os.getloadavg(),
        "source": splits.about,
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(time.process_time() - began_cpu, 1),
    }
    print(json.dumps({**facts, **table.to_json()}, indent=2))


if __name__ == "__main__":
    main()
