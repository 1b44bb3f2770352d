"""Reproduce the Omniglot table: train by every recipe, then ask the test episodes of each.

    python benchmarks/train_ledger.py ../shared/data/omniglot --runs runs/ledger
    python benchmarks/train_ledger.py ../shared/data/omniglot --runs runs/ledger --only proto
    python benchmarks/train_ledger.py ../shared/data/omniglot --runs runs/ledger --ask-only

A run that is finished is not trained again; one that was stopped is resumed. Prints one JSON
document; what it printed here is in docs/measurements/training-omniglot.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from machine import machine, say, versions

FEW = ((5, 1), (5, 5), (20, 1), (20, 5))
N_QUERY = 15


@dataclass(frozen=True)
class Recipe:
    """The words of `imprint train` beside --data, --out and --seed, and what to ask afterwards."""

    words: str
    shapes: tuple[tuple[int, int], ...] = ((5, 1),)
    n_groups: int = 0
    n_query: int = N_QUERY


PAIRS = (
    "--split vinyals --way 5 --shot 1 --validate-every 4 --averaging 0.01 "
    "--set optimizer.rate=0.002 --epochs 20"
)
RECIPES = {
    "proto": Recipe(
        "prototypical --split vinyals --way 20 --shot 1 --minutes 52 --validate-every 5 "
        "--augment affine --averaging 0.005 --set in_turn=true --set optimizer.rate=0.002",
        FEW,
    ),
    "matching": Recipe(f"matching {PAIRS} --set in_turn=true"),
    "triplet": Recipe(f"triplet {PAIRS}"),
    "siamese": Recipe(f"siamese {PAIRS}"),
    "background": Recipe(
        "prototypical --split background --px 42 --augment elastic --way 20 --shot 1 --query 2 "
        "--groups 1 --validate-every 4 --averaging 0.01 --set optimizer.rate=0.002 "
        "--set in_turn=true --set step.n_groups=4 --set step.n_query=3 --epochs 30",
        ((20, 1),),
        n_groups=1,
        n_query=1,
    ),
}


def main() -> None:
    """Train what is not trained yet, ask everything, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, help="folder with Omniglot's npz files and split")
    parser.add_argument("--runs", type=Path, default=Path("runs/ledger"), help="a folder per run")
    parser.add_argument("--only", nargs="*", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--ask-only", action="store_true", help="train nothing")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rows = {}
    for name in args.only:
        folder = args.runs / name
        if not args.ask_only and not (folder / "report.json").exists():
            trained(RECIPES[name], folder, args)
        if (folder / "report.json").exists():
            rows[name] = asked(RECIPES[name], folder, args)
    facts = {"machine": machine(), "versions": versions("torch", "numpy"), "load": os.getloadavg()}
    print(json.dumps({**facts, "episodes": args.episodes, "runs": rows}, indent=2))


def trained(recipe: Recipe, folder: Path, args: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "imprint", "train", *recipe.words.split()]
    command += ["--data", str(args.data), "--out", str(folder), "--seed", str(args.seed)]
    if (folder / "checkpoint.safetensors").exists():
        command.append("--resume")
    say(" ".join(command[2:]))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def asked(recipe: Recipe, folder: Path, args: argparse.Namespace) -> dict[str, object]:
    import torch

    from imprint.train.checkpoint import load_backbone
    from imprint.train.evaluation import EpisodeShape, score_shapes
    from imprint.train.methods import make_method
    from imprint.train.methods.protocol import Learner
    from imprint.train.sampling import TEST
    from imprint.train.sources import open_splits

    torch.set_num_threads(1)
    report = json.loads((folder / "report.json").read_text())
    backbone = load_backbone(folder / "best.safetensors")
    words = recipe.words.split()
    split = words[words.index("--split") + 1]
    pool = open_splits(args.data, backbone.image_px, split=split).test
    if recipe.n_groups:  # alphabets that cannot fill an episode by themselves are not asked
        keep = [c for group in pool.groups if len(group) >= 20 for c in group]
        pool = pool.only(keep)
    settings = {n.removeprefix("method."): v for n, v in report["params"].items()}
    method = make_method(report["method"], chosen(settings, make_method(report["method"])))
    shapes = [EpisodeShape(*few, recipe.n_query, recipe.n_groups) for few in recipe.shapes]
    learner = Learner(backbone).eval()
    asked_of = score_shapes(method, learner, pool, shapes, args.episodes, seed=7, use=TEST)
    scores = {}
    for score in asked_of:
        say(f"{folder.name} {score}")
        scores[f"{score.n_way}w{score.n_shot}s"] = {
            "accuracy": round(100 * score.accuracy, 2),
            "interval": round(100 * score.interval, 2),
        }
    told = ("n_steps", "elapsed_s", "cpu_s", "best_epoch", "status")
    return {
        "words": recipe.words,
        **{name: report.get(name) for name in told},
        "n_parameters": sum(p.numel() for p in backbone.parameters()),
        "validation": report["validation"],
        "test": scores,
    }


def chosen(settings: dict[str, object], method: object) -> dict[str, str]:
    from imprint.train.settings import flat

    known = flat(method)
    return {n: str(v) for n, v in settings.items() if n in known and v != known[n]}


if __name__ == "__main__":
    main()
