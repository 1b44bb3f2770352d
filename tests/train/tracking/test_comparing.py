"""Comparisons name what differs; their pages are well-formed and fetch nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from imprint.train.tracking import find_run
from imprint.train.tracking.comparing import Comparison, compare, html_of, shown_of, text_of
from imprint.train.tracking.curves import svg_plot, text_plot
from train.tracking.records import kept

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def two(tmp_path: Path) -> Comparison:
    names = [
        kept(tmp_path, (0.5, 0.7, 0.8)),
        kept(tmp_path, (0.6, 0.9, 0.85), second=60, **{"method.step.n_way": 60, "x": "<b>"}),
    ]
    return compare([find_run(tmp_path, name) for name in names])


def test_only_settings_that_differ_are_named(two: Comparison) -> None:
    assert two.differing == {"method.step.n_way": (20, 60), "x": (None, "<b>")}


def test_the_text_names_the_best_epoch_of_each_run(two: Comparison) -> None:
    text = text_of(two)
    assert "0.8 (epoch 3)" in text
    assert "0.9 (epoch 2)" in text
    assert re.search(r"method.step.n_way +20 +60", text)


def test_a_page_escapes_what_runs_say_and_fetches_nothing(two: Comparison) -> None:
    page = html_of(two, "Training runs")
    HTMLParser().feed(page)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "default-src 'none'" in page
    assert re.findall(r'(?:src|href)="', page) == []
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        root = ET.fromstring(drawing)  # noqa: S314 - our own page
        assert len(root.findall("polyline")) == 2
        title, words = root.find("title"), root.find("desc")
        assert title is not None
        assert title.text
        assert words is not None
        assert words.text


def test_a_run_alone_is_shown_with_the_way_to_have_it_again(two: Comparison) -> None:
    text = shown_of(two.runs[0])
    assert "imprint train prototypical --data 'my photos'" in text
    assert "final test_accuracy" in text


def test_a_point_lies_where_its_value_and_epoch_say() -> None:
    drawn = text_plot([("r", [(1, 0.0), (2, 5.0), (3, 10.0)])], width=21, height=5).splitlines()
    rows = [line.split("|")[1].ljust(21) for line in drawn[:5]]
    assert [(r, row.index("*")) for r, row in enumerate(rows) if "*" in row] == [
        (0, 20),
        (2, 10),
        (4, 0),
    ]
    curve = svg_plot("n", "t", [("r", [(1, 0.0), (2, 5.0), (3, 10.0)])])
    svg = ET.fromstring(curve)  # noqa: S314 - our own drawing
    line = svg.find("polyline")
    assert line is not None
    points = [tuple(map(float, p.split(","))) for p in line.attrib["points"].split()]
    xs, ys = zip(*points, strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2])
    assert ys[0] > ys[2]


@pytest.mark.parametrize(
    "points", [[], [(1, 2.0)], [(1, 2.0), (2, 2.0)], [(1, float("nan"))], [(5, 1e-30), (9, 1e30)]]
)
def test_any_points_can_be_drawn(points: list[tuple[int, float]]) -> None:
    assert text_plot([("r", points)])
    assert svg_plot("n", "t", [("r", points), ("s", points)])
