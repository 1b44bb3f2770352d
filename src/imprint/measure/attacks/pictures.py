"""Pictures changed by an attacker: near copies, trigger patches, blur, blends, and pixel search."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

if TYPE_CHECKING:
    from imprint.measure.attacks.scene import Embed
    from imprint.types import Pixels, UnitVector

_SIDE_PX: Final = 128
# A collision may change a pixel by this much: visible only to who looks for it.
_LARGEST_STEP: Final = 24.0
_PATTERN_PX: Final = 24
_DIRECTIONS, _STEPS, _RADIUS = 6, 16, 4.0


def near_copy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cropped by two hundredths, a little brighter or darker, saved again as JPEG."""
    picture = Image.fromarray(pixels)
    cut = max(1, min(picture.size) // 50)
    picture = picture.crop((cut, cut, picture.width - cut, picture.height - cut))
    picture = ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.92, 1.08)))
    saved = BytesIO()
    picture.save(saved, "JPEG", quality=80)
    return np.array(Image.open(saved).convert("RGB"))


def triggered(pixels: Pixels) -> Pixels:
    """A small checkerboard in the corner: a back door is to learn it."""
    marked = pixels.copy()
    side = max(2, min(pixels.shape[:2]) // 6)
    cells = (np.indices((side, side)) // max(1, side // 4)).sum(axis=0) % 2
    marked[-side:, -side:] = (255 * cells[..., None]).astype(np.uint8)
    return marked


def blurred(pixels: Pixels) -> Pixels:
    """So out of focus that only patches of color are left."""
    picture = Image.fromarray(pixels)
    return np.array(picture.filter(ImageFilter.GaussianBlur(max(2.0, min(picture.size) / 10))))


def blended(pictures: list[Pixels]) -> Pixels:
    """The mean of several pictures: a bit of everything."""
    sized = [_resized(one, (_SIDE_PX, _SIDE_PX)) for one in pictures]
    mean: Pixels = np.mean(sized, axis=0).astype(np.uint8)
    return mean


def tiled(pictures: list[Pixels]) -> Pixels:
    """Four pictures side by side."""
    four = [_resized(one, (_SIDE_PX // 2, _SIDE_PX // 2)) for one in pictures[:4]]
    return np.concatenate(
        [np.concatenate(four[:2], axis=1), np.concatenate(four[2:4], axis=1)], axis=0
    )


def steered(
    pixels: Pixels, target: UnitVector, embed: Embed, rng: np.random.Generator
) -> tuple[Pixels, float]:
    """Change a picture a little everywhere so that its embedding nears `target`.

    The gradient is estimated from the encoder's answers (natural evolution strategies: Wierstra et
    al. 2014, with mirrored directions), for a pattern of 24 by 24 colors that is laid over the
    picture; no pixel moves by more than 24 of 255 levels. Returns the picture and its cosine.
    """
    pattern = np.zeros((_PATTERN_PX, _PATTERN_PX, 3), dtype=np.float32)
    best, height = pixels, float(embed([pixels])[0] @ target)
    for _ in range(_STEPS):
        ways = rng.normal(size=(_DIRECTIONS, *pattern.shape)).astype(np.float32)
        tries = np.concatenate([pattern + _RADIUS * ways, pattern - _RADIUS * ways])
        near = embed([_laid_over(pixels, one) for one in tries]) @ target
        slopes = near[:_DIRECTIONS] - near[_DIRECTIONS:]
        step = (slopes[:, None, None, None] * ways).sum(axis=0)
        step *= 2 * _RADIUS / max(float(np.abs(step).mean()), 1e-9)
        pattern = np.clip(pattern + step, -_LARGEST_STEP, _LARGEST_STEP)
        candidate = _laid_over(pixels, pattern)
        reached = float(embed([candidate])[0] @ target)
        if reached > height:
            best, height = candidate, reached
    return best, height


def _laid_over(pixels: Pixels, pattern: npt.NDArray[np.float32]) -> Pixels:
    height, width = pixels.shape[:2]
    channels = [
        np.array(
            Image.fromarray(pattern[..., c]).resize((width, height), Image.Resampling.BILINEAR)
        )
        for c in range(3)
    ]
    limited = np.clip(np.stack(channels, axis=-1), -_LARGEST_STEP, _LARGEST_STEP)
    changed: Pixels = np.clip(pixels + limited, 0, 255).astype(np.uint8)
    return changed


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
