"""Screening on a made world: classes are cones, queries are noisy copies of their axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imprint import errors
from imprint.heads.supports import SupportSet
from imprint.intake.screen.checks import Footing, screening_checks, stability_check
from imprint.intake.screen.fit import Frame, Level, held_rate, reach_of
from imprint.intake.screen.yardstick import ScreeningCard, Yardstick
from imprint.vectors import RowBlocks, unit

DIM, N_WAY = 64, 10
CARD = ScreeningCard(-3.0, 2.0, 0.97, 0.5)


def world(seed=0, noise=0.11):
    rng = np.random.default_rng(seed)
    axes = unit(rng.normal(size=(N_WAY, DIM)))
    bank = unit(rng.normal(size=(300, DIM)))

    def draw(classes):
        return unit(axes[classes] + noise * rng.normal(size=(len(classes), DIM)))

    return draw, Yardstick.of(CARD, bank, DIM)


def taught(draw, n_shot):
    classes = np.repeat(np.arange(N_WAY), n_shot)
    return SupportSet.of(RowBlocks.of(draw(classes)), [f"c{c}" for c in classes])


def held(vector, label, supports, footing):
    checks = screening_checks(vector, label, supports, footing)
    return {check.name for check in checks if check.verdict == "quarantine"}


@pytest.mark.parametrize("n_shot", [1, 3, 6])
def test_genuine_samples_pass_and_wrong_labels_are_held(n_shot):
    draw, yardstick = world()
    supports = taught(draw, n_shot)
    footing = Footing.of(supports, yardstick, np.empty((0, DIM), np.float32))
    own = np.repeat(np.arange(N_WAY), 10)
    queries = draw(own)
    right = [held(q, f"c{c}", supports, footing) for q, c in zip(queries, own, strict=True)]
    wrong = [
        held(q, f"c{(c + 1) % N_WAY}", supports, footing) for q, c in zip(queries, own, strict=True)
    ]
    assert np.mean([bool(one) for one in right]) <= 0.05
    assert np.mean(["label" in one for one in wrong]) >= 0.9


def test_log_odds_are_what_a_loop_over_classes_gives():
    draw, yardstick = world()
    supports = taught(draw, 2)
    frame = Frame.of(supports, yardstick)
    (query,) = draw(np.array([4]))
    centered = [
        (v - frame.center) / np.linalg.norm(v - frame.center) for v in (query, *frame.plain)
    ]
    scores = [
        (float(centered[0] @ p) - float(owed)) / frame.scale
        for p, owed in zip(centered[1:], frame.owed, strict=True)
    ]
    expected = np.log(sum(np.exp(s) for c, s in enumerate(scores) if c != 4)) - scores[4]
    found = frame.log_odds(query[None], np.array([4]))[0]
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_near_copy_conflicts_under_another_label_and_repeats_under_its_own():
    draw, yardstick = world()
    supports = taught(draw, 1)
    footing = Footing.of(supports, yardstick, np.empty((0, DIM), np.float32))
    copy = unit(supports.rows.row(3) + 0.001)[0]
    assert "label_conflict" in held(copy, "brand new", supports, footing)
    same = screening_checks(copy, "c3", supports, footing)
    assert {c.name for c in same if c.verdict == "warn"} == {"near_duplicate"}


def test_a_copy_of_a_negative_is_held():
    draw, yardstick = world()
    supports = taught(draw, 1)
    stranger = unit(np.random.default_rng(9).normal(size=DIM))[0]
    supports = supports.added(stranger, None)
    footing = Footing.of(supports, yardstick, np.empty((0, DIM), np.float32))
    assert "negative" in held(stranger, "c1", supports, footing)


def test_the_middle_of_all_classes_is_held_as_a_new_class():
    draw, yardstick = world(noise=0.05)
    supports = taught(draw, 3)
    footing = Footing.of(supports, yardstick, np.empty((0, DIM), np.float32))
    middle = unit(supports.prototypes.matrix().sum(axis=0))[0]
    assert held(middle, "everything", supports, footing) & {"central", "draws_queries"}


def test_a_first_example_of_a_class_is_not_held():
    draw, yardstick = world()
    rng = np.random.default_rng(8)
    supports = taught(draw, 2)
    footing = Footing.of(supports, yardstick, np.empty((0, DIM), np.float32))
    assert not held(unit(rng.normal(size=DIM))[0], "brand new", supports, footing)


def test_stability_compares_a_sample_with_itself():
    axis = np.eye(3, dtype=np.float32)
    assert stability_check(axis[0], axis[0], 0.5).verdict == "pass"
    assert stability_check(axis[0], axis[1], 0.5).verdict == "quarantine"


@settings(max_examples=50)
@given(
    rate=st.floats(0.002, 0.09),
    factor=st.floats(1.0, 1.1),
    n_own=st.integers(1, 200),
    n_way=st.integers(2, 300),
)
def test_a_smaller_rate_never_lowers_the_limit(rate, factor, n_own, n_way):
    level = Level(-3.0, 2.0)
    assert level.limit(n_own, n_way, rate) >= level.limit(n_own, n_way, rate * factor) - 1e-9
    assert reach_of(rate) >= reach_of(rate * factor) - 1e-9
    assert held_rate(n_own + 1) <= held_rate(n_own)


def test_residuals_of_a_harder_collection_raise_the_limit():
    rng = np.random.default_rng(1)
    card = Level(-3.0, 2.0)
    same = card.fitted(rng.normal(0, 0.78, 400))
    harder = card.fitted(rng.normal(1.0, 1.5, 400))
    assert same.limit(5, 10, 0.03) == pytest.approx(card.limit(5, 10, 0.03), abs=0.6)
    assert harder.limit(5, 10, 0.03) > same.limit(5, 10, 0.03) + 1


def test_a_card_of_another_kind_is_refused_and_none_is_cautious():
    assert ScreeningCard.from_json(None) == ScreeningCard()
    with pytest.raises(errors.InvalidOptionError):
        ScreeningCard.from_json({"kind": "screening.v9"})
