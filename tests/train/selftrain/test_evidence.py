"""Whether self-training pays is told by supports held out, or not at all."""

from __future__ import annotations

import numpy as np

from imprint.train.selftrain.evidence import Comparison, compared
from imprint.train.selftrain.plan import SelfTrainPlan
from imprint.vectors import unit
from train.selftrain.test_rounds import clouds


def test_one_support_of_each_class_is_no_evidence():
    vectors, labels = clouds(1)
    assert compared(vectors, labels, vectors, SelfTrainPlan()) is None


def test_a_pool_of_the_same_classes_pays():
    vectors, labels = clouds(8, spread=1.8)
    pool, _ = clouds(80, seed=1, spread=1.8)
    found = compared(vectors, labels, pool, SelfTrainPlan(n_most=40))
    assert found.n_held == len(labels)
    assert found.gain > 0


def test_a_pool_of_noise_does_not_pay():
    vectors, labels = clouds(4)
    pool = unit(np.random.default_rng(3).normal(size=(300, vectors.shape[1])))
    assert not compared(vectors, labels, pool, SelfTrainPlan()).pays


def test_a_gain_within_its_error_does_not_pay():
    assert not Comparison(50, 0.6, 0.62, 0.02, 0.02).pays
    assert Comparison(50, 0.6, 0.7, 0.1, 0.02).pays
