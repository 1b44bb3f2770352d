"""Expected accuracy against the truth on drawn queries, at one, three and ten supports."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.measure.expectation import Expected, expect
from imprint.vectors import unit


def nearest_prototype(vectors, classes, queries):
    n_way = int(classes.max()) + 1
    sums = np.zeros((n_way, vectors.shape[1]))
    np.add.at(sums, classes, vectors)
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return (queries @ (sums / lengths).T).argmax(axis=1)


def world(rng, n_way, spread, n_each):
    """Classes around directions that share a domain, and samples of them."""
    domain = rng.normal(size=48)
    centers = unit(0.8 * domain + rng.normal(size=(n_way, 48)))
    truth = np.repeat(np.arange(n_way), n_each)
    return unit(centers[truth] + spread * rng.normal(size=(len(truth), 48))), truth


@pytest.mark.parametrize("n_shot", [3, 10])
@pytest.mark.parametrize("spread", [0.1, 0.22, 0.35])
def test_with_several_supports_the_expectation_is_near_the_truth(n_shot, spread):
    misses = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        vectors, truth = world(rng, 15, spread, n_shot + 40)
        order = np.concatenate([np.flatnonzero(truth == c)[:n_shot] for c in range(15)])
        rest = np.setdiff1d(np.arange(len(truth)), order)
        given = nearest_prototype(vectors[order], truth[order], vectors[rest])
        accuracy = (given == truth[rest]).mean()
        found = expect(vectors[order], truth[order], nearest_prototype, None, rng)
        misses.append(found.overall.mean - accuracy)
        assert found.overall.low <= found.overall.mean <= found.overall.high
    # 45 held-out supports cannot tell accuracy better than to some points; no side is favored.
    assert np.abs(misses).mean() < 0.12
    assert abs(np.mean(misses)) < 0.07


def test_a_class_that_overlaps_another_is_expected_to_be_worse_and_names_it():
    rng = np.random.default_rng(3)
    vectors, truth = world(rng, 8, 0.15, 6)
    twin = unit(vectors[truth == 0] + 0.15 * rng.normal(size=(6, 48)))
    vectors, truth = np.concatenate([vectors, twin]), np.concatenate([truth, np.full(6, 8)])
    found = expect(vectors.astype(np.float32), truth, nearest_prototype, None, rng)
    means = [one.mean for one in found.per_class]
    assert max(means[0], means[8]) < min(means[1:8])
    assert found.confused[0].argmax() == 8
    assert found.confused[8].argmax() == 0
    assert {given for _, given in found.misled} <= {0, 8}


def test_one_support_a_class_still_gives_an_expectation_with_a_wide_interval():
    rng = np.random.default_rng(4)
    vectors, truth = world(rng, 10, 0.2, 1)
    bank = unit(rng.normal(size=(300, 48)))
    found = expect(vectors, truth, nearest_prototype, bank, rng)
    assert 0 < found.overall.mean < 1
    assert all(one.high - one.low > 0.3 for one in found.per_class)


def test_one_more_support_is_worth_more_to_a_class_that_has_few():
    rng = np.random.default_rng(5)
    vectors, truth = world(rng, 6, 0.35, 12)
    keep = (truth != 0) | (np.arange(len(truth)) < 2)
    found = expect(vectors[keep], truth[keep], nearest_prototype, None, rng)
    assert found.one_more[0] > np.mean(found.one_more[1:])
    assert all(0 <= gain <= 1 for gain in found.one_more)


def test_the_same_supports_give_the_same_expectation():
    vectors, truth = world(np.random.default_rng(6), 5, 0.2, 4)
    once, again = (
        expect(vectors, truth, nearest_prototype, None, np.random.default_rng(1)) for _ in range(2)
    )
    assert once.per_class == again.per_class
    assert isinstance(once.overall, Expected)
