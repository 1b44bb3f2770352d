"""The same sample, changed so little that a person would not notice.

A sample that was made to deceive an encoder pixel by pixel does not survive that; a photo does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imprint.types import Pixels, Sample

_CROPPED = 32  # one part in so many is cut off each side


def perturbed(sample: Sample) -> Sample | None:
    """A picture cropped by a thirtieth and smoothed by one pixel; None for other modalities."""
    if not isinstance(sample.value, np.ndarray):
        return None
    return replace(sample, value=_smoothed(_cropped(sample.value)))


def _cropped(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = height // _CROPPED, width // _CROPPED
    return pixels[top : height - top, left : width - left]


def _smoothed(pixels: Pixels) -> Pixels:
    """Each pixel averaged with its neighbors, weights 1-2-1 both ways."""
    wide = np.pad(pixels.astype(np.uint16), ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    both = rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]
    smooth: Pixels = ((both + 8) // 16).astype(np.uint8)
    return smooth
