"""Each number against scikit-learn or SciPy, which know nothing of ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as oracle

from imprint.errors import InvalidOptionError
from imprint.measure import metrics

# Few distinct values on purpose: ties are where rank statistics go wrong.
scores = st.integers(1, 40).flatmap(
    lambda n: arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]))
)


@given(known=scores, unknown=scores)
def test_auroc_agrees_with_scikit_learn_ties_included(known, unknown):
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    expected = oracle.roc_auc_score(truth, np.r_[known, unknown])
    assert metrics.auroc(known, unknown) == pytest.approx(expected, abs=1e-12)


@given(known=scores, unknown=scores)
def test_fpr_at_95_tpr_agrees_with_the_roc_curve_of_scikit_learn(known, unknown):
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    fpr, tpr, _ = oracle.roc_curve(truth, np.r_[known, unknown], drop_intermediate=False)
    assert metrics.fpr_at_tpr(known, unknown) == pytest.approx(fpr[tpr >= 0.95 - 1e-9].min())


def test_swapping_known_and_unknown_mirrors_auroc():
    rng = np.random.default_rng(0)
    known, unknown = rng.normal(1, 1, 300), rng.normal(0, 1, 200)
    assert metrics.auroc(known, unknown) == pytest.approx(1 - metrics.auroc(unknown, known))


@pytest.mark.parametrize("measure", [metrics.auroc, metrics.fpr_at_tpr])
def test_separation_of_one_side_only_is_refused_with_the_counts(measure):
    with pytest.raises(InvalidOptionError, match="got 3 queries of taught classes and 0 of none"):
        measure(np.ones(3), np.ones(0))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_accuracy_agrees_with_scikit_learn(k):
    rng = np.random.default_rng(k)
    given_scores = rng.random((200, 9))
    truth = rng.integers(0, 9, 200)
    expected = oracle.top_k_accuracy_score(truth, given_scores, k=k, labels=range(9))
    assert metrics.top_k_accuracy(given_scores, truth, k) == pytest.approx(expected)


def test_a_tie_goes_to_the_lower_class_number():
    ranks = metrics.true_ranks(np.array([[0.5, 0.5, 0.0]] * 3), np.array([0, 1, 2]))
    assert ranks.tolist() == [0, 1, 2]


def test_rank_zero_is_what_argmax_answers():
    rng = np.random.default_rng(3)
    tied = rng.integers(0, 3, (500, 6)).astype(np.float32)
    truth = rng.integers(0, 6, 500)
    assert np.array_equal(metrics.true_ranks(tied, truth) == 0, tied.argmax(axis=1) == truth)


def test_brier_terms_average_to_the_score_of_scikit_learn():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(7), 100)
    truth = rng.integers(0, 7, 100)
    expected = oracle.brier_score_loss(
        truth, probabilities, labels=np.arange(7), scale_by_half=False
    )
    assert metrics.brier_terms(probabilities, truth).mean() == pytest.approx(expected)


def test_confusion_and_class_table_agree_with_scikit_learn():
    rng = np.random.default_rng(7)
    truth, answered = rng.integers(0, 4, 90), rng.integers(0, 5, 90)
    confusion = metrics.confusion_matrix(truth, answered, 5)
    assert np.array_equal(confusion, oracle.confusion_matrix(truth, answered, labels=range(5)))
    expected = oracle.precision_recall_fscore_support(
        truth, answered, labels=range(5), zero_division=0
    )
    table = metrics.class_table(confusion, "abcde")
    assert [row.label for row in table] == list("abcde")
    for column, name in zip(expected, ("precision", "recall", "f1", "n_queries"), strict=True):
        assert [getattr(row, name) for row in table] == pytest.approx(column.tolist())


@pytest.mark.parametrize("n", [2, 5, 29, 30])
def test_small_samples_get_the_t_interval(n):
    sample = np.random.default_rng(n).random(n)
    low, high = stats.t.interval(0.95, n - 1, sample.mean(), stats.sem(sample))
    estimate = metrics.mean_interval(sample)
    assert estimate.mean == pytest.approx(sample.mean())
    assert estimate.ci95 == pytest.approx((high - low) / 2, rel=1e-4)


def test_600_episodes_get_the_normal_interval_of_the_papers():
    sample = np.random.default_rng(0).random(600)
    assert metrics.mean_interval(sample).ci95 == pytest.approx(1.96 * stats.sem(sample))


def test_the_interval_holds_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(1000):
        estimate = metrics.mean_interval(rng.normal(0.7, 0.1, 12))
        held += abs(estimate.mean - 0.7) <= estimate.ci95
    assert 930 <= held <= 970


def test_one_value_has_no_interval_and_none_is_refused():
    single = metrics.mean_interval([0.5])
    assert single.mean == 0.5
    assert math.isnan(single.ci95)
    assert single.to_json() == {"mean": 0.5, "ci95": None}
    with pytest.raises(InvalidOptionError, match="at least one"):
        metrics.mean_interval([])
