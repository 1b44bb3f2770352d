"""Calibration numbers against scikit-learn, and against what calibrated data must give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve

from imprint.errors import InvalidOptionError
from imprint.measure import reliability as judged

confidences = arrays(
    np.float64, st.integers(1, 200), elements=st.floats(0, 1, allow_subnormal=False)
)


def test_equal_width_bins_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    correct = rng.random(500) < confidence**2
    accuracy, claimed = calibration_curve(correct, confidence, n_bins=15, strategy="uniform")
    bins = judged.reliability(confidence, correct, by="width")
    assert bins.confidence == pytest.approx(claimed)
    assert bins.accuracy == pytest.approx(accuracy)


def test_equal_mass_bins_hold_equal_numbers_when_nothing_ties():
    confidence = np.random.default_rng(1).permutation(1500) / 1500
    bins = judged.reliability(confidence, confidence > 0.5)
    assert bins.n.tolist() == [100] * 15


def test_the_error_is_the_weighted_gap_of_the_bins_by_hand():
    confidence = np.array([0.2, 0.4, 0.6, 0.9])
    correct = np.array([False, True, True, True])
    bins = judged.reliability(confidence, correct, n_bins=2)
    assert bins.accuracy.tolist() == [0.5, 1.0]
    assert bins.ece == pytest.approx((0.2 + 0.25) / 2)
    assert bins.worst_gap == pytest.approx(0.25)


@given(confidence=confidences, seed=st.integers(0, 99), by=st.sampled_from(["mass", "width"]))
def test_order_of_queries_does_not_matter_and_none_is_lost(confidence, seed, by):
    rng = np.random.default_rng(seed)
    correct = rng.random(len(confidence)) < 0.5
    order = rng.permutation(len(confidence))
    one = judged.reliability(confidence, correct, by=by)
    two = judged.reliability(confidence[order], correct[order], by=by)
    assert one.n.sum() == len(confidence)
    assert one.n.tolist() == two.n.tolist()
    assert one.ece == pytest.approx(two.ece, abs=1e-9)
    assert 0 <= one.ece <= one.worst_gap + 1e-12 <= 1 + 1e-9


def test_calibrated_answers_have_almost_no_error_and_boasting_shows():
    rng = np.random.default_rng(2)
    confidence = rng.random(50_000)
    correct = rng.random(50_000) < confidence
    assert judged.expected_calibration_error(confidence, correct) < 0.01
    boast = np.minimum(confidence + 0.3, 1.0)
    assert judged.expected_calibration_error(boast, correct) > 0.2


def test_the_interval_pools_episodes_and_narrows_with_their_number():
    rng = np.random.default_rng(3)

    def episodes(n):
        claimed = [rng.random(75) for _ in range(n)]
        return claimed, [rng.random(75) < 0.8 * c for c in claimed]

    many, few = episodes(600), episodes(40)
    wide = judged.ece_interval(*few, np.random.default_rng(0))
    narrow = judged.ece_interval(*many, np.random.default_rng(0))
    pooled = judged.expected_calibration_error(np.concatenate(many[0]), np.concatenate(many[1]))
    assert narrow.mean == pytest.approx(pooled)
    assert narrow.mean == pytest.approx(0.1, abs=0.01)
    assert narrow.ci95 < wide.ci95 / 2


def test_one_episode_gives_an_error_without_interval():
    estimate = judged.ece_interval(
        [np.array([0.5, 0.5])], [np.array([True, False])], np.random.default_rng(0)
    )
    assert estimate.mean == 0
    assert math.isnan(estimate.ci95)


@pytest.mark.parametrize("confidence", [[], [1.5], [-0.1], [math.nan]])
def test_nothing_to_judge_or_impossible_confidence_is_refused(confidence):
    with pytest.raises(InvalidOptionError):
        judged.reliability(np.array(confidence), np.ones(len(confidence), dtype=bool))
