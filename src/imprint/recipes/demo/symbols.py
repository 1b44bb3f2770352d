"""Symbols drawn on the spot: letters and signs of Pillow's bundled font, and shapes of our own.

Every query is turned, scaled, shifted, blurred and covered with noise; ink and paper change too.
No file is read, so that every machine draws the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE_PX = 128
_DRAWN_PX = 384  # drawn large and reduced, so that edges are smooth at any angle

GLYPHS: dict[str, str] = {
    "ampersand": "&",
    "letter R": "R",
    "letter K": "K",
    "letter S": "S",
    "digit 4": "4",
    "digit 8": "8",
    "question mark": "?",
    "percent": "%",
    "at sign": "@",
    "hash": "#",
    "letter G": "G",
    "letter M": "M",
    "asterisk": "*",
}
KNOWN = (
    "ampersand",
    "letter R",
    "letter K",
    "letter S",
    "digit 4",
    "question mark",
    "percent",
    "star",
    "spiral",
    "house",
)
UNKNOWN = (
    "at sign",
    "digit 8",
    "hash",
    "letter G",
    "letter M",
    "asterisk",
    "crescent",
    "arrow",
    "cross in a ring",
    "stairs",
)
_PAPERS = ((255, 255, 255), (250, 244, 228), (228, 238, 248), (240, 240, 240))
_INKS = ((20, 20, 30), (30, 50, 120), (110, 30, 30), (20, 80, 50))


def clean(name: str) -> Image.Image:
    """Draw a symbol upright, black on white: the one example that is taught."""
    return _reduced(_drawn(name, _INKS[0], _PAPERS[0]))


def disturbed(name: str, rng: np.random.Generator) -> Image.Image:
    """Draw a symbol as a query: turned, scaled, moved, blurred, noisy, in other colors."""
    paper = _PAPERS[rng.integers(len(_PAPERS))]
    drawn = _drawn(name, _INKS[rng.integers(len(_INKS))], paper)
    angle_deg, scale = rng.uniform(-20, 20), rng.uniform(0.72, 1.12)
    shift = rng.uniform(-0.06, 0.06, 2) * _DRAWN_PX
    turned = drawn.rotate(angle_deg, Image.Resampling.BICUBIC, fillcolor=paper)
    side = round(_DRAWN_PX * scale)
    placed = Image.new("RGB", drawn.size, paper)
    corner = [round((_DRAWN_PX - side) / 2 + s) for s in shift]
    placed.paste(turned.resize((side, side), Image.Resampling.LANCZOS), (corner[0], corner[1]))
    small = _reduced(placed).filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.6)))
    noisy = np.asarray(small, np.float32) + rng.normal(0, rng.uniform(2, 10), (SIDE_PX, SIDE_PX, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _reduced(drawn: Image.Image) -> Image.Image:
    return drawn.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def _drawn(name: str, ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (_DRAWN_PX, _DRAWN_PX), paper)
    pen = ImageDraw.Draw(image)
    if name in GLYPHS:
        font = ImageFont.load_default(0.7 * _DRAWN_PX)
        pen.text((_DRAWN_PX / 2, _DRAWN_PX / 2), GLYPHS[name], ink, font, anchor="mm")
    else:
        _SHAPES[name](pen, ink, paper)
    return image


def _at(radius: float, turn: float) -> tuple[float, float]:
    """Point at a radius (share of half the side) and a turn (0 is up, 1 is full circle)."""
    angle = 2 * math.pi * turn
    half = _DRAWN_PX / 2
    return half + radius * half * math.sin(angle), half - radius * half * math.cos(angle)


def _scaled(*points: tuple[float, float]) -> list[tuple[float, float]]:
    return [(x * _DRAWN_PX, y * _DRAWN_PX) for x, y in points]


_Color = tuple[int, int, int]


def _star(pen: ImageDraw.ImageDraw, ink: _Color, _: _Color) -> None:
    pen.polygon([_at(0.72 if i % 2 == 0 else 0.3, i / 10) for i in range(10)], fill=ink)


def _spiral(pen: ImageDraw.ImageDraw, ink: _Color, _: _Color) -> None:
    pen.line([_at(0.05 + 0.23 * t / 100, t / 100) for t in range(290)], ink, 20, joint="curve")


def _house(pen: ImageDraw.ImageDraw, ink: _Color, paper: _Color) -> None:
    roof = _scaled((0.5, 0.14), (0.84, 0.46), (0.74, 0.46), (0.74, 0.82), (0.26, 0.82))
    pen.polygon([*roof, *_scaled((0.26, 0.46), (0.16, 0.46))], fill=ink)
    pen.rectangle(_scaled((0.43, 0.58), (0.57, 0.82)), fill=paper)


def _crescent(pen: ImageDraw.ImageDraw, ink: _Color, paper: _Color) -> None:
    pen.ellipse(_scaled((0.18, 0.16), (0.82, 0.84)), fill=ink)
    pen.ellipse(_scaled((0.36, 0.1), (0.94, 0.72)), fill=paper)


def _arrow(pen: ImageDraw.ImageDraw, ink: _Color, _: _Color) -> None:
    shaft = _scaled((0.12, 0.42), (0.54, 0.42), (0.54, 0.22), (0.9, 0.5))
    pen.polygon([*shaft, *_scaled((0.54, 0.78), (0.54, 0.58), (0.12, 0.58))], fill=ink)


def _ring(pen: ImageDraw.ImageDraw, ink: _Color, _: _Color) -> None:
    pen.ellipse(_scaled((0.16, 0.16), (0.84, 0.84)), outline=ink, width=24)
    pen.line(_scaled((0.5, 0.16), (0.5, 0.84)), ink, 24)
    pen.line(_scaled((0.16, 0.5), (0.84, 0.5)), ink, 24)


def _stairs(pen: ImageDraw.ImageDraw, ink: _Color, _: _Color) -> None:
    steps = _scaled((0.16, 0.84), (0.16, 0.66), (0.38, 0.66), (0.38, 0.44), (0.6, 0.44))
    pen.polygon([*steps, *_scaled((0.6, 0.2), (0.84, 0.2), (0.84, 0.84))], fill=ink)


_SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, _Color, _Color], None]] = {
    "star": _star,
    "spiral": _spiral,
    "house": _house,
    "crescent": _crescent,
    "arrow": _arrow,
    "cross in a ring": _ring,
    "stairs": _stairs,
}
