"""Train ANIL or MAML on Omniglot (split of Vinyals et al.) and ask the test classes.

    python benchmarks/training_inner_loop.py anil --omniglot DIR --out DIR --minutes 30
    python benchmarks/training_inner_loop.py maml --omniglot DIR --out DIR --minutes 15 \\
        --set second_order=false

Runs through the training loop of the package: killed, it goes on from its last epoch when started
again. Ends with one JSON document; docs/measurements/training-maml.md records it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from imprint.train.checkpoint import load_backbone
from imprint.train.evaluation import EpisodeScore, score_episodes
from imprint.train.loop import Progress, train
from imprint.train.methods.inner_loop.anil import Anil
from imprint.train.methods.inner_loop.maml import Maml
from imprint.train.methods.protocol import Learner
from imprint.train.precision import keep_freed_memory
from imprint.train.runs import CHECKPOINT
from imprint.train.sampling import TEST
from imprint.train.settings import RunSettings, changed, flat
from imprint.train.sources.omniglot import vinyals_splits
from imprint.train.tracking import Tracker
from machine import machine, say, versions

SHAPES = {"5w1s": (5, 1), "5w5s": (5, 5), "20w1s": (20, 1), "20w5s": (20, 5)}
N_QUERY = 15
METHODS = {"anil": Anil(start="zero"), "maml": Maml()}


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("method", choices=METHODS)
    options.add_argument("--omniglot", type=Path, required=True, help="folder of the npz files")
    options.add_argument("--out", type=Path, default=Path("runs/inner"), help="folder of the run")
    options.add_argument("--runs", type=Path, help="folder of the records (default: OUT/..)")
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=SHAPES)
    options.add_argument("--ask", type=Path, help="best.safetensors to ask; nothing is trained")
    options.add_argument("--start", type=Path, help="best.safetensors of a run to begin with")
    options.add_argument("--averaging", type=float, default=0.0, help="pace of averaged weights")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--episodes", type=int, default=1000, help="test episodes of each kind")
    options.add_argument("--steps-per-epoch", type=int, default=200)
    options.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the method"
    )
    options.add_argument(
        "--answer-steps",
        type=int,
        nargs="*",
        default=[],
        help="further numbers of steps to ask with",
    )
    return options


def asked(method, learner, pool, args) -> dict[str, dict[str, float]]:
    """Scores of every shape the learner can answer, by its name."""
    found = {}
    for shape in args.shapes:
        n_way, n_shot = SHAPES[shape]
        if method.start == "learned" and n_way != method.step.n_way:
            continue
        score: EpisodeScore = score_episodes(
            method,
            learner,
            pool,
            (n_way, n_shot, N_QUERY if not method.adapts else 5),
            args.episodes,
            seed=args.seed,
            use=TEST,
        )
        say(str(score))
        found[shape] = {
            "accuracy": round(100 * score.accuracy, 2),
            "ci95": round(100 * score.interval, 2),
            "n_episodes": score.n_episodes,
            "n_query": score.n_query,
        }
    return found


def told_now_and_then(every_s: float = 30.0):
    last = [time.monotonic()]

    def tell(progress: Progress) -> None:
        if time.monotonic() - last[0] >= every_s:
            last[0] = time.monotonic()
            figures = " ".join(f"{name} {value:.3f}" for name, value in progress.metrics.items())
            at = f"{progress.share:6.1%}  step {progress.step:5d}  {progress.left_s:5.0f} s left"
            say(f"{at}  {figures}")

    return tell


def trained(method, splits, args):
    """Train, and say how it went."""
    settings = RunSettings(
        minutes=args.minutes,
        seed=args.seed,
        steps_per_epoch=args.steps_per_epoch,
        n_validation_episodes=60 if method.adapts else 400,
        n_test_episodes=60 if method.adapts else 1000,
        n_way=method.step.n_way if method.adapts or method.start == "learned" else 20,
        n_query=5,
        averaging=args.averaging,
    )
    recorder = Tracker(args.runs or args.out.parent, beside=args.out, command=sys.argv, say=say)
    outcome = train(
        method,
        splits,
        settings,
        folder=args.out,
        resume=(args.out / CHECKPOINT).exists(),
        start=args.start,
        recorder=recorder,
        on_progress=told_now_and_then(),
    )
    say(f"{outcome.n_steps} steps in {outcome.elapsed_s:.0f} s, best epoch {outcome.best_epoch}")
    return outcome.learner, {
        "run": recorder.run_id,
        "settings": flat(settings),
        "n_steps": outcome.n_steps,
        "n_episodes": outcome.n_steps * method.step.n_episodes,
        "elapsed_s": round(outcome.elapsed_s),
        "best_epoch": outcome.best_epoch,
    }


def main() -> None:
    args = parser().parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    method = changed(METHODS[args.method], dict(one.split("=", 1) for one in args.set))
    splits = vinyals_splits(args.omniglot)
    if args.ask:  # a head that starts from nothing is not in the file
        learner, told = Learner(load_backbone(args.ask)), {}
    else:
        learner, told = trained(method, splits, args)
    document = {
        "machine": machine(),
        "versions": versions("torch", "numpy", "imprint"),
        "method": flat(method),
        **told,
        "test": {},
    }
    for n_steps in sorted({method.answer_steps, *args.answer_steps}):
        say(f"answers after {n_steps} inner steps")
        answering = changed(method, {"answer_steps": str(n_steps)})
        document["test"][n_steps] = asked(answering, learner, splits.test, args)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
