"""Each reason to refuse a generated vector, on vectors in the plane."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.errors import InvalidOptionError
from imprint.train.generative.pairs import Pairs
from imprint.train.generative.screening import ScreenLimits, screened


def at(*degrees):
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


REAL, LABELS = at(0, 90), ["east", "north"]


def test_a_vector_near_its_own_class_is_kept():
    found = screened(at(15), ["east"], REAL, LABELS)
    assert found.kept.tolist() == [True]
    assert found.own[0] == pytest.approx(np.cos(np.deg2rad(15)))
    assert found.margin[0] == pytest.approx(np.cos(np.deg2rad(15)) - np.cos(np.deg2rad(75)))


def test_each_refusal_counts_under_its_reason():
    made = at(80, 44.9, 1, -85)
    found = screened(made, ["east"] * 4, REAL, LABELS)
    assert not found.kept.any()
    assert found[3:] == (1, 1, 1, 1)


def test_without_another_class_only_copies_and_strays_are_refused():
    found = screened(at(20, 0, 100), ["east"] * 3, at(0), ["east"])
    assert found.kept.tolist() == [True, False, False]


def test_a_class_without_a_real_support_cannot_be_screened():
    with pytest.raises(InvalidOptionError, match="needs a real support"):
        screened(at(10), ["west"], REAL, LABELS)


def test_nothing_made_is_nothing_kept():
    assert screened(np.empty((0, 2), np.float32), [], REAL, LABELS).kept.tolist() == []


def test_limits_that_exclude_everything_are_refused():
    with pytest.raises(InvalidOptionError, match="below"):
        ScreenLimits(most_alike=0.1, least_alike=0.2)


def test_pairs_are_of_one_class_and_never_a_row_with_itself():
    labels = np.array(["a"] * 3 + ["b"] * 50 + ["alone"])
    first, second = Pairs(labels).drawn(4000, np.random.default_rng(0))
    assert (labels[first] == labels[second]).all()
    assert (first != second).all()
    # Classes count alike, whatever their size; the one with a single sample is left out.
    assert np.mean(labels[first] == "a") == pytest.approx(0.5, abs=0.04)
    assert "alone" not in labels[first]
    assert {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)} <= set(
        zip(first.tolist(), second.tolist(), strict=True)
    )
