"""The local branch: a narrow network on standardized gray, pooled by mean and by maximum.

A fault is a small departure from what the rest of the picture looks like. Standardizing every
picture removes light and contrast; the maximum keeps one small response alive that a mean over
the whole picture would bury.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from imprint.train.image_small.backbone import ResidualBlock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WIDTHS = (16, 32, 64, 128)
N_FEATURES = 128
GRAY = (0.299, 0.587, 0.114)


class LocalBranch(nn.Module):
    """Pixels (n, 3, px, px) in 0 .. 1 to features (n, n_features), not of length one."""

    def __init__(self, widths: Sequence[int] = WIDTHS, n_features: int = N_FEATURES) -> None:
        super().__init__()
        self.widths, self.n_features = tuple(widths), n_features
        self.stem = nn.Conv2d(1, widths[0], 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.stages = nn.Sequential(*(ResidualBlock(a, b, 2) for a, b in pairwise(widths)))
        self.last = nn.Linear(2 * widths[-1], n_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features."""
        gray = (x * x.new_tensor(GRAY).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        less = gray - gray.mean(dim=(2, 3), keepdim=True)
        spread = (less * less).mean(dim=(2, 3), keepdim=True).sqrt()
        maps = self.stages(functional.relu(self.stem_norm(self.stem(less / (spread + 0.02)))))
        pooled = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        features: torch.Tensor = self.last(torch.sqrt(pooled + 1e-6))
        return features


def save_branch(branch: LocalBranch, path: Path) -> None:
    """Write weights and shape beside the target, then rename over it."""
    part = path.with_suffix(".part")
    shape = {"widths": list(branch.widths), "n_features": branch.n_features}
    torch.save({"shape": shape, "weights": branch.state_dict()}, part)
    part.replace(path)


def load_branch(path: Path) -> LocalBranch:
    """Read what `save_branch` wrote (tensors only, never code)."""
    kept = torch.load(path, weights_only=True)
    branch = LocalBranch(**kept["shape"])
    branch.load_state_dict(kept["weights"])
    return branch.eval()
