"""Learning curves: a small plot of characters for terminals, and inline SVG for pages."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from imprint.measure.report.plots import svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    Points = Sequence[tuple[int, float]]
    Curves = Sequence[tuple[str, Points]]

MARKS = "*o+x#@%&"
N_STROKES = 6
_WIDE, _HIGH, _LEFT, _TOP, _UNDER = 560, 240, 64, 16, 44
STYLE = """
.run { fill: none; stroke-width: 1.8; } .run-0 { stroke: #0a5cad; } .run-1 { stroke: #b3261e; }
.run-2 { stroke: #1a7f37; } .run-3 { stroke: #8250df; } .run-4 { stroke: #9a6700; }
.run-5 { stroke: #57606a; } .again { stroke-dasharray: 6 4; }
@media (prefers-color-scheme: dark) { .run-0 { stroke: #6cb6ff; } .run-1 { stroke: #ff8a80; }
  .run-2 { stroke: #57d364; } .run-3 { stroke: #d2a8ff; } .run-4 { stroke: #e3b341; }
  .run-5 { stroke: #9da7b1; } }
svg .key { stroke: none; } pre { overflow-x: auto; background: var(--tile); padding: .6rem .8rem;
  border: 1px solid var(--line); border-radius: .5rem; }
"""


def drawable(points: Points) -> list[tuple[int, float]]:
    """The points a plot can show: those with a finite value."""
    return [(epoch, value) for epoch, value in points if math.isfinite(value)]


def text_plot(curves: Curves, *, width: int = 60, height: int = 10) -> str:
    """Curves over epochs in characters, one mark for each; later curves lie above earlier ones."""
    shown = [(name, drawable(points)) for name, points in curves]
    points = [point for _, some in shown for point in some]
    if not points:
        return "  (nothing to plot yet)"
    (first, last), (low, high) = _ranges(points)
    cells = [[" "] * width for _ in range(height)]
    for number, (_, some) in enumerate(shown):
        for epoch, value in some:
            column = round((epoch - first) / max(last - first, 1) * (width - 1))
            row = round((high - value) / (high - low) * (height - 1))
            cells[row][column] = MARKS[number % len(MARKS)]
    margin = max(len(_short(high)), len(_short(low)))
    lines = []
    for row, line in enumerate(cells):
        label = {0: _short(high), height - 1: _short(low)}.get(row, "")
        lines.append(f"  {label:>{margin}} |{''.join(line).rstrip()}")
    lines.append(f"  {'':>{margin}} +{'-' * width}")
    ends = f"{first}{'epoch':^{max(width - len(f'{first}{last}'), 5)}}{last}"
    return "\n".join([*lines, f"  {'':>{margin}}  {ends}"])


def svg_plot(name: str, title: str, curves: Curves) -> str:
    """Curves over epochs as SVG: value upward, epoch to the right, a line under it for each key."""
    shown = [(run, drawable(points)) for run, points in curves]
    points = [point for _, some in shown for point in some]
    if not points:
        return "<p>Nothing to plot yet.</p>"
    (first, last), (low, high) = _ranges(points)

    def place(epoch: int, value: float) -> tuple[float, float]:
        x = _LEFT + _WIDE * (epoch - first) / max(last - first, 1)
        return x, _TOP + _HIGH * (high - value) / (high - low)

    parts = _axes((first, last), (low, high))
    for number, (run, some) in enumerate(shown):
        parts += _curve(number, run, [place(*point) for point in some])
    told = "; ".join(f"{run} ends at {some[-1][1]:.4g}" for run, some in shown if some)
    size = (_LEFT + _WIDE + 20, _TOP + _HIGH + _UNDER + 18 * len(shown))
    return svg(name, title, f"{title} by epoch. {told}.", size, parts)


def _ranges(points: Points) -> tuple[tuple[int, int], tuple[float, float]]:
    epochs, values = [p[0] for p in points], [p[1] for p in points]
    low, high = min(values), max(values)
    if high - low < 1e-12 * max(abs(high), 1.0):
        spread = abs(high) * 0.05 or 0.05  # a flat curve lies in the middle
        low, high = low - spread, high + spread
    return (min(epochs), max(epochs)), (low, high)


def _axes(epochs: tuple[int, int], values: tuple[float, float]) -> list[str]:
    low, high = values
    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        y = _TOP + _HIGH * (1 - step / 4)
        parts += [
            f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _WIDE}" y2="{y:.1f}"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>',
        ]
    for epoch, x in ((epochs[0], _LEFT), (epochs[1], _LEFT + _WIDE)):
        parts.append(f'<text x="{x}" y="{_TOP + _HIGH + 16}" text-anchor="middle">{epoch}</text>')
    middle = _LEFT + _WIDE / 2
    parts.append(f'<text x="{middle}" y="{_TOP + _HIGH + 16}" text-anchor="middle">epoch</text>')
    return parts


def _curve(number: int, run: str, places: Sequence[tuple[float, float]]) -> list[str]:
    kind = f"run run-{number % N_STROKES}" + (" again" if number >= N_STROKES else "")
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    y = _TOP + _HIGH + _UNDER + 18 * number
    parts = [
        f'<line class="{kind}" x1="{_LEFT}" y1="{y - 4}" x2="{_LEFT + 28}" y2="{y - 4}"/>',
        f'<text x="{_LEFT + 36}" y="{y}">{escape(run)}</text>',
        f'<polyline class="{kind}" points="{line}"/>',
    ]
    if len(places) == 1:  # a line of one point would not be seen
        x, y1 = places[0]
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y1:.1f}" r="3"/>')
    return parts


def _short(value: float) -> str:
    return f"{value:.4g}"
