"""The background bank of image-small: vectors of pictures of no particular class, and no pictures.

Two thirds come from the train splits, a few per class; one third is drawn here: stripes, checks,
noise, gradients, blobs and outlines, the kind of thing inspection and icon collections see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw

from imprint.intake.decode import to_sample
from imprint.train.image_small.shipping.embedding import squares_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from imprint.encoders.protocol import Encoder
    from imprint.train.image_small.sets import ImageSet
    from imprint.types import Pixels, Sample

SIDE_PX = 96
N_DRAWN = 320
N_LEARNT = {"tiny_imagenet": 320, "caltech101": 180, "omniglot": 180}


def bank_samples(sets: Sequence[ImageSet], seed: int) -> list[Sample]:
    """The pictures behind the bank, spread evenly over classes."""
    samples = []
    for one in sets:
        # Sets are sorted by class, so evenly spaced rows are evenly spread classes.
        rows = torch.linspace(0, len(one.images) - 1, N_LEARNT[one.name]).long()
        samples += [to_sample(s.numpy(), "image") for s in squares_of(one, rows, SIDE_PX)]
    rng = np.random.default_rng(seed)
    return samples + [to_sample(drawn(rng, i), "image") for i in range(N_DRAWN)]


def drawn(rng: np.random.Generator, number: int) -> Pixels:
    """One procedural texture or shape; the number picks the kind."""
    kinds = (_stripes, _checks, _noise, _gradient, _blobs, _outlines, _outlines, _blobs)
    shade = kinds[number % len(kinds)](rng)
    ink, paper = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    if number % 2:
        ink, paper = np.repeat(ink[:1], 3), np.repeat(paper[:1], 3)
    pixels = paper + shade[..., None] * (ink - paper) + rng.normal(0, 6, (SIDE_PX, SIDE_PX, 1))
    return pixels.clip(0, 255).astype(np.uint8)


def _grid(rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    turn = rng.uniform(0, np.pi)
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def _stripes(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    along, _ = _grid(rng)
    return np.asarray(0.5 + 0.5 * np.sin(along * rng.uniform(10, 90)))


def _checks(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    (x, y), pitch = _grid(rng), rng.uniform(3, 14)
    return np.asarray((np.floor(x * pitch) + np.floor(y * pitch)) % 2)


def _noise(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    coarse = rng.uniform(0, 255, (int(rng.integers(4, 60)),) * 2).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    return np.asarray(smooth) / 255.0


def _gradient(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    x, y = _grid(rng)
    return np.asarray(np.clip(x * rng.uniform(0.3, 1) + y * rng.uniform(0, 1) ** 2, 0, 1))


def _blobs(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return _painted(rng, filled=True)


def _outlines(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return _painted(rng, filled=False)


def _painted(rng: np.random.Generator, *, filled: bool) -> npt.NDArray[np.float64]:
    paper = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    pen = ImageDraw.Draw(paper)
    for _ in range(int(rng.integers(1, 6))):
        corners = rng.uniform(0.05, 0.95, (int(rng.integers(2, 7)), 2)) * SIDE_PX
        points = [(float(x), float(y)) for x, y in corners]
        if filled and len(points) > 2:
            pen.polygon(points, fill=int(rng.integers(100, 256)))
        else:
            pen.line(points, fill=255, width=int(rng.integers(1, 5)), joint="curve")
    return np.asarray(paper) / 255.0


def write_bank(encoder: Encoder, samples: Sequence[Sample], path: Path, story: str) -> None:
    """Embed and write int8 rows; only their direction counts, so no scale is kept."""
    from safetensors.numpy import save

    vectors = encoder.encode(samples)
    rows = np.round(vectors * (127.0 / np.abs(vectors).max(axis=1, keepdims=True)))
    facts = {"encoder": encoder.version, "from": story}
    path.write_bytes(save({"vectors": rows.astype(np.int8)}, metadata=facts))
