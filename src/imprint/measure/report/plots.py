"""Plots of the HTML report as inline SVG: no library, no script, readable by screen readers.

Colors are the page's variables, so light and dark pages draw alike. Every plot has a title and a
description that says in words what it shows.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from imprint.measure.reliability import Reliability

MOST_CLASSES = 60  # cells of a larger map could not be told apart
_LABELLED_CLASSES = 30
_SIDE, _MARGIN = 320, 44


def reliability_plot(bins: Reliability) -> str:
    """Claimed confidence against the share that was right, one dot per bin, area by queries."""
    words = (
        f"{len(bins.n)} bins of {bins.n.sum()} queries. Dots on the diagonal are calibrated; below "
        f"it answers are surer than they should be. Mean gap {bins.ece:.1%}, "
        f"largest {bins.worst_gap:.1%}."
    )
    most = max(int(bins.n.max()), 1)
    dots = [
        _dot(float(c), float(a), int(n), most)
        for c, a, n in zip(bins.confidence, bins.accuracy, bins.n, strict=True)
    ]
    line = " ".join(
        f"{_x(float(c)):.1f},{_y(float(a)):.1f}"
        for c, a in zip(bins.confidence, bins.accuracy, strict=True)
    )
    parts = [
        *_grid(),
        f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>',
        f'<polyline class="curve" points="{line}"/>',
        *dots,
        f'<text x="{_x(0.5)}" y="{_SIDE + _MARGIN + 36}" text-anchor="middle">confidence</text>',
        _upright(14, _y(0.5), "share that was right"),
    ]
    size = _SIDE + 2 * _MARGIN
    return svg("reliability", "Reliability diagram", words, (size, size), parts)


def confusion_plot(confusion: npt.NDArray[np.int64], labels: Sequence[str]) -> str:
    """Heat map of answers: row is the true class, column the answered one, shade the share.

    Of more than `MOST_CLASSES` classes, those with most mistakes are drawn.
    """
    chosen = hardest(confusion, MOST_CLASSES)
    counts = confusion[np.ix_(chosen, chosen)]
    asked = np.maximum(confusion.sum(axis=1)[chosen], 1)
    names = [labels[c] for c in chosen]
    n = len(chosen)
    named = n <= _LABELLED_CLASSES
    left = 7 * max((min(len(name), 30) for name in names), default=0) + 12 if named else 24
    cell = max(7, min(26, 520 // max(n, 1)))
    parts = [f'<rect class="frame" x="{left}" y="{left}" width="{n * cell}" height="{n * cell}"/>']
    for row, column in np.argwhere(counts > 0).tolist():
        count, share = int(counts[row, column]), counts[row, column] / asked[row]
        kind = "hit" if row == column else "miss"
        note = escape(f"{names[row]} answered as {names[column]}: {count} of {asked[row]}")
        parts.append(
            f'<rect class="{kind}" x="{left + column * cell}" y="{left + row * cell}" '
            f'width="{cell}" height="{cell}" fill-opacity="{share**0.5:.2f}">'
            f"<title>{note}</title></rect>"
        )
    if named:
        parts += _axis_names(names, left, cell)
    shown = f"{n} of {len(labels)} classes, those with most mistakes" if n < len(labels) else f"{n}"
    words = (
        f"Classes shown: {shown}. Rows are true classes, columns answers, stronger is more often. "
        f"{int(np.trace(confusion))} of {int(confusion.sum())} queries lie on the diagonal (right)."
    )
    size = left + n * cell + 8
    return svg("confusion", "Confusion heat map", words, (size, size), parts)


def hardest(confusion: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.intp]:
    """Numbers of the classes with most mistakes made of them or for them, in their own order."""
    if len(confusion) <= most:
        return np.arange(len(confusion))
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * np.diag(confusion)
    return np.sort(np.argsort(-wrong, kind="stable")[:most])


def _axis_names(names: Sequence[str], left: int, cell: int) -> list[str]:
    parts = []
    for i, name in enumerate(names):
        middle = left + i * cell + cell / 2
        text = escape(name if len(name) <= 30 else f"{name[:29]}…")
        parts.append(f'<text x="{left - 6}" y="{middle + 4:.0f}" text-anchor="end">{text}</text>')
        parts.append(
            f'<text transform="translate({middle + 4:.0f} {left - 6}) rotate(-90)">{text}</text>'
        )
    return parts


def _upright(x: float, y: float, text: str) -> str:
    turn = f"translate({x:.0f} {y:.0f}) rotate(-90)"
    return f'<text transform="{turn}" text-anchor="middle">{escape(text)}</text>'


def _dot(confidence: float, accuracy: float, n: int, most: int) -> str:
    note = f"confidence {confidence:.1%}, right {accuracy:.1%}, {n} queries"
    radius = 2 + 4 * (n / most) ** 0.5
    return (
        f'<circle class="dot" cx="{_x(confidence):.1f}" cy="{_y(accuracy):.1f}" r="{radius:.1f}">'
        f"<title>{note}</title></circle>"
    )


def _grid() -> list[str]:
    parts = []
    for step in range(0, 11, 2):
        at = step / 10
        parts += [
            f'<line class="grid" x1="{_x(at)}" y1="{_y(0)}" x2="{_x(at)}" y2="{_y(1)}"/>',
            f'<line class="grid" x1="{_x(0)}" y1="{_y(at)}" x2="{_x(1)}" y2="{_y(at)}"/>',
            f'<text x="{_x(at)}" y="{_y(0) + 18}" text-anchor="middle">{at:.1f}</text>',
            f'<text x="{_x(0) - 6}" y="{_y(at) + 4}" text-anchor="end">{at:.1f}</text>',
        ]
    return parts


def svg(name: str, title: str, words: str, size: tuple[int, int], parts: Sequence[str]) -> str:
    """A drawing of its parts with a title and a description; `name` is unique in its page."""
    width, height = size
    return (
        f'<svg role="img" aria-labelledby="{name}-title {name}-words" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-words">{escape(words)}</desc>{"".join(parts)}</svg>'
    )


def _x(ratio: float) -> float:
    return _MARGIN + _SIDE * ratio


def _y(ratio: float) -> float:
    return _MARGIN / 2 + _SIDE * (1 - ratio)
