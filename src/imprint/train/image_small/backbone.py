"""The trunk of image-small: a narrow residual network, and the cosine heads it is trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTHS = (32, 64, 128, 320)
DEPTHS = (1, 2, 2, 1)
MEAN_RGB = (0.5, 0.47, 0.42)
SPREAD_RGB = (0.28, 0.27, 0.28)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016); the shortcut averages, not skips."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            pool = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            fit = nn.Conv2d(n_in, n_out, 1, bias=False)
            self.shortcut = nn.Sequential(pool, fit, nn.BatchNorm2d(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h / stride, w / stride)."""
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


class Trunk(nn.Module):
    """Pixels (n, 3, px, px) in 0 .. 1 to pooled features (n, width of the last stage)."""

    def __init__(self, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> None:
        super().__init__()
        self.widths, self.depths = tuple(widths), tuple(depths)
        self.stem = nn.Conv2d(3, widths[0], 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        stages, n_in = [], widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = []
            for position in range(depth):
                blocks.append(ResidualBlock(n_in, width, 2 if number and not position else 1))
                n_in = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stage_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Output of every stage: (n, width of the stage, h, w) each."""
        mean = torch.tensor(MEAN_RGB).view(1, 3, 1, 1)
        x = (x - mean) / torch.tensor(SPREAD_RGB).view(1, 3, 1, 1)
        x = functional.relu(self.stem_norm(self.stem(x)))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the last stage, not yet of length one."""
        return self.stage_maps(x)[-1].mean(dim=(2, 3))


class CosineHead(nn.Module):
    """Logits as scaled cosines to one learnt direction per class (Gidaris and Komodakis 2018)."""

    def __init__(self, n_features: int, n_classes: int, scale: float = 12.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(n_classes, n_features) * 0.05)
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, n_features) to (n, n_classes)."""
        cosine = (
            functional.normalize(features, dim=1) @ functional.normalize(self.directions, dim=1).T
        )
        return self.scale * cosine
