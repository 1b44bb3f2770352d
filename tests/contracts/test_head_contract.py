"""One suite over every head: oracles, order, increments, bad input.

Each head is compared with something that is not Imprint: brute-force numpy or scikit-learn.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from imprint.errors import InvalidOptionError, VectorError
from imprint.heads import HEADS, Decider
from imprint.heads.fitted.adapted import AdaptedHead
from imprint.heads.fitted.lda import LdaRule, lda_head
from imprint.heads.fitted.linear import LinearHead
from imprint.heads.fitted.logistic import fit_residual
from imprint.heads.fitted.ridge import ridge_head
from imprint.heads.fitted.spectrum import Spectrum, within_class
from imprint.heads.nearest import NearestHead
from imprint.heads.prototype import PrototypeHead
from imprint.heads.supports import SupportSet
from imprint.vectors import RowBlocks, unit

WIDTH = 12
NAMES = sorted(set(HEADS) - {"auto"})


def cloud(seed: int, n_way: int = 5, n_shot: int = 4, noise: float = 0.25, width: int = WIDTH):
    rng = np.random.default_rng(seed)
    centers = unit(np.random.default_rng(77).normal(size=(n_way, width)))
    rows = np.repeat(centers, n_shot, axis=0) + noise * rng.normal(size=(n_way * n_shot, width))
    return unit(rows), np.repeat(np.arange(n_way), n_shot)


def supports_of(rows: np.ndarray, classes: np.ndarray) -> SupportSet:
    return SupportSet.of(RowBlocks.of(rows), [str(c) for c in classes])


# ------------------------------------------------------------------------------------ oracles


def test_nearest_agrees_with_scikit_learn_and_with_brute_force() -> None:
    rows, classes = cloud(0)
    queries, _ = cloud(1, n_shot=10)
    scores = NearestHead().scores(supports_of(rows, classes), queries)
    brute = np.stack([(queries @ rows[classes == c].T).max(axis=1) for c in range(5)], axis=1)
    np.testing.assert_allclose(scores, brute, atol=1e-6)
    oracle = KNeighborsClassifier(1, metric="cosine").fit(rows, classes)
    np.testing.assert_array_equal(scores.argmax(axis=1), oracle.predict(queries))


def test_prototype_agrees_with_nearest_centroid_on_the_sphere() -> None:
    rows, classes = cloud(2)
    queries, _ = cloud(3, n_shot=10)
    means = unit(np.stack([rows[classes == c].mean(axis=0) for c in range(5)]))
    scores = PrototypeHead(centered=False).scores(supports_of(rows, classes), queries)
    np.testing.assert_allclose(scores, queries @ means.T, atol=1e-6)
    # Two rows around each mean: scikit-learn wants more samples than classes.
    aside = 0.01 * np.random.default_rng(0).normal(size=means.shape)
    oracle = NearestCentroid().fit(np.vstack([means + aside, means - aside]), np.tile(range(5), 2))
    np.testing.assert_array_equal(scores.argmax(axis=1), oracle.predict(queries))


def test_centered_prototype_agrees_with_brute_force() -> None:
    rows, classes = cloud(4)
    queries, _ = cloud(5, n_shot=10)
    means = unit(np.stack([rows[classes == c].mean(axis=0) for c in range(5)]))
    center = means.sum(axis=0) / (5 + 4)
    scores = PrototypeHead().scores(supports_of(rows, classes), queries)
    np.testing.assert_allclose(scores, unit(queries - center) @ unit(means - center).T, atol=1e-5)


@pytest.mark.parametrize("shrinkage", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("n_shot", [4, 2])
def test_lda_agrees_with_scikit_learn(shrinkage: float, n_shot: int) -> None:
    rows, classes = cloud(6, n_shot=n_shot)
    queries, _ = cloud(7, n_shot=10)

    def rule(supports: SupportSet) -> LdaRule:
        return LdaRule(within_class(supports), shrinkage)

    supports = supports_of(rows, classes)
    ours = LinearHead("lda", 1.0, rule).fitted(supports).scores(supports, queries)
    oracle = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage=shrinkage, priors=np.full(5, 0.2)
    ).fit(rows.astype(np.float64), classes)
    theirs = oracle.decision_function(queries.astype(np.float64)) - np.log(0.2)
    theirs *= within_class(supports).mean_variance
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.abs(theirs).max())


@pytest.mark.parametrize(("n", "width"), [(40, 8), (8, 40)])
def test_shrinkage_agrees_with_ledoit_wolf(n: int, width: int) -> None:
    rows = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
    theirs = ledoit_wolf_shrinkage(rows.astype(np.float64), assume_centered=True)
    assert Spectrum.of(rows).shrinkage() == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("exponent", [-1.0, -0.5])
def test_powers_of_the_shrunk_covariance_agree_with_numpy(exponent: float) -> None:
    rows = np.random.default_rng(1).normal(size=(7, 10)).astype(np.float32)
    covariance = rows.T @ rows / 7
    shrunk = 0.6 * covariance + 0.4 * np.trace(covariance) / 10 * np.eye(10)
    values, vectors = np.linalg.eigh(shrunk)
    full = (vectors * values**exponent) @ vectors.T
    np.testing.assert_allclose(Spectrum.of(rows).power(rows, 0.4, exponent), rows @ full, atol=1e-4)


def test_ridge_agrees_with_scikit_learn() -> None:
    rows, classes = cloud(8)
    queries, _ = cloud(9, n_shot=10)
    supports = supports_of(rows, classes)
    ours = ridge_head().fitted(supports).scores(supports, queries)
    theirs = Ridge(alpha=1.0).fit(rows, np.eye(5)[classes]).predict(queries)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(("n_shot", "width"), [(8, 6), (3, 30)])
def test_logistic_agrees_with_scikit_learn(n_shot: int, width: int) -> None:
    rows, classes = cloud(10, n_shot=n_shot, width=width)
    queries, _ = cloud(11, n_shot=5, width=width)
    start = np.zeros((len(rows), 5), dtype=np.float32)
    weights, biases = fit_residual(rows, classes, start, penalty=0.1, steps=3000)
    # A column of sqrt(10) under the full penalty is a bias under a tenth of it.
    column = np.sqrt(10.0)
    oracle = LogisticRegression(C=10.0, fit_intercept=False, max_iter=5000, tol=1e-8).fit(
        np.hstack([rows, np.full((len(rows), 1), column)]), classes
    )
    theirs = oracle.predict_proba(np.hstack([queries, np.full((len(queries), 1), column)]))
    logits = queries @ weights.T + biases
    ours = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_adapted_is_its_two_fits_and_the_neighbors_added_up() -> None:
    rows, classes = cloud(12)
    queries, _ = cloud(13)
    supports = supports_of(rows, classes)
    head = AdaptedHead().fitted(supports)
    expected = np.zeros((len(queries), 5))
    for part in (head.plain, head.whitened):
        logits = part.scores(supports, queries).astype(np.float64)
        expected += 0.5 * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    warm = np.exp(20 * (queries @ rows.T - 1))
    for c in range(5):
        expected[:, c] += 0.15 * np.log(warm[:, classes == c].mean(axis=1) + 1e-12)
    np.testing.assert_allclose(head.scores(supports, queries), expected, atol=1e-3)


def test_adapted_learns_which_directions_matter_where_prototypes_cannot() -> None:
    rng = np.random.default_rng(0)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        classes = np.repeat(np.arange(2), n)
        noise = rng.normal(size=(2 * n, WIDTH)) * np.r_[np.full(4, 2.0), np.full(WIDTH - 4, 0.1)]
        noise[:, -1] += np.where(classes == 0, 0.5, -0.5)
        return unit(noise), classes

    (rows, classes), (queries, truth) = drawn(15), drawn(200)
    supports = supports_of(rows, classes)
    right = {
        name: (HEADS[name]().fitted(supports).scores(supports, queries).argmax(1) == truth).mean()
        for name in ("prototype", "adapted")
    }
    assert right["adapted"] > right["prototype"]


# ------------------------------------------------------------------------------------ the contract


@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_depend_on_the_order_of_supports(name: str) -> None:
    rows, classes = cloud(14)
    queries, _ = cloud(15)
    order = np.random.default_rng(0).permutation(len(rows))
    one, other = supports_of(rows, classes), supports_of(rows[order], classes[order])
    first = HEADS[name]().fitted(one).scores(one, queries)
    second = HEADS[name]().fitted(other).scores(other, queries)
    columns = [other.labels.index(label) for label in one.labels]
    np.testing.assert_allclose(first, second[:, columns], rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_similarities_at_hand_change_nothing(name: str) -> None:
    rows, classes = cloud(16)
    queries, _ = cloud(17)
    supports = supports_of(rows, classes)
    head = HEADS[name]().fitted(supports)
    near = supports.rows.dot(queries)
    np.testing.assert_array_equal(
        head.scores(supports, queries), head.scores(supports, queries, near)
    )


@pytest.mark.parametrize("name", ["lda", "logistic", "ridge"])
def test_a_change_of_one_class_moves_that_class_only(name: str) -> None:
    rows, classes = cloud(18)
    queries, _ = cloud(19)
    supports = supports_of(rows, classes)
    head = HEADS[name]().fitted(supports)
    grown = supports.added(rows[0], "1")
    before = head.scores(supports, queries)
    after = head.changed(grown, 1).scores(grown, queries)
    others = [0, 2, 3, 4]
    np.testing.assert_array_equal(before[:, others], after[:, others])
    assert np.abs(before[:, 1] - after[:, 1]).max() > 1e-3


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=25))
def test_any_sequence_of_changes_ends_where_a_fresh_sum_does(
    changes: list[tuple[int, int]],
) -> None:
    rows, _ = cloud(20, n_way=5, n_shot=5)
    supports = SupportSet.of(RowBlocks(WIDTH), [])
    for action, which in changes:
        if action < 6 or not supports.n_rows:
            label = None if which == 5 else f"c{which}"
            supports = supports.added(rows[(action * 5 + which) % len(rows)], label)
        else:
            supports = supports.removed(which % supports.n_rows)
    fresh = SupportSet.of(RowBlocks.of(supports.rows.matrix()), supports.row_labels())
    assert sorted(fresh.labels) == sorted(supports.labels)
    columns = [supports.labels.index(label) for label in fresh.labels]
    np.testing.assert_array_equal(fresh.counts, supports.counts[columns])
    np.testing.assert_allclose(
        fresh.prototypes.matrix(), supports.prototypes.matrix()[columns], atol=1e-5
    )
    np.testing.assert_allclose(fresh.center(), supports.center(), atol=1e-5)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_probabilities_sum_to_one_and_agree_with_the_candidates(name: str) -> None:
    rows, classes = cloud(21)
    decider = Decider.fit(rows, [str(c) for c in classes], head=name)
    queries, _ = cloud(22)
    shares = decider.probabilities(queries)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    for row, answer in zip(shares, decider.decide(queries), strict=True):
        best = answer.candidates[0]
        assert best.confidence == pytest.approx(row.max(), abs=1e-4)
        assert decider.labels[int(row.argmax())] == best.label


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("name", sorted(HEADS))
def test_one_class_with_repeated_supports_answers(name: str) -> None:
    row = unit(np.ones(WIDTH))
    decider = Decider.fit(np.repeat(row, 4, axis=0), ["only"] * 4, head=name)
    assert decider.decide(row)[0].label == "only"


@pytest.mark.parametrize("name", sorted(HEADS))
def test_two_classes_with_the_same_vectors_are_not_told_apart_and_named_in_order(name: str) -> None:
    row = unit(np.ones(WIDTH))
    decider = Decider.fit(np.repeat(row, 4, axis=0), ["b", "a", "b", "a"], head=name)
    (answer,) = decider.decide(row)
    # Ambiguous, or unknown where classes this close leave no room for a threshold.
    assert answer.kind != "recognized"
    assert answer.label is None
    named = [one.label for one in answer.candidates]
    # Fitted weights differ in the last bit, so only heads without weights tie exactly.
    assert named == ["b", "a"] if name in ("nearest", "prototype") else sorted(named) == ["a", "b"]


@pytest.mark.parametrize("name", sorted(HEADS))
def test_a_class_of_opposite_supports_does_not_stop_the_others(name: str) -> None:
    rows, classes = cloud(23, n_way=3)
    both = np.concatenate([rows, rows[:1], -rows[:1]])
    decider = Decider.fit(both, [*map(str, classes), "torn", "torn"], head=name)
    answers = decider.decide(rows[4:8])
    assert [one.candidates[0].label for one in answers] == ["1"] * 4
    assert all(np.isfinite(one.confidence) for one in answers)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(bad: float) -> None:
    rows, classes = cloud(24, n_way=2)
    labels = [str(c) for c in classes]
    broken = rows.copy()
    broken[1, 3] = bad
    with pytest.raises(VectorError, match="NaN or infinity"):
        Decider.fit(broken, labels)
    decider = Decider.fit(rows, labels)
    with pytest.raises(VectorError, match="NaN or infinity"):
        decider.decide(broken)
    with pytest.raises(VectorError, match="NaN or infinity"):
        decider.added(broken[1], "0")


@pytest.mark.parametrize("kind", [np.float64, np.float16, list])
def test_other_number_types_are_taken(kind: object) -> None:
    rows, classes = cloud(25, n_way=2)
    given_rows = rows.tolist() if kind is list else rows.astype(kind)
    decider = Decider.fit(given_rows, [str(c) for c in classes])
    assert decider.decide(given_rows)[0].candidates[0].label == "0"


def test_more_candidates_than_classes_gives_all_classes() -> None:
    rows, classes = cloud(26, n_way=3)
    decider = Decider.fit(rows, [str(c) for c in classes])
    assert len(decider.decide(rows[:1], top_k=50)[0].candidates) == 3


def test_unequal_lengths_unknown_heads_and_rates_are_refused_with_the_way_out() -> None:
    rows, _ = cloud(27, n_way=2, n_shot=1)
    with pytest.raises(VectorError, match="1 labels for 2"):
        Decider.fit(rows, ["a"])
    with pytest.raises(InvalidOptionError, match="there are adapted, auto"):
        Decider.fit(rows, ["a", "b"], head="magic")
    with pytest.raises(InvalidOptionError, match=r"0\.9"):
        Decider.fit(rows, ["a", "b"], false_accept_rate=0.9)


def test_ten_thousand_classes_of_one_work() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(10_000, 32)))
    decider = Decider.fit(rows, [f"c{i}" for i in range(len(rows))])
    answers = decider.added(-rows[0], "new").decide(np.stack([rows[7], -rows[0]]))
    assert [one.label for one in answers] == ["c7", "new"]


def test_unequal_numbers_of_supports_are_no_trouble() -> None:
    rows, classes = cloud(28, n_way=4, n_shot=9)
    keep = np.concatenate([np.flatnonzero(classes == c)[: 1 + 2 * c] for c in range(4)])
    decider = Decider.fit(rows[keep], [str(c) for c in classes[keep]])
    answers = decider.decide(rows)
    right = [one.candidates[0].label == str(c) for one, c in zip(answers, classes, strict=True)]
    assert np.mean(right) > 0.8
    assert lda_head().fitted(decider.supports).scores(decider.supports, rows).shape == (36, 4)
