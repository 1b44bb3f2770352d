"""Batches of a corpus: some classes, a few renditions of each, changed anew every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from imprint.train.audio_small.front import RANGE_LOG10

if TYPE_CHECKING:
    from imprint.train.audio_small.corpus import Corpus

WIDEST_MASK = 8


class Batch(NamedTuple):
    """Relative log power (n, 1, bands, steps) and the class number of each row."""

    pictures: torch.Tensor
    labels: torch.Tensor


def drawn(corpus: Corpus, n_classes: int, n_renditions: int, rng: np.random.Generator) -> Batch:
    """Renditions of some classes (at most all there are), as the network gets them."""
    n_classes = min(n_classes, len(corpus.pictures))
    chosen = rng.choice(len(corpus.pictures), n_classes, replace=False)
    takes = np.stack(
        [rng.permutation(corpus.pictures.shape[1])[:n_renditions] for _ in range(n_classes)]
    )
    pictures = corpus.pictures[chosen[:, None], takes]
    rows = torch.from_numpy(pictures.reshape(-1, *pictures.shape[2:]))
    labels = torch.arange(n_classes).repeat_interleave(n_renditions)
    return Batch(changed(rows, rng), labels)


def changed(rows: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Bytes (n, bands, steps) to relative log power: warped, colored, under noise, masked.

    Bands are stretched and moved as by another vocal tract or a turned pitch, time as by another
    pace; the color is a smooth line over the bands; masks are those of SpecAugment (Park et al.
    2019), one of each kind.
    """
    n, n_bands, n_steps = rows.shape
    above = _warped(rows.float() / 255.0 * RANGE_LOG10, rng)
    color = functional.interpolate(
        torch.from_numpy(rng.normal(0, 0.4, (n, 1, 6)).astype(np.float32)),
        size=n_bands,
        mode="linear",
        align_corners=True,
    )
    above = above + color.transpose(1, 2)
    floor = torch.from_numpy(rng.uniform(-1, 4.5, (n, 1, 1)).astype(np.float32))
    flicker = torch.from_numpy(rng.gumbel(0, 0.25, rows.shape).astype(np.float32))
    above = torch.logaddexp(above * 2.3026, (floor - flicker) * 2.3026) / 2.3026
    bands, steps = torch.arange(n_bands)[None, :, None], torch.arange(n_steps)[None, None, :]
    hidden = _mask(bands, n, n_bands, rng) | _mask(steps, n, n_steps, rng)
    relative = above - above.amax(dim=(1, 2), keepdim=True)
    return relative.masked_fill(hidden, -RANGE_LOG10).clamp(min=-RANGE_LOG10)[:, None]


def _warped(above: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    n, n_bands, n_steps = above.shape

    def each(middle: float, spread: float) -> torch.Tensor:
        return torch.from_numpy(rng.normal(middle, spread, (n, 1)).astype(np.float32))

    bands = torch.linspace(-1, 1, n_bands) * each(0, 0.06).exp() + each(0, 0.04)
    steps = torch.linspace(-1, 1, n_steps) * each(0, 0.12).exp() + each(0, 0.08)
    places = torch.stack(
        [
            steps[:, None, :].expand(n, n_bands, n_steps),
            bands[:, :, None].expand(n, n_bands, n_steps),
        ],
        dim=3,
    )
    return functional.grid_sample(above[:, None], places, align_corners=True)[:, 0]


def _mask(places: torch.Tensor, n: int, n_places: int, rng: np.random.Generator) -> torch.Tensor:
    width = rng.integers(0, WIDEST_MASK + 1, (n, 1, 1))
    first = rng.integers(0, n_places - width + 1)
    start = torch.from_numpy(first)
    return (places >= start) & (places < start + torch.from_numpy(width))
