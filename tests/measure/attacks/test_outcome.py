"""Shares, tallies and the report's faces."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from imprint.measure.attacks.outcome import GenuineRow, PoisoningReport, Share, Tally


@pytest.mark.parametrize(("n_hit", "n"), [(0, 5), (3, 5), (50, 50), (1, 200)])
def test_a_share_has_wilsons_interval(n_hit, n) -> None:
    found = Share.of(n_hit, n)
    oracle = binomtest(n_hit, n).proportion_ci(method="wilson")
    assert found == pytest.approx((n_hit / n, oracle.low, oracle.high), abs=1e-4)


def test_nothing_counted_is_not_a_share_of_zero() -> None:
    assert Share.of(0, 0) == (None, None, None)


def test_attempts_without_effect_count_for_nothing_but_their_number() -> None:
    tally = Tally("flip", 1)
    tally.attempted("held", ("label",), effective=True)
    tally.attempted("passed", (), effective=True)
    tally.attempted("passed", (), effective=False)
    tally.lost += [1.0, 3.0]
    row = tally.row(0.5)
    assert (row.n_attempts, row.n_effective, row.n_held) == (3, 2, 1)
    assert row.precision == pytest.approx(0.5)
    assert (row.lost_points, row.lost_points_worst) == (2.0, 3.0)
    assert row.held_by == {"label": 1}


def test_the_report_reads_as_text_as_json_and_as_a_page(tmp_path) -> None:
    genuine = GenuineRow(1, 10, 1, Share.of(1, 10))
    rows = (Tally("flip", 1).row(0.1),)
    report = PoisoningReport("text", "e@1", 4, 40, 3, 2, 0, (genuine,), rows, 1.0)
    assert "flip" in report.to_text()
    assert report.to_json()["genuine"][0]["false_quarantine_rate"]["mean"] == pytest.approx(0.1)
    page = report.to_html(tmp_path / "deep" / "page.html").read_text("utf-8")
    assert "Poisoning" in page
    assert "<script" not in page
