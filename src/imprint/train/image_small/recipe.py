"""The recipe of the shipped encoder: python -m imprint.train.image_small --data DIR --out DIR."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from imprint.train.image_small.backbone import Trunk
from imprint.train.image_small.loop import LoopSettings, Progress, train_jointly
from imprint.train.image_small.sets import ImageSet, held_out, load_all

SAVE_EVERY_S = 120.0
TELL_EVERY_S = 15.0


class Diary:
    """Writes a line of progress now and then, and a checkpoint that is never half-written."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.told_s = self.saved_s = 0.0

    def __call__(self, progress: Progress, averaged: Trunk) -> None:
        """Called after every step."""
        if progress.elapsed_s - self.told_s >= TELL_EVERY_S:
            self.told_s = progress.elapsed_s
            self._tell(progress)
        if progress.elapsed_s - self.saved_s >= SAVE_EVERY_S:
            self.saved_s = progress.elapsed_s
            save_trunk(averaged, self.out / "trunk.pt")

    def _tell(self, progress: Progress) -> None:
        losses = " ".join(f"{name} {loss:.2f}" for name, loss in progress.losses.items())
        pace = progress.n_images / progress.elapsed_s
        sys.stderr.write(
            f"{progress.share:6.1%}  step {progress.step:6d}  {pace:4.0f} images/s each  {losses}\n"
        )
        line = {"step": progress.step, "share": progress.share, "losses": progress.losses}
        with (self.out / "progress.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def save_trunk(trunk: Trunk, path: Path) -> None:
    """Write weights and shape beside the target, then rename over it."""
    part = path.with_suffix(".part")
    shape = {"widths": list(trunk.widths), "depths": list(trunk.depths)}
    torch.save({"shape": shape, "weights": trunk.state_dict()}, part)
    part.replace(path)


def load_trunk(path: Path) -> Trunk:
    """Read what `save_trunk` wrote (tensors only, never code)."""
    kept = torch.load(path, weights_only=True)
    trunk = Trunk(**kept["shape"])
    trunk.load_state_dict(kept["weights"])
    return trunk.eval()


def work(rank: int, options: argparse.Namespace, meeting: str) -> None:
    """One worker: a thread of its own, gradients averaged with the others."""
    torch.set_num_threads(1)
    if options.workers > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}", rank=rank, world_size=options.workers
        )
    sets = learnt_sets(options)
    torch.manual_seed(options.seed)
    settings = LoopSettings(options.minutes * 60, options.seed, peak_rate=options.peak_rate)
    settings = replace(settings, batch=settings.batch | dict(options.batch))
    trunk = load_trunk(options.start) if options.start else Trunk()
    trunk = train_jointly(sets, settings, trunk=trunk.train(), on_progress=Diary(options.out))
    if rank == 0:
        save_trunk(trunk, options.out / "trunk.pt")
    if options.workers > 1:
        distributed.destroy_process_group()


def learnt_sets(options: argparse.Namespace) -> list[ImageSet]:
    """The train splits, without the classes set aside when settings are being chosen."""
    sets = load_all(options.data)
    if not options.set_aside:
        return sets
    kept = []
    for one in sets:
        aside = held_out(one)
        kept.append(one.only(lambda i, aside=aside: not aside(i)))  # type: ignore[misc]
    return kept


def parser() -> argparse.ArgumentParser:
    """The options of the recipe."""
    options = argparse.ArgumentParser(prog="python -m imprint.train.image_small")
    options.add_argument("--data", type=Path, required=True, help="folder of the three sets")
    options.add_argument("--out", type=Path, required=True, help="folder for weights and log")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=40.0)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--peak-rate", type=float, default=0.15, help="largest learning rate")
    options.add_argument("--start", type=Path, help="trunk.pt of an earlier run to go on from")
    options.add_argument(
        "--batch",
        action="append",
        default=[],
        type=_named_number,
        metavar="SET=N",
        help="pictures a step draws from a set, for each worker",
    )
    options.add_argument(
        "--set-aside", action="store_true", help="leave out an eighth of the classes, to choose on"
    )
    return options


def _named_number(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


def main(arguments: list[str] | None = None) -> None:
    """Train and leave `trunk.pt` in the output folder."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.workers <= 1:
        work(0, options, "")
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        spawn(work, args=(options, meeting), nprocs=options.workers)  # type: ignore[no-untyped-call]
