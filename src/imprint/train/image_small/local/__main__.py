"""Train the local branch: python -m imprint.train.image_small.local --out DIR."""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from imprint.train.augment.image import Dice
from imprint.train.image_small.backbone import CosineHead
from imprint.train.image_small.local.branch import LocalBranch, load_branch, save_branch
from imprint.train.image_small.local.marks import BROAD, SOFT, THIN
from imprint.train.image_small.local.views import LOOKS, Drawn, board_views, draw_all, surface_views

N_EACH = 40
# Thin marks are lost below 128 px.
PX_UNTIL = ((0.6, 128), (1.0, 160))
SAVE_EVERY = 50


class Pupil(nn.Module):
    """The branch with cosine heads: surface classes, their shapes, their looks, board classes.

    Shapes and looks on their own teach faster than 163 classes with a quarter of a view each.
    """

    def __init__(self, branch: LocalBranch, drawn: Drawn) -> None:
        super().__init__()
        self.branch = branch
        sizes = {
            "surfaces": drawn.n_surfaces,
            "shapes": len(THIN | BROAD | SOFT) + 1,
            "looks": len(LOOKS) + 1,
            "boards": drawn.n_boards,
        }
        self.heads = nn.ModuleDict({k: CosineHead(branch.n_features, n) for k, n in sizes.items()})

    def losses(self, drawn: Drawn, px: int, dice: Dice) -> dict[str, torch.Tensor]:
        """Cross-entropy of every head on fresh views, passed through as one batch."""
        surfaces, surface = surface_views(drawn, N_EACH, px, dice)
        boards, board = board_views(drawn, N_EACH, px, dice)
        pixels = torch.cat([surfaces, boards]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            features = self.branch(pixels)
        first, second = features.float().split(N_EACH)
        targets = {
            "surfaces": (first, surface),
            "shapes": (first, drawn.shapes(surface)),
            "looks": (first, drawn.looks(surface)),
            "boards": (second, board),
        }
        return {
            name: functional.cross_entropy(self.heads[name](x), y, label_smoothing=0.05)
            for name, (x, y) in targets.items()
        }


def train(
    drawn: Drawn,
    seconds: float,
    seed: int,
    out: Path,
    max_steps: int = 10**9,
    start: LocalBranch | None = None,
) -> None:
    """Train until the time is up; `out` always holds the last saved averaged branch."""
    torch.manual_seed(seed)
    dice = Dice(seed)
    pupil = Pupil(start or LocalBranch(), drawn).train()
    pupil.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(pupil.branch)
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=1e-3, weight_decay=0.02)
    started, share, step = time.monotonic(), 0.0, 0
    while share < 1.0 and step < max_steps:
        rate = 3e-3 * min(1.0, share / 0.04 + 0.05) * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate
        px = next(px for until, px in PX_UNTIL if share <= until)
        losses = pupil.losses(drawn, px, dice)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise RuntimeError(f"the loss is not finite at step {step}; lower the learning rate")
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(pupil.parameters(), 2.0)
        optimizer.step()
        follow(averaged, pupil.branch, step)
        step += 1
        share = max((time.monotonic() - started) / seconds, step / max_steps)
        if step % SAVE_EVERY == 0 or share >= 1.0:
            save_branch(averaged, out)
            told = "  ".join(f"{name} {loss:.2f}" for name, loss in losses.items())
            sys.stderr.write(f"{share:6.1%}  step {step}  {px} px  {told}\n")
    save_branch(averaged, out)


@torch.no_grad()
def follow(averaged: LocalBranch, branch: LocalBranch, step: int) -> None:
    """Move the averaged weights and running statistics toward the current ones."""
    pace, current = max(0.01, 1.0 / (step + 1)), branch.state_dict()
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], pace)


def main(arguments: list[str] | None = None) -> None:
    """Draw, train, leave `branch.pt`."""
    options = argparse.ArgumentParser(prog="python -m imprint.train.image_small.local")
    options.add_argument("--out", type=Path, required=True, help="folder for the weights")
    options.add_argument("--minutes", type=float, default=15.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--start", type=Path, help="branch.pt of an earlier run to go on from")
    asked = options.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    start = load_branch(asked.start) if asked.start else None
    train(
        *(draw_all(asked.seed), asked.minutes * 60, asked.seed, asked.out / "branch.pt"),
        start=start,
    )


if __name__ == "__main__":
    main()
