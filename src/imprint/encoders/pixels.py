"""From decoded pixels to the square an image network reads; the card says how, bit for bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    import numpy.typing as npt

    from imprint.types import Pixels

View = Literal["crop", "stretch", "pad", "zoom", "close", "inner"]
Layout = Literal["uint8_nhwc", "float32_nchw"]
Resample = Literal["bilinear", "bicubic", "lanczos"]
Pooling = Literal["none", "mean", "first"]
_LARGEST_SIDE_PX = 1024
# Sides of the middle views, as shares of the shorter side of the picture.
_MIDDLE = {"crop": 1.0, "inner": 0.875, "zoom": 0.8, "close": 0.65}


@dataclass(frozen=True, slots=True)
class PixelRecipe:
    """How an image network wants its pixels, and how its output becomes one vector.

    Every view is a square of `side_px`: crop is the picture's middle square; inner, zoom and close
    are the middle 87.5 % (224 of 256 pixels), 80 % and 65 % of that; stretch is the whole picture
    without its aspect ratio, pad the whole picture on its border's color. The vector of a picture
    is the mean direction of its views.

    `mean` and `spread` (of red, green, blue in 0 .. 1) apply to the float layout only; the uint8
    layout hands pixels over as they are. `pooling` is for outputs (1, tokens, dim).
    """

    side_px: int
    views: tuple[View, ...] = ("crop",)
    resample: Resample = "bicubic"
    layout: Layout = "float32_nchw"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    spread: tuple[float, float, float] = (0.229, 0.224, 0.225)
    pooling: Pooling = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.side_px, int) or not 8 <= self.side_px <= _LARGEST_SIDE_PX:
            raise InvalidOptionError(f"side_px must be 8 .. {_LARGEST_SIDE_PX}, got {self.side_px}")
        if not self.views:
            raise InvalidOptionError("views must name at least one view")
        for name, values, kind in (
            ("views", self.views, View),
            ("resample", (self.resample,), Resample),
            ("layout", (self.layout,), Layout),
            ("pooling", (self.pooling,), Pooling),
        ):
            if not set(values) <= set(get_args(kind)):
                raise InvalidOptionError(f"{name} must be of {', '.join(get_args(kind))}")
        if len(self.mean) != 3 or len(self.spread) != 3 or min(self.spread) <= 0:
            raise InvalidOptionError("mean and spread need three numbers each, spread above 0")

    @classmethod
    def from_json(cls, shape: dict[str, Any]) -> PixelRecipe:
        """Read the `preprocessing` of a card.

        Raises:
            InvalidOptionError: a field is missing, unknown or out of range.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(shape) - known):
            raise InvalidOptionError(f"the card's preprocessing has unknown fields: {unknown}")
        if "side_px" not in shape:
            raise InvalidOptionError("the card's preprocessing lacks side_px")
        fitted: dict[str, Any] = dict(shape)
        for name in ("views", "mean", "spread"):
            if name in fitted:
                fitted[name] = tuple(fitted[name])
        return cls(**fitted)

    def to_json(self) -> dict[str, Any]:
        """What a card holds, and what the version hash is taken over."""
        return asdict(self)


def prepared(pixels: Pixels, recipe: PixelRecipe) -> list[npt.NDArray[np.generic]]:
    """One picture as the network's inputs, one for each view, with a leading axis of one.

    (1, side, side, 3) uint8 or (1, 3, side, side) float32, as the recipe's layout says. Views that
    show the same (crop and stretch of a square picture) are given once.
    """
    views = dict.fromkeys(recipe.views)
    if pixels.shape[0] == pixels.shape[1] and "crop" in views:
        views = {view: None for view in views if view not in ("stretch", "pad")}
    return [_laid_out(squared(pixels, view, recipe), recipe) for view in views]


def _laid_out(square: npt.NDArray[np.uint8], recipe: PixelRecipe) -> npt.NDArray[np.generic]:
    if recipe.layout == "uint8_nhwc":
        return square[None]
    mean, spread = np.array(recipe.mean, np.float32), np.array(recipe.spread, np.float32)
    scaled = (square.astype(np.float32) / np.float32(255.0) - mean) / spread
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def squared(pixels: Pixels, view: View, recipe: PixelRecipe) -> npt.NDArray[np.uint8]:
    """One view of a picture, (side, side, 3), antialiased when it shrinks."""
    from PIL import Image

    height, width = pixels.shape[:2]
    side, picture = recipe.side_px, Image.fromarray(np.ascontiguousarray(pixels))
    how = Image.Resampling[recipe.resample.upper()]
    if view == "pad":
        longer = max(width, height)
        inner = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
        paper = Image.new("RGB", (side, side), border_color(pixels))
        paper.paste(picture.resize(inner, how), ((side - inner[0]) // 2, (side - inner[1]) // 2))
        return np.asarray(paper)
    box = (0.0, 0.0, float(width), float(height))
    if view != "stretch":
        half = min(height, width) * _MIDDLE[view] / 2
        box = (width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
    return np.asarray(picture.resize((side, side), how, box=box))


def border_color(pixels: Pixels) -> tuple[int, int, int]:
    """Median color of the outermost pixels: paper of a drawing, surroundings of a photo."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = np.median(edge, axis=0).astype(int).tolist()
    return red, green, blue
