"""Pictures: large, sharp, varied and well exposed enough to teach a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.intake.verdict import measured

if TYPE_CHECKING:
    from imprint.intake.quality.limits import QualityLimits
    from imprint.types import Check, Pixels

_SIDE_PX: Final = 64
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Contrast below this is one flat color: nothing can be learned from it.
_BLANK: Final = 1e-4
# Pictures of few tones (drawings, scans, masks) are black and white on purpose.
_FEW_TONES: Final = 0.9
_DARK, _BRIGHT = 4 / 255, 251 / 255

Gray = npt.NDArray[np.float32]


def image_checks(pixels: Pixels, limits: QualityLimits) -> tuple[Check, ...]:
    """Measure a decoded picture."""
    height, width = pixels.shape[:2]
    gray = _brightness(pixels)
    contrast = float(gray.std())
    shape = (
        measured(
            "size",
            min(height, width),
            limits.image_side_px,
            "the picture is too small to show anything; send one of at least 64 px a side",
            bad="quarantine",
            floor=True,
        ),
        measured(
            "aspect",
            max(height, width) / min(height, width),
            limits.image_aspect_ratio,
            "the picture is a narrow strip; crop it to what it should show",
            bad="quarantine",
        ),
    )
    if contrast < _BLANK:
        hint = "the picture is one flat color; take it again with the object in view"
        return (
            *shape,
            measured("blank", contrast, _BLANK, hint, bad="reject", floor=True),
        )
    return (*shape, *_content(gray, contrast, limits))


def _content(gray: Gray, contrast: float, limits: QualityLimits) -> tuple[Check, ...]:
    return (
        measured(
            "blank",
            contrast,
            limits.image_contrast,
            "the picture is almost one color; take it again with the object in view",
            bad="quarantine",
            floor=True,
        ),
        measured(
            "blur",
            detail(gray),
            limits.image_detail,
            "the picture is blurred; hold still, tap to focus, and take it again",
            bad="quarantine",
            floor=True,
        ),
        measured(
            "exposure",
            clipped(gray),
            limits.image_clipped,
            "nearly all of the picture is pure black or white; change the light and take it again",
            bad="quarantine",
        ),
    )


def detail(gray: Gray) -> float:
    """Variance of the Laplacian over the variance of brightness: low where edges are soft.

    Dividing by the brightness's own variance makes a dim picture as sharp as a bright one.
    """
    middle = gray[1:-1, 1:-1]
    around = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]
    spread = float(gray.var())
    if middle.size == 0 or spread <= 0:
        return 0.0
    return float((around - 4 * middle).var()) / spread


def clipped(gray: Gray) -> float:
    """Share of pixels in pure black or white, whichever is more; 0 for pictures of few tones."""
    dark, bright = float((gray <= _DARK).mean()), float((gray >= _BRIGHT).mean())
    few_tones = dark + bright >= _FEW_TONES and min(dark, bright) > 0.0
    return 0.0 if few_tones else max(dark, bright)


def _brightness(pixels: Pixels) -> Gray:
    """Brightness 0 .. 1 at a longer side of at most 64 px, by averaging blocks."""
    height, width = pixels.shape[:2]
    step = max(1, -(-max(height, width) // _SIDE_PX))
    rows, columns = max(1, height // step), max(1, width // step)
    step_y, step_x = min(step, height), min(step, width)
    part = pixels[: rows * step_y, : columns * step_x]
    blocks = part.reshape(rows, step_y, columns, step_x, 3).mean(axis=(1, 3), dtype=np.float32)
    gray: Gray = (blocks @ _LUMA / np.float32(255)).astype(np.float32)
    return gray
