"""Self-training on clouds of points whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.errors import InvalidOptionError, TooFewSupportsError, VectorError
from imprint.train.selftrain.plan import SelfTrainPlan
from imprint.train.selftrain.rounds import self_trained, taken
from imprint.train.selftrain.uncertainty import Doubt
from imprint.vectors import unit

N_WAY, DIM = 6, 48


def clouds(n_each, seed=0, spread=1.3):
    centers = unit(np.random.default_rng(7).normal(size=(N_WAY, DIM)))
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(N_WAY), n_each)
    noise = rng.normal(size=(len(classes), DIM)) * spread / np.sqrt(DIM)
    return unit(centers[classes] + noise), [f"c{c}" for c in classes]


def test_unlabeled_neighbors_improve_one_example_of_each_class():
    vectors, labels = clouds(1)
    pool, truth = clouds(60, seed=1)
    queries, asked = clouds(100, seed=2)
    found = self_trained(vectors, labels, pool, SelfTrainPlan(n_most=40))
    before = (queries @ vectors.T).argmax(axis=1) == np.repeat(np.arange(N_WAY), 100)
    after = np.asarray(found.answers(queries)) == np.asarray(asked)
    assert after.mean() > before.mean() + 0.05
    right = [truth[one.row] == one.label for one in found.pseudo]
    assert np.mean(right) > 0.9
    assert {one.origin for one in found.pseudo} == {"pseudo"}


def test_the_same_seed_takes_the_same_samples():
    vectors, labels = clouds(1)
    pool, _ = clouds(20, seed=1)
    first, again = (self_trained(vectors, labels, pool, SelfTrainPlan()).pseudo for _ in range(2))
    assert first == again


def test_an_empty_pool_changes_nothing():
    vectors, labels = clouds(2)
    found = self_trained(vectors, labels, np.empty((0, DIM), np.float32), SelfTrainPlan())
    assert found.pseudo == []
    assert np.allclose(found.prototypes[0], unit(vectors[:2].sum(axis=0)[None])[0], atol=1e-6)


def test_no_class_takes_more_than_its_share():
    sure = np.zeros((100, 3), np.float32)
    sure[:80, 0], sure[80:90, 1], sure[90:, 2] = 0.9, 0.9, 0.9
    found = Doubt(sure, np.ones(100, np.float32), np.zeros(100, np.float32))
    rows = taken(found, 50, SelfTrainPlan())
    assert np.bincount(found.best[rows]).tolist() == [20, 10, 10]


def test_what_the_passes_do_not_agree_on_stays_out():
    sure = np.full((4, 2), 0.5, np.float32)
    sure[:, 0] = 0.9
    agreement = np.array([1.0, 0.2, 1.0, 0.2], np.float32)
    rows = taken(Doubt(sure, agreement, np.zeros(4, np.float32)), 10, SelfTrainPlan())
    assert sorted(rows.tolist()) == [0, 2]


def test_one_class_and_another_width_are_refused():
    vectors, labels = clouds(1)
    with pytest.raises(TooFewSupportsError, match="two classes"):
        self_trained(vectors[:1], labels[:1], vectors, SelfTrainPlan())
    with pytest.raises(VectorError, match="same encoder"):
        self_trained(vectors, labels, vectors[:, :5], SelfTrainPlan())


@pytest.mark.parametrize(
    "choice", [{"dropout": 1.0}, {"n_passes": 1}, {"weight": 0.0}, {"least_sure": 2.0}]
)
def test_a_plan_that_makes_no_sense_is_refused(choice):
    with pytest.raises(InvalidOptionError):
        SelfTrainPlan(**choice)
