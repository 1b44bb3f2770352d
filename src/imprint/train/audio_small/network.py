"""The network of `audio-small`: a picture of sound in, one unit vector out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from imprint.train.audio_small.front import N_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTHS = (24, 48)
TIME_WIDTH = 192
DIM = 256


class Residual(nn.Module):
    """Two 3 x 3 convolutions and a way past them."""

    def __init__(self, n_in: int, n_out: int, stride: int | tuple[int, int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.past = (
            nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(n_in, n_out, 1, bias=False)
            )
            if n_in != n_out
            else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One step of the trunk."""
        inner = torch.relu(self.first_norm(self.first(x)))
        inner = self.second_norm(self.second(inner))
        return torch.relu(inner + self.past(x))


class TimeBlock(nn.Module):
    """Convolution over time alone, with a way past it."""

    def __init__(self, width: int, spacing: int) -> None:
        super().__init__()
        self.turn = nn.Conv1d(width, width, 3, padding=spacing, dilation=spacing, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One step of the trunk."""
        return x + torch.relu(self.norm(self.turn(x)))


class Network(nn.Module):
    """Relative log power (n, 1, 64, n_steps) to unit vectors (n, DIM), any number of steps.

    Two views go in: the picture itself and the picture without the mean of each band, which takes
    the microphone's and the voice's color off. Both halves of the vector come from pooling over
    time: the mean, and the strongest response.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, time_width: int = TIME_WIDTH) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, widths[0], 5, (4, 2), 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.low = Residual(widths[0], widths[0], 1)
        self.high = Residual(widths[0], widths[1], (2, 2))
        self.fold = nn.Conv1d(widths[1] * N_BANDS // 8, time_width, 1, bias=False)
        self.fold_norm = nn.BatchNorm1d(time_width)
        self.over_time = nn.Sequential(*(TimeBlock(time_width, s) for s in (1, 2, 4)))
        self.out = nn.Linear(2 * time_width, DIM)

    def forward(self, relative: torch.Tensor) -> torch.Tensor:
        """Unit vectors."""
        picture = relative.clamp(min=-6.0) / 3.0 + 1.0
        centered = picture - picture.mean(dim=3, keepdim=True)
        x = torch.cat([picture, centered], dim=1)
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = self.high(self.low(x))
        x = torch.relu(self.fold_norm(self.fold(x.flatten(1, 2))))
        x = self.over_time(x)
        pooled = torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)
        return functional.normalize(self.out(pooled), dim=1)
