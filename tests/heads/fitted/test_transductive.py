"""Answering together: its slope against differences and autograd, its effect, and its edges."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.heads import Decider
from imprint.heads.fitted.transductive import informed, residual, uncertainty
from imprint.vectors import unit

WIDTH = 16


def drawn(seed: int, n_query: int = 7, n_way: int = 4):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n_query, n_way))
    counts = rng.uniform(0.1, 1, n_query)
    return logits, counts / counts.sum()


@pytest.mark.parametrize("alpha", [1.5, 2.0, 5.0])
def test_the_slope_is_what_small_differences_say(alpha: float) -> None:
    logits, shares = drawn(0)
    found = uncertainty(logits, shares, alpha).slope
    small = 1e-6
    for row, column in np.ndindex(*logits.shape):
        up, down = logits.copy(), logits.copy()
        up[row, column] += small
        down[row, column] -= small
        rise = uncertainty(up, shares, alpha).value - uncertainty(down, shares, alpha).value
        assert found[row, column] == pytest.approx(rise / (2 * small), abs=1e-7)


@pytest.mark.train
def test_the_slope_is_what_autograd_says() -> None:
    torch = pytest.importorskip("torch")
    logits, shares = drawn(1)
    given = torch.tensor(logits, requires_grad=True)
    answers, weights = given.softmax(dim=1), torch.tensor(shares)
    conditional = (weights[:, None] * answers * (1 - answers)).sum()
    mean = (weights[:, None] * answers).sum(dim=0)
    (conditional - (mean * (1 - mean)).sum()).backward()  # order 2 is Gini's impurity
    assert uncertainty(logits, shares, 2.0).slope == pytest.approx(given.grad.numpy(), abs=1e-12)


def test_order_two_is_ginis_impurity_of_answers_less_that_of_their_mean() -> None:
    certain = np.array([[40.0, 0.0], [0.0, 40.0]])
    assert uncertainty(certain, np.array([0.5, 0.5]), 2.0).value == pytest.approx(-0.5)
    alike = np.array([[0.0, 0.0], [0.0, 0.0]])
    assert uncertainty(alike, np.array([0.5, 0.5]), 2.0).value == pytest.approx(0.0)


def test_steps_over_queries_and_over_dimensions_end_at_the_same_place() -> None:
    rng = np.random.default_rng(2)
    narrow = unit(rng.normal(size=(30, 8)))
    wide = np.hstack([narrow, np.zeros((30, 60), dtype=np.float32)])  # the same products
    logits, shares = drawn(2, 30, 5)
    logits, shares = logits.astype(np.float32), shares.astype(np.float32)
    assert residual(narrow, logits, shares) == pytest.approx(
        residual(wide, logits, shares), abs=1e-4
    )


def test_hearing_each_other_lowers_uncertainty_and_keeps_how_sure_answers_are() -> None:
    rng = np.random.default_rng(3)
    features = unit(rng.normal(size=(40, 24)))
    logits = (2 * rng.normal(size=(40, 4))).astype(np.float32)
    shares = np.full(40, 1 / 40, dtype=np.float32)
    moved = residual(features, logits, shares)
    before, after = uncertainty(logits, shares).value, uncertainty(logits + moved, shares).value
    assert after < before - 0.005
    sure = [np.exp(z - z.max(1, keepdims=True)) for z in (logits, informed(features, logits))]
    first, last = ((p / p.sum(1, keepdims=True)).max(1).mean() for p in sure)
    assert last == pytest.approx(first, abs=1e-3)


def clusters(seed: int, per_class: list[int], noise: float = 0.35):
    rng = np.random.default_rng(seed)
    centers = unit(rng.normal(size=(len(per_class), WIDTH)))
    own = np.repeat(np.arange(len(per_class)), per_class)
    return unit(centers[own] + noise * rng.normal(size=(len(own), WIDTH))), own


@pytest.mark.parametrize(
    ("asked", "margin"), [([40, 40, 40, 40], 0.005), ([100, 40, 15, 5], -0.01)]
)
def test_one_support_gains_on_balanced_batches_and_loses_nothing_much_on_others(
    asked: list[int], margin: float
) -> None:
    alone, together = [], []
    for seed in range(12):
        rows, own = clusters(seed, [n + 1 for n in asked])
        taught = np.unique(own, return_index=True)[1]
        left = np.setdiff1d(np.arange(len(own)), taught)
        decider = Decider.fit(rows[taught], [str(c) for c in own[taught]])
        truth = own[left]
        alone.append((decider.probabilities(rows[left]).argmax(1) == truth).mean())
        shares = decider.probabilities(rows[left], transductive=True)
        together.append((shares.argmax(1) == truth).mean())
    assert np.mean(together) > np.mean(alone) + margin


def test_what_is_unknown_does_not_depend_on_what_is_asked_together() -> None:
    rows, own = clusters(0, [11, 11, 11])
    decider = Decider.fit(rows[::11], [str(c) for c in own[::11]])
    stranger = -rows[:1]
    queries = np.concatenate([rows[1:11], stranger])
    alone, together = decider.decide(queries), decider.decide(queries, transductive=True)
    assert [one.known for one in together] == pytest.approx([one.known for one in alone])
    assert together[-1].kind == "unknown"


@pytest.mark.parametrize("n_way", [1, 3])
def test_a_query_that_is_alone_is_answered_as_ever(n_way: int) -> None:
    rows, own = clusters(0, [4] * n_way)
    decider = Decider.fit(rows[::4], [str(c) for c in own[::4]])
    assert decider.decide(rows[1:2], transductive=True) == decider.decide(rows[1:2])


def test_one_class_is_answered_as_ever() -> None:
    rows, _ = clusters(0, [6])
    decider = Decider.fit(rows[:1], ["only"])
    assert decider.decide(rows[1:], transductive=True) == decider.decide(rows[1:])


def test_nothing_taught_and_nothing_asked_answer_nothing() -> None:
    empty = Decider.fit(np.empty((0, WIDTH), np.float32), [])
    rows, own = clusters(0, [3, 3])
    assert empty.decide(rows, transductive=True)[0].kind == "unknown"
    decider = Decider.fit(rows, [str(c) for c in own])
    assert decider.decide(np.empty((0, WIDTH), np.float32), transductive=True) == []


def test_a_taught_support_stays_recognized_whatever_is_asked_with_it() -> None:
    rows, own = clusters(4, [30, 30, 30])
    decider = Decider.fit(rows[::30], [str(c) for c in own[::30]])
    answers = decider.decide(rows, transductive=True)
    assert [answers[row].label for row in (0, 30, 60)] == ["0", "1", "2"]
