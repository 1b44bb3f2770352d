"""Random views of a whole batch at once: small shifts, turns, stretches and shears.

Every image gets a change of its own; one call of `grid_sample` makes all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Views = Callable[[torch.Tensor, np.random.Generator], torch.Tensor]


def affine_views(
    images: torch.Tensor,
    rng: np.random.Generator,
    *,
    turn_degrees: float = 7.0,
    stretch: float = 0.1,
    shear: float = 0.1,
    shift: float = 0.05,
) -> torch.Tensor:
    """Each image turned, stretched, sheared and shifted by up to the amounts; outside is zero.

    `stretch` and `shear` are relative, `shift` is a share of the side.
    """
    theta = _affine(len(images), rng, turn_degrees, stretch, shear, shift)
    grid = functional.affine_grid(
        torch.from_numpy(theta).to(images.device), list(images.shape), align_corners=False
    )
    return _sampled(images, grid)


def elastic_views(
    images: torch.Tensor, rng: np.random.Generator, *, coarse: int = 5, bend: float = 0.08
) -> torch.Tensor:
    """Affine changes and a smooth random bend of up to about `bend` of the side.

    Shifts are drawn at `coarse` x `coarse` points and interpolated between (Simard et al. 2003
    smooth noise at every pixel instead).
    """
    theta = _affine(len(images), rng, 12.0, 0.2, 0.2, 0.08)
    grid = functional.affine_grid(
        torch.from_numpy(theta).to(images.device), list(images.shape), align_corners=False
    )
    pushes = rng.normal(0.0, bend, (len(images), 2, coarse, coarse)).astype(np.float32)
    bent = functional.interpolate(
        torch.from_numpy(pushes).to(images.device),
        size=images.shape[2:],
        mode="bicubic",
        align_corners=True,
    )
    return _sampled(images, grid + bent.permute(0, 2, 3, 1))


VIEWS: dict[str, Views | None] = {"none": None, "affine": affine_views, "elastic": elastic_views}


def _sampled(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    views = functional.grid_sample(images, grid, align_corners=False)
    return views.clamp_(0.0, 1.0).contiguous(memory_format=torch.channels_last)


def _affine(
    n: int,
    rng: np.random.Generator,
    turn_degrees: float,
    stretch: float,
    shear: float,
    shift: float,
) -> npt.NDArray[np.float32]:
    """(n, 2, 3): where each pixel of a view is read from, in -1 .. 1."""
    angle = np.deg2rad(rng.uniform(-turn_degrees, turn_degrees, n))
    wide, high = np.exp(rng.uniform(-stretch, stretch, (2, n)))
    lean = rng.uniform(-shear, shear, n)
    cos, sin = np.cos(angle), np.sin(angle)
    theta = np.zeros((n, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 0, 1] = wide * cos, wide * (lean * cos - sin)
    theta[:, 1, 0], theta[:, 1, 1] = high * sin, high * (lean * sin + cos)
    theta[:, :, 2] = rng.uniform(-2 * shift, 2 * shift, (n, 2))
    return theta
