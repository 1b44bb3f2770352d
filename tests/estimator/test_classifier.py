from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import DataConversionWarning
from sklearn.exceptions import NotFittedError as TheirNotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import imprint
from imprint import heads
from imprint.errors import InvalidInputError, InvalidOptionError, NotFittedError, VectorError
from imprint.vectors import unit

Few = imprint.FewShotClassifier
HEADS = sorted(heads.HEADS)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def clusters(n_classes=6, n_each=20, dim=32, spread=0.6, seed=0):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(n_classes, dim))
    labels = np.repeat(np.arange(n_classes), n_each)
    return 5 * (middles[labels] + spread * rng.normal(size=(len(labels), dim))), labels


def split(first=5, **options):
    X, y = clusters(**options)
    taught = np.arange(len(y)) % 20 < first
    return X[taught], y[taught], X[~taught], y[~taught]


def checks():
    """Every check of scikit-learn on every head there is."""
    for head in HEADS:
        for estimator, check in estimator_checks_generator(Few(head=head)):
            name = getattr(check, "func", check).__name__
            # Runs only where an environment variable of another library is set.
            if name != "check_array_api_input":
                yield pytest.param(estimator, check, id=f"{head}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_it_passes_the_checks_scikit_learn_makes_of_its_own_estimators(estimator, check):
    check(estimator)


def test_the_nearest_head_answers_like_scikit_learns_neighbor():
    X, y, asked, truth = split()
    oracle = KNeighborsClassifier(1, metric="cosine").fit(X, y)
    mine = Few(head="nearest").fit(X, y)
    assert np.array_equal(mine.predict(asked), oracle.predict(asked))
    assert mine.score(asked, truth) == oracle.score(asked, truth)


@pytest.mark.parametrize("head", HEADS)
def test_probabilities_follow_sorted_classes_and_name_the_prediction(head):
    X, y, asked, _ = split()
    names = np.array(["zebra", "ant", "bee", "cat", "dog", "eel"])[y]
    fitted = Few(head=head).fit(X, names)
    shares = fitted.predict_proba(asked)
    assert fitted.classes_.tolist() == sorted(set(names))
    assert shares.shape == (len(asked), 6)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(fitted.classes_[shares.argmax(axis=1)], fitted.predict(asked))


def test_it_recognizes_digits_from_five_examples_each(digits):
    X, y = digits
    taught = np.concatenate([np.flatnonzero(y == digit)[:5] for digit in range(10)])
    rest = np.setdiff1d(np.arange(len(y)), taught)
    assert Few().fit(X[taught], y[taught]).score(X[rest], y[rest]) > 0.75


def test_a_search_over_heads_in_a_pipeline_works(digits):
    X, y = digits[0][:200], digits[1][:200]
    choice = {"fewshotclassifier__head": ["prototype", "nearest"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), Few()), choice, cv=2).fit(X, y)
    assert search.best_params_["fewshotclassifier__head"] in HEADS
    assert len(cross_val_score(Few(head="prototype"), X, y, cv=3)) == 3
    assert is_classifier(search.best_estimator_)


def test_a_clone_has_the_same_parameters_and_is_not_fitted():
    bank = np.eye(4)
    original = Few("prototype", 0.1, "other", bank, 3).fit(np.eye(4), list("abcd"))
    copy = clone(original)
    mine, theirs = copy.get_params(), original.get_params()
    assert np.array_equal(mine.pop("background"), theirs.pop("background"))
    assert mine == theirs
    assert not hasattr(copy, "classes_")


def test_queries_of_no_class_score_lower_and_are_answered_unknown():
    X, y, asked, truth = split(n_classes=8)
    known = truth < 6
    fitted = Few(head="prototype", false_accept_rate=0.05).fit(X[y < 6], y[y < 6].astype(str))
    scores = fitted.known_score(asked)
    assert scores[known].mean() > scores[~known].mean() + 0.2
    answers = fitted.predict(asked)
    refused = answers == "unknown"
    assert refused[~known].mean() > refused[known].mean() + 0.3
    right = answers[known & ~refused] == truth[known & ~refused].astype(str)
    assert right.mean() > 0.9


def test_without_a_rate_nothing_is_answered_unknown():
    X, y, _, _ = split()
    far = np.random.default_rng(9).normal(size=(50, X.shape[1]))
    assert set(Few(head="prototype").fit(X, y).predict(far)) <= set(range(6))


def test_a_lower_rate_never_answers_more():
    X, y, asked, _ = split()
    refused = [
        (Few("prototype", rate).fit(X, y.astype(str)).predict(asked) == "unknown").sum()
        for rate in (0.3, 0.05, 0.01)
    ]
    assert refused == sorted(refused)


def test_the_type_of_answers_depends_on_the_labels_not_on_what_is_asked():
    X, y, asked, _ = split()
    far = np.random.default_rng(9).normal(size=(50, X.shape[1]))
    numbers = Few("prototype", 0.05, unknown_label=-1).fit(X, y)
    assert numbers.predict(asked).dtype.kind == numbers.predict(far).dtype.kind == "i"
    assert -1 in numbers.predict(far)
    mixed = Few("prototype", 0.05).fit(X, y)
    assert mixed.predict(asked).dtype == mixed.predict(far).dtype == object


def test_background_vectors_are_used_whatever_their_length():
    X, y, asked, _ = split()
    bank = np.random.default_rng(1).normal(size=(80, X.shape[1])) + X.mean(axis=0)
    one = Few("prototype", background=bank).fit(X, y).known_score(asked)
    two = Few("prototype", background=64 * bank).fit(X, y).known_score(asked)
    without = Few("prototype").fit(X, y).known_score(asked)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, without)
    with pytest.raises(VectorError, match="background has width 3, X has 32"):
        Few(background=np.eye(3)).fit(X, y)


@pytest.mark.parametrize("head", ["prototype", "nearest"])
def test_teaching_in_parts_answers_like_teaching_at_once(head):
    X, y, asked, _ = split()
    order = np.random.default_rng(2).permutation(len(y))
    parts = Few(head=head)
    for some in np.array_split(order, 7):
        parts.partial_fit(X[some], y[some])
    whole = Few(head=head).fit(X, y)
    assert parts.classes_.tolist() == whole.classes_.tolist()
    assert np.array_equal(parts.predict(asked), whole.predict(asked))


def test_partial_fit_adds_a_class_taught_later():
    X, y, asked, truth = split()
    fitted = Few("prototype").partial_fit(X[y > 0], y[y > 0])
    assert 0 not in fitted.classes_
    fitted.partial_fit(X[y == 0][:1], y[y == 0][:1])
    assert fitted.classes_.tolist() == [0, 1, 2, 3, 4, 5]
    assert (fitted.predict(asked[truth == 0]) == 0).mean() > 0.7
    assert fitted.predict_proba(asked).shape[1] == 6


def test_an_announced_class_without_a_support_is_never_answered():
    X, y, asked, _ = split()
    fitted = Few("prototype").partial_fit(X[y > 1], y[y > 1], classes=range(6))
    assert fitted.classes_.tolist() == list(range(6))
    assert (fitted.predict_proba(asked)[:, :2] == 0).all()
    assert fitted.predict(asked).min() == 2


def test_fit_forgets_what_was_taught_before():
    X, y, asked, _ = split()
    twice = Few("prototype").fit(X, y + 10).fit(X, y)
    assert twice.classes_.tolist() == list(range(6))
    assert np.array_equal(twice.predict(asked), Few("prototype").fit(X, y).predict(asked))


def test_only_direction_counts():
    X, y, asked, _ = split()
    fitted = Few("prototype").fit(X, y)
    stretched = asked * 2.0 ** np.arange(-40, len(asked) - 40)[:, None]
    assert np.array_equal(fitted.predict(asked), fitted.predict(stretched))
    assert np.array_equal(fitted.predict(asked), fitted.predict(1e300 * unit(asked).astype(float)))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8])
def test_every_kind_of_number_is_accepted(kind):
    X = (np.random.default_rng(0).random((30, 8)) * 100).astype(kind)
    y = np.arange(30) % 3
    fitted = Few("nearest").fit(X, y)
    assert fitted.score(X, y) == 1
    assert fitted.score(X.tolist(), y.tolist()) == 1


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2], [0.0, 1.0, 2.0], ["a", "b", "c"], [b"a", b"b", b"c"], [True, False, True],
        np.array(["a", "b", "c"], dtype=object),
    ],
)  # fmt: skip
def test_labels_come_back_as_they_went_in(labels):
    answers = Few("nearest").fit(np.eye(3), labels).predict(np.eye(3))
    assert answers.tolist() == list(labels)


def test_one_class_and_one_example_are_enough():
    fitted = Few().fit([[1.0, 2.0]], ["only"])
    assert fitted.predict([[5.0, 1.0]]).tolist() == ["only"]
    assert fitted.predict_proba([[5.0, 1.0]]).tolist() == [[1.0]]
    assert 0 <= fitted.known_score([[5.0, 1.0]])[0] <= 1


def test_a_row_of_zeros_is_similar_to_nothing_and_stops_nothing():
    X, y, asked, _ = split()
    fitted = Few("prototype", 0.05).fit(X, y.astype(str))
    asked[0] = 0
    assert fitted.predict(asked)[0] == "unknown"
    assert np.isfinite(fitted.predict_proba(asked)).all()


def test_opposite_and_duplicate_supports_of_a_class_are_survived():
    fitted = Few("prototype").fit([[1, 0], [-1, 0], [0, 1], [0, 1]], ["a", "a", "b", "b"])
    assert np.isfinite(fitted.predict_proba([[1, 0], [0, 1]])).all()
    assert fitted.predict([[0, 1]]).tolist() == ["b"]


def test_the_seed_decides_and_none_is_a_seed_too():
    X, y, asked, _ = split()
    one, two = (Few().fit(X, y).known_score(asked) for _ in range(2))
    assert np.array_equal(one, two)
    for state in (7, np.random.default_rng(7), np.random.RandomState(7)):
        assert len(Few(random_state=state).fit(X, y).predict(asked)) == len(asked)
    with pytest.raises(InvalidOptionError, match="random_state"):
        Few(random_state="seven").fit(X, y)


def test_asking_before_teaching_raises_an_error_both_trees_know():
    for ask in (Few().predict, Few().predict_proba, Few().known_score):
        with pytest.raises(NotFittedError, match="call fit first") as caught:
            ask(np.eye(2))
        assert isinstance(caught.value, TheirNotFittedError)
        assert caught.value.code == "not_fitted"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, np.nan], [1.0, 2.0]], "NaN or infinity, first in row 0"),
        ([[1.0, 2.0], [1.0, np.inf]], "NaN or infinity, first in row 1"),
        ([1.0, 2.0], "Reshape your data"),
        (np.zeros((2, 0)), r"0 feature\(s\)"),
        (np.zeros((0, 2)), r"0 sample\(s\)"),
        ([["a", "b"], ["c", "d"]], "embed samples first"),
        ([[1j, 2], [3, 4]], "Complex data not supported"),
        (sparse.csr_matrix(np.eye(2)), "X is sparse"),
        (sparse.coo_array(np.eye(2)), "X is sparse"),
    ],
)
def test_bad_vectors_are_explained_in_fit_and_predict(X, message):
    with pytest.raises(VectorError, match=message):
        Few().fit(X, ["a", "b"])
    with pytest.raises(VectorError, match=message):
        Few().fit(np.eye(2), ["a", "b"]).predict(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "the target y is None"),
        (["a", "b"], r"\[3, 2\]"),
        ([0.5, 1.5, 2.5], "Unknown label type: continuous"),
        ([1.0, np.nan, 2.0], "Input y contains NaN"),
        (["a", None, "b"], "NaN or None, first in row 1"),
        (np.array(["a", 1, "b"], dtype=object), "y mixes int and str"),
        (np.zeros((3, 2)), r"shape \(3, 2\)"),
    ],
)
def test_bad_labels_are_explained(y, message):
    with pytest.raises(InvalidOptionError, match=message):
        Few().fit(np.eye(3), y)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"head": "nonsense"}, "nonsense"), ({"false_accept_rate": 3.0}, "false_accept_rate")],
)
def test_impossible_parameters_are_refused_at_fit(wrong, message):
    with pytest.raises(InvalidInputError, match=message):
        Few(**wrong).fit(np.eye(3), [0, 1, 2])


def test_a_class_named_like_the_unknown_label_is_refused_only_when_it_matters():
    with pytest.raises(InvalidOptionError, match="pass rows of no class as background"):
        Few(false_accept_rate=0.05).fit(np.eye(2), ["a", "unknown"])
    assert Few().fit(np.eye(2), ["a", "unknown"]).predict(np.eye(2)).tolist() == ["a", "unknown"]


def test_another_width_is_named_with_both_numbers():
    with pytest.raises(VectorError, match="X has 3 features, but FewShotClassifier is expecting 2"):
        Few().fit(np.eye(2), [0, 1]).predict(np.eye(3))


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        fitted = Few().fit(np.eye(2), [["a"], ["b"]])
    assert fitted.classes_.tolist() == ["a", "b"]


def test_column_names_are_kept_and_compared():
    pandas = pytest.importorskip("pandas", reason="tables with column names come from pandas")
    table = pandas.DataFrame(np.eye(3), columns=["x", "y", "z"])
    fitted = Few("nearest").fit(table, [0, 1, 2])
    assert fitted.feature_names_in_.tolist() == ["x", "y", "z"]
    assert fitted.predict(table).tolist() == [0, 1, 2]
    with pytest.raises(VectorError, match="same order"):
        fitted.predict(table[["z", "y", "x"]])
    with pytest.raises(VectorError, match="unseen at fit time:\n- w\n"):
        fitted.predict(table.rename(columns={"x": "w"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(np.eye(3))
    assert not hasattr(fitted.fit(np.eye(3), [0, 1, 2]), "feature_names_in_")


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 64])
def test_a_query_is_answered_alike_whatever_is_asked_with_it(n):
    X, y, asked, _ = split(dim=384)
    fitted = Few().fit(X, y)
    whole = fitted.predict_proba(asked)[:n]
    assert np.array_equal(fitted.predict_proba(asked[:n]), whole)


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import numpy as np, imprint
fitted = imprint.FewShotClassifier(head="nearest").fit(np.eye(3), ["a", "b", "c"])
assert fitted.predict(np.eye(3)).tolist() == ["a", "b", "c"]
assert fitted.score(np.eye(3), ["a", "b", "x"]) == 2 / 3
assert repr(fitted) == "FewShotClassifier(head='nearest')"
assert fitted.set_params(false_accept_rate=0.1).get_params()["false_accept_rate"] == 0.1
try:
    fitted.set_params(nonsense=1)
except imprint.errors.InvalidOptionError as error:
    assert "nonsense" in str(error)
try:
    imprint.FewShotClassifier().predict(np.eye(3))
except imprint.errors.NotFittedError:
    print("as promised")
"""


def test_it_works_without_scikit_learn():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert done.stdout == "as promised\n", done.stderr


def test_errors_of_the_estimator_point_at_the_callers_line():
    with pytest.warns(DataConversionWarning) as caught:
        Few().fit(np.eye(2), [["a"], ["b"]])
    assert caught[0].filename == __file__


def test_rows_of_a_call_inform_each_other_when_asked_to():
    taught, labels, asked, truth = split(first=1)
    classifier = Few().fit(taught, labels)
    alone, together = (
        classifier.predict_proba(asked),
        classifier.predict_proba(asked, transductive=True),
    )
    assert not np.allclose(alone, together)
    np.testing.assert_allclose(together.sum(axis=1), 1)
    answered = classifier.predict(asked, transductive=True)
    assert (answered == truth).mean() >= (classifier.predict(asked) == truth).mean() - 0.02
    assert (classifier.predict(asked[:1], transductive=True) == classifier.predict(asked[:1])).all()
