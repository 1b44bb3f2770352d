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

from imprint.train.image_small.augment import Dice
from imprint.train.image_small.backbone import CosineHead
from imprint.train.image_small.local.branch import LocalBranch, save_branch
from imprint.train.image_small.local.views import Drawn, board_views, draw_all, surface_views

N_EACH = 40
PX_UNTIL = ((0.45, 96), (0.75, 128), (1.0, 160))
SAVE_EVERY = 50


class Pupil(nn.Module):
    """The branch with one cosine head for surfaces and one for boards."""

    def __init__(self, branch: LocalBranch, n_surfaces: int, n_boards: int) -> None:
        super().__init__()
        self.branch = branch
        self.surfaces = CosineHead(branch.n_features, n_surfaces)
        self.boards = CosineHead(branch.n_features, n_boards)

    def losses(self, drawn: Drawn, px: int, dice: Dice) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy on fresh views of both kinds, passed through as one batch."""
        surfaces, surface = surface_views(drawn, N_EACH, px, dice)
        boards, board = board_views(drawn, N_EACH, px, dice)
        pixels = torch.cat([surfaces, boards]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            features = self.branch(pixels)
        first, second = features.float().split(N_EACH)
        return (
            functional.cross_entropy(self.surfaces(first), surface, label_smoothing=0.05),
            functional.cross_entropy(self.boards(second), board, label_smoothing=0.05),
        )


def train(drawn: Drawn, seconds: float, seed: int, out: Path, max_steps: int = 10**9) -> None:
    """Train until the time is up; `out` always holds the last saved averaged branch."""
    torch.manual_seed(seed)
    dice = Dice(seed)
    pupil = Pupil(LocalBranch(), drawn.n_surfaces, drawn.n_boards)
    pupil.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(pupil.branch)
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=1e-3, weight_decay=0.02)
    started, share, step = time.monotonic(), 0.0, 0
    while share < 1.0 and step < max_steps:
        rate = 3e-3 * min(1.0, share / 0.04 + 0.05) * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate
        px = next(px for until, px in PX_UNTIL if share <= until)
        surface, board = pupil.losses(drawn, px, dice)
        if not torch.isfinite(surface + board):
            raise RuntimeError(f"the loss is not finite at step {step}; lower the learning rate")
        optimizer.zero_grad(set_to_none=True)
        (surface + board).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(pupil.parameters(), 2.0)
        optimizer.step()
        follow(averaged, pupil.branch, step)
        step += 1
        share = max((time.monotonic() - started) / seconds, step / max_steps)
        if step % SAVE_EVERY == 0 or share >= 1.0:
            save_branch(averaged, out)
            sys.stderr.write(
                f"{share:6.1%}  step {step}  {px} px  surfaces {surface:.2f}  boards {board:.2f}\n"
            )
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
    asked = options.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    train(draw_all(asked.seed), asked.minutes * 60, asked.seed, asked.out / "branch.pt")


if __name__ == "__main__":
    main()
