"""Shapes of marks on a surface, drawn: spots, cracks, scratches, chips, stains, light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imprint.train.image_small.local.grounds import CANVAS_PX

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Points = npt.NDArray[np.float64]

_FINE = 2  # drawn at twice the size, so edges come out smooth
SIDE = CANVAS_PX * _FINE


class Sheet:
    """A sheet to draw one mark on, in pixels of twice the canvas."""

    def __init__(self, rng: np.random.Generator, size: float) -> None:
        self.rng = rng
        self.size = size
        self.paper = Image.new("L", (SIDE, SIDE), 0)
        self.pen = ImageDraw.Draw(self.paper)

    def somewhere(self, margin: float = 0.2) -> Points:
        """A random point at least that share of the side away from the border."""
        return self.rng.uniform(margin, 1 - margin, 2) * SIDE

    def line(self, points: Points, width: float) -> None:
        """A bent line through points."""
        corners = [(float(x), float(y)) for x, y in points]
        self.pen.line(corners, fill=255, width=max(2, round(width)), joint="curve")

    def blob(self, at: Points, radius: float, rough: float = 0.3) -> None:
        """A filled outline whose radius varies by `rough`, stretched a little."""
        angles = np.sort(self.rng.uniform(0, 2 * np.pi, 14))
        radii = radius * (1 + rough * self.rng.normal(0, 1, 14)).clip(0.3, 2)
        stretch = np.exp(self.rng.uniform(-0.4, 0.4))
        x = at[0] + radii * np.cos(angles) * stretch
        y = at[1] + radii * np.sin(angles) / stretch
        self.pen.polygon([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=255)

    def walk(self, start: Points, turn: float, n_steps: int, step: float, shake: float) -> Points:
        """A path that keeps its direction but for random turns."""
        turns = turn + np.cumsum(self.rng.normal(0, shake, n_steps))
        moves = step * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])

    def done(self, blur: float = 0.0) -> npt.NDArray[np.uint8]:
        """The mark at canvas size, 0 .. 255."""
        paper = self.paper.filter(ImageFilter.GaussianBlur(blur)) if blur else self.paper
        return np.asarray(paper.resize((CANVAS_PX, CANVAS_PX), Image.Resampling.BOX))


def _angle(sheet: Sheet) -> float:
    return float(sheet.rng.uniform(0, 2 * np.pi))


def _spot(sheet: Sheet) -> None:
    sheet.blob(sheet.somewhere(0.1), sheet.rng.uniform(3, 9) * sheet.size, 0.1)


def _two_spots(sheet: Sheet) -> None:
    for _ in range(2):
        sheet.blob(sheet.somewhere(0.1), sheet.rng.uniform(3, 8) * sheet.size, 0.1)


def _cluster(sheet: Sheet) -> None:
    middle = sheet.somewhere()
    for _ in range(int(sheet.rng.integers(5, 14))):
        at = middle + sheet.rng.normal(0, 22 * sheet.size, 2)
        sheet.blob(at, sheet.rng.uniform(2, 6), 0.2)


def _specks(sheet: Sheet) -> None:
    for _ in range(int(sheet.rng.integers(25, 70))):
        sheet.blob(sheet.somewhere(0.0), sheet.rng.uniform(1.5, 4) * sheet.size, 0.2)


def _crack(sheet: Sheet) -> None:
    n_steps = int(sheet.rng.integers(14, 30) * sheet.size)
    path = sheet.walk(sheet.somewhere(), _angle(sheet), n_steps, 7, 0.45)
    sheet.line(path, sheet.rng.uniform(2, 5))


def _branched(sheet: Sheet) -> None:
    path = sheet.walk(sheet.somewhere(), _angle(sheet), 24, 7, 0.35)
    width = sheet.rng.uniform(2, 4)
    sheet.line(path, width)
    for _ in range(int(sheet.rng.integers(2, 5))):
        start = path[int(sheet.rng.integers(len(path)))]
        sheet.line(sheet.walk(start, _angle(sheet), int(8 + 10 * sheet.size), 6, 0.4), width)


def _scratch(sheet: Sheet) -> None:
    length = sheet.rng.uniform(50, 160) * sheet.size
    path = sheet.walk(sheet.somewhere(), _angle(sheet), 6, length / 6, 0.03)
    sheet.line(path, sheet.rng.uniform(2, 5))


def _scratches(sheet: Sheet) -> None:
    turn, middle = _angle(sheet), sheet.somewhere(0.3)
    for _ in range(int(sheet.rng.integers(3, 8))):
        start = middle + sheet.rng.normal(0, 35, 2)
        path = sheet.walk(start, turn, 5, sheet.rng.uniform(8, 25) * sheet.size, 0.02)
        sheet.line(path, sheet.rng.uniform(2, 4))


def _arc(sheet: Sheet) -> None:
    bend = sheet.rng.choice([-1, 1]) * sheet.rng.uniform(0.15, 0.3)
    turns = _angle(sheet) + bend * np.arange(14)
    moves = 9 * sheet.size * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    sheet.line(sheet.somewhere() + np.cumsum(moves, axis=0), sheet.rng.uniform(2, 5))


def _ring(sheet: Sheet) -> None:
    x, y = sheet.somewhere()
    wide, high = sheet.rng.uniform(10, 30, 2) * sheet.size
    box = (x - wide, y - high, x + wide, y + high)
    sheet.pen.ellipse(box, outline=255, width=int(sheet.rng.integers(2, 6)))


def _cross(sheet: Sheet) -> None:
    at, turn = sheet.somewhere(), _angle(sheet)
    for quarter in (0.0, np.pi / 2):
        arm = np.array([np.cos(turn + quarter), np.sin(turn + quarter)])
        reach = sheet.rng.uniform(12, 30) * sheet.size
        sheet.line(np.stack([at - reach * arm, at + reach * arm]), sheet.rng.uniform(2, 5))


def _stain(sheet: Sheet) -> None:
    sheet.blob(sheet.somewhere(), sheet.rng.uniform(18, 36) * sheet.size)


def _border_point(sheet: Sheet) -> Points:
    at = sheet.somewhere(0.0)
    at[int(sheet.rng.integers(2))] = sheet.rng.choice([0.0, SIDE])
    return at


def _chip(sheet: Sheet) -> None:
    sheet.blob(_border_point(sheet), sheet.rng.uniform(20, 45) * sheet.size, 0.35)


def _worn_edge(sheet: Sheet) -> None:
    at = sheet.rng.uniform(4, 22) * sheet.size
    edge = np.stack([np.linspace(0, SIDE, 20), at + sheet.rng.normal(0, at / 3, 20)], axis=1)
    edge = np.concatenate([[[0, 0]], edge, [[SIDE, 0]]])
    sheet.pen.polygon([(float(x), float(y)) for x, y in edge], fill=255)
    sheet.paper = sheet.paper.rotate(90 * int(sheet.rng.integers(4)))


def _band(sheet: Sheet) -> None:
    reach = 2 * SIDE * np.array([np.cos(turn := _angle(sheet)), np.sin(turn)])
    at = sheet.somewhere()
    sheet.line(np.stack([at - reach, at + reach]), sheet.rng.uniform(10, 36) * sheet.size)


def _patch(sheet: Sheet) -> None:
    x, y = sheet.somewhere()
    wide, high = sheet.rng.uniform(16, 40, 2) * sheet.size
    corners = np.array([[-wide, -high], [wide, -high], [wide, high], [-wide, high]])
    turn = _angle(sheet)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    sheet.pen.polygon([(x + a, y + b) for a, b in (corners @ spin.T).tolist()], fill=255)


def _abraded(sheet: Sheet) -> None:
    middle, turn = sheet.somewhere(), _angle(sheet)
    for _ in range(int(sheet.rng.integers(30, 60))):
        start = middle + sheet.rng.normal(0, 26 * sheet.size, 2)
        path = sheet.walk(start, turn + sheet.rng.normal(0, 0.5), 3, 4, 0.4)
        sheet.line(path, sheet.rng.uniform(2, 5))


def _half(sheet: Sheet) -> None:
    at, turn = sheet.somewhere(0.25), _angle(sheet)
    along = 2 * SIDE * np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    corners = np.stack([at - along, at + along, at + along + across, at - along + across])
    sheet.pen.polygon([(float(x), float(y)) for x, y in corners], fill=255)


def _glow(sheet: Sheet) -> None:
    sheet.blob(sheet.somewhere(0.1), sheet.rng.uniform(60, 110), 0.2)


def _glows(sheet: Sheet) -> None:
    for _ in range(3):
        sheet.blob(sheet.somewhere(0.0), sheet.rng.uniform(25, 55), 0.3)


THIN: dict[str, Callable[[Sheet], None]] = {
    "spot": _spot,
    "two spots": _two_spots,
    "cluster": _cluster,
    "specks": _specks,
    "crack": _crack,
    "branched crack": _branched,
    "scratch": _scratch,
    "scratches": _scratches,
    "arc": _arc,
    "ring": _ring,
    "cross": _cross,
}
BROAD: dict[str, Callable[[Sheet], None]] = {
    "stain": _stain,
    "chip": _chip,
    "worn edge": _worn_edge,
    "band": _band,
    "patch": _patch,
    "abraded": _abraded,
}
SOFT: dict[str, Callable[[Sheet], None]] = {"half": _half, "glow": _glow, "glows": _glows}
SIZES = {"small": 0.7, "large": 1.5}


def drawn_mark(shape: str, size: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One mark of a shape: (canvas, canvas), 255 where it lies."""
    sheet = Sheet(rng, SIZES[size])
    if shape in SOFT:
        SOFT[shape](sheet)
        return sheet.done(blur=float(rng.uniform(14, 40)))
    (THIN | BROAD)[shape](sheet)
    return sheet.done(blur=float(rng.uniform(0, 1.5)))
