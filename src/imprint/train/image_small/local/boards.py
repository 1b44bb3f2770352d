"""Pieces of made-up circuit boards, two colors, with one fault in the middle or none.

Tracks run side by side, bend, end in pads or cross a filled plane; kinds of fault are named after
what board inspection names them. No real board is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

CROP_PX = 64
_FINE = 3
SIDE = 108 * _FINE  # larger than the crop, so it can be turned


@dataclass
class Board:
    """Tracks along x around the middle: half widths and the y of their centers, in drawn pixels."""

    rng: np.random.Generator
    pen: ImageDraw.ImageDraw
    centers: npt.NDArray[np.float64]
    halves: npt.NDArray[np.float64]

    @property
    def gap(self) -> float:
        """Free space between the middle track and the next one below."""
        return float(self.centers[1] - self.centers[0] - self.halves[0] - self.halves[1])

    def blob(self, x: float, y: float, wide: float, high: float, fill: int) -> None:
        """An uneven ellipse."""
        angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        rough = (1 + 0.18 * self.rng.normal(0, 1, 16)).clip(0.5, 1.5)
        xs, ys = x + wide * rough * np.cos(angles), y + high * rough * np.sin(angles)
        points = [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]
        self.pen.polygon(points, fill=fill)


def drawn_board(kind: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(64, 64) of 0 and 255, copper 255, with a fault of the kind near the middle."""
    paper = Image.new("L", (SIDE, SIDE), 0)
    pen, middle = ImageDraw.Draw(paper), SIDE / 2
    half = rng.uniform(2.0, 8.0) * _FINE
    gap = max(rng.uniform(1.2, 5.0) * half, 5.0 * _FINE)
    board = Board(rng, pen, np.array([middle, middle + 2 * half + gap]), np.array([half, half]))
    _draw_tracks(board, half, gap)
    FAULTS[kind](board, middle)
    turned = paper.rotate(45 * int(rng.integers(8)) if rng.random() < 0.5 else 90)
    shift = rng.normal(0, 1.5 * _FINE, 2)
    left, top = middle + shift - CROP_PX * _FINE / 2
    right, bottom = left + CROP_PX * _FINE, top + CROP_PX * _FINE
    soft = turned.filter(ImageFilter.GaussianBlur(_FINE * float(rng.uniform(0.3, 1.0))))
    crop = soft.crop((round(left), round(top), round(right), round(bottom)))
    small = np.asarray(crop.resize((CROP_PX, CROP_PX), Image.Resampling.BOX), dtype=np.float64)
    noise = rng.normal(0, rng.uniform(0, 10), small.shape)
    return np.where(small + noise > 127, 255, 0).astype(np.uint8)


def _draw_tracks(board: Board, half: float, gap: float) -> None:
    rng, middle = board.rng, SIDE / 2
    pitch = 2 * half + gap
    bend_at = middle + rng.choice([-1, 1]) * rng.uniform(12, 60) * _FINE
    slope = float(rng.choice([-1, 0, 1]))
    for number in range(-5, 7):
        if number not in (0, 1) and rng.random() < 0.3:
            continue
        _draw_track(board, middle + number * pitch, half, bend_at, slope)
    if rng.random() < 0.25:  # a filled plane on one side
        edge = middle + pitch + half * rng.uniform(-1, 0.5)
        board.pen.rectangle((0, min(edge, SIDE), SIDE, SIDE), fill=255)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0, SIDE, 2)
        if abs(y - middle) > pitch and np.hypot(x - middle, y - middle) > 14 * _FINE:
            radius = half * rng.uniform(1.3, 2.5)
            board.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _draw_track(board: Board, y: float, half: float, bend_at: float, slope: float) -> None:
    far = SIDE if bend_at > SIDE / 2 else 0
    near = SIDE - far
    line = [(near, y), (bend_at, y), (far, y + slope * abs(far - bend_at))]
    board.pen.line(line, fill=255, width=round(2 * half), joint="curve")
    if abs(y - SIDE / 2) > 1 and board.rng.random() < 0.3:
        x, r = bend_at, half * board.rng.uniform(1.4, 2.2)
        board.pen.ellipse((x - r, y - r, x + r, y + r), fill=255)


def _none(board: Board, x: float) -> None:
    del board, x


def _open(board: Board, x: float) -> None:
    half = board.halves[0]
    board.blob(x, board.centers[0], board.rng.uniform(1.5, 6) * _FINE, 1.7 * half, 0)


def _short(board: Board, x: float) -> None:
    y = board.centers[0] + board.halves[0] + board.gap / 2
    board.blob(x, y, board.rng.uniform(1.5, 6) * _FINE, board.gap * 0.85, 255)


def _bite(board: Board, x: float) -> None:
    half, side = board.halves[0], board.rng.choice([-1, 1])
    deep = half * board.rng.uniform(0.5, 1.3)
    board.blob(x, board.centers[0] + side * half, board.rng.uniform(1.5, 5) * _FINE, deep, 0)


def _spur(board: Board, x: float) -> None:
    half, reach = board.halves[0], min(board.gap, 12 * _FINE) * board.rng.uniform(0.35, 0.75)
    y = board.centers[0] + board.rng.choice([-1, 1]) * half
    board.blob(x, y, board.rng.uniform(1.5, 5) * _FINE, reach, 255)


def _island(board: Board, x: float) -> None:
    y = board.centers[0] + board.halves[0] + board.gap / 2
    most = board.gap * 0.33
    high = min(most, board.rng.uniform(1.5, 6) * _FINE)
    board.blob(x, y, high * board.rng.uniform(0.8, 1.6), high, 255)


def _hole(board: Board, x: float) -> None:
    half, y = board.halves[0], board.centers[0]
    if board.rng.random() < 0.5:  # in a pad or a plane rather than in a track
        r = board.rng.uniform(8, 18) * _FINE
        if board.rng.random() < 0.5:
            board.pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
        else:
            board.pen.rectangle((x - 2 * r, y - r, x + 2 * r, y + r), fill=255)
        half = r
    high = min(half * 0.55, board.rng.uniform(1.5, 4.5) * _FINE)
    board.blob(x, y, high * board.rng.uniform(0.8, 1.5), high, 0)


def _neck(board: Board, x: float) -> None:
    for side in (-1, 1):
        y = board.centers[0] + side * board.halves[0]
        board.blob(x, y, board.rng.uniform(3, 7) * _FINE, board.halves[0] * 0.55, 0)


def _bulge(board: Board, x: float) -> None:
    high = board.halves[0] + min(board.gap * 0.35, 4 * _FINE)
    board.blob(x, board.centers[0], board.rng.uniform(4, 8) * _FINE, high, 255)


def _cut(board: Board, x: float) -> None:
    turn, reach = board.rng.uniform(0.6, 2.5), 30 * _FINE
    dx, dy = reach * np.cos(turn), reach * np.sin(turn)
    y = board.centers[0]
    width = int(board.rng.integers(1, 3)) * _FINE
    board.pen.line([(x - dx, y - dy), (x + dx, y + dy)], fill=0, width=width)


def _bridge(board: Board, x: float) -> None:
    turn, reach = board.rng.uniform(0.6, 2.5), 20 * _FINE
    dx, dy = reach * np.cos(turn), reach * np.sin(turn)
    y = board.centers[0]
    width = int(board.rng.integers(1, 3)) * _FINE
    board.pen.line([(x - dx, y - dy), (x + dx, y + dy)], fill=255, width=width)


def _end(board: Board, x: float) -> None:
    y, half = board.centers[0], board.halves[0]
    board.pen.rectangle((x, y - 1.3 * half, SIDE, y + 1.3 * half), fill=0)


def _specks(board: Board, x: float) -> None:
    for _ in range(int(board.rng.integers(5, 12))):
        at_x, at_y = board.rng.normal(0, 10 * _FINE, 2)
        size, fill = board.rng.uniform(0.8, 2) * _FINE, int(board.rng.choice([0, 255]))
        board.blob(x + at_x, board.centers[0] + at_y, size, size, fill)


FAULTS: dict[str, Callable[[Board, float], None]] = {
    "none": _none,
    "open": _open,
    "short": _short,
    "bite": _bite,
    "spur": _spur,
    "island": _island,
    "hole": _hole,
    "neck": _neck,
    "bulge": _bulge,
    "cut": _cut,
    "bridge": _bridge,
    "end": _end,
    "specks": _specks,
}
