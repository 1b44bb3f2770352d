"""Decisions: the same however the supports came to be, unknown when empty, moved by negatives."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.errors import LabelNotFoundError, OpposedSupportsError, VectorError
from imprint.heads import HEADS, Calibration, Decider
from imprint.vectors import unit

WIDTH = 16


def cloud(seed: int, n_way: int, n_shot: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    centers = unit(rng.normal(size=(n_way, WIDTH)))
    rows = np.repeat(centers, n_shot, axis=0) + 0.15 * rng.normal(size=(n_way * n_shot, WIDTH))
    return unit(rows), [f"class {c}" for c in range(n_way) for _ in range(n_shot)]


def test_an_empty_collection_answers_unknown() -> None:
    decider = Decider.fit(np.empty((0, WIDTH), np.float32), [])
    (answer,) = decider.decide(unit(np.ones(WIDTH)))
    assert (answer.kind, answer.label, answer.candidates) == ("unknown", None, ())


@pytest.mark.parametrize("head", sorted(HEADS))
def test_one_support_recognizes_itself_and_refuses_its_opposite(head: str) -> None:
    vector = unit(np.ones(WIDTH))
    decider = Decider.fit(vector, ["only"], head=head)
    same, opposite = decider.decide(np.vstack([vector, -vector]))
    assert (same.kind, same.label) == ("recognized", "only")
    assert opposite.kind == "unknown"


def grown(head: str) -> Decider:
    """A decider that saw five classes arrive one support at a time, and three supports leave."""
    rows, labels = cloud(0, 5, 4)
    decider = Decider.fit(rows[:6], labels[:6], head=head)
    for row, label in zip(rows[6:], labels[6:], strict=True):
        decider = decider.added(row, label)
    for row in (0, 7, 3):
        decider = decider.removed(row)
    return decider


def assert_same_answers(one: Decider, other: Decider) -> None:
    queries, _ = cloud(1, 5, 3)
    for mine, theirs in zip(one.decide(queries), other.decide(queries), strict=True):
        assert (mine.kind, mine.label) == (theirs.kind, theirs.label)
        assert mine.confidence == pytest.approx(theirs.confidence, abs=1e-4)
        assert mine.known == pytest.approx(theirs.known, abs=1e-4)


@pytest.mark.parametrize("head", ["nearest", "prototype"])
def test_adding_and_removing_ends_where_fitting_at_once_does(head: str) -> None:
    decider = grown(head)
    fresh = Decider.fit(
        decider.rows.matrix(), decider.row_labels, head=head, calibration=decider.calibration
    )
    assert_same_answers(decider, fresh)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_recalibrating_ends_where_fitting_at_once_does(head: str) -> None:
    decider = grown(head).recalibrated(np.random.default_rng(5))
    fresh = Decider.fit(
        decider.rows.matrix(), decider.row_labels, head=head, rng=np.random.default_rng(5)
    )
    assert_same_answers(decider, fresh)
    again = Decider.fit(
        decider.rows.matrix(), decider.row_labels, head=head, calibration=decider.calibration
    )
    assert_same_answers(decider, again)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_the_order_of_teaching_changes_neither_calibration_nor_answers(head: str) -> None:
    rows, labels = cloud(3, 6, 3)
    order = np.random.default_rng(0).permutation(len(rows))
    one = Decider.fit(rows, labels, head=head)
    other = Decider.fit(rows[order], [labels[i] for i in order], head=head)
    assert one.calibration.head == other.calibration.head
    assert one.calibration.threshold == pytest.approx(other.calibration.threshold, rel=1e-4)
    assert_same_answers(one, other)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_a_new_class_is_recognized_before_anything_is_fitted_anew(head: str) -> None:
    rows, labels = cloud(4, 6, 5)
    decider = Decider.fit(rows[:25], labels[:25], head=head)
    for row in rows[25:]:
        decider = decider.added(row, "class 5")
    answers = decider.decide(rows[25:])
    assert [answer.candidates[0].label for answer in answers] == ["class 5"] * 5


def test_a_negative_at_the_query_turns_the_answer_to_unknown() -> None:
    rows, labels = cloud(2, 3, 1)
    decider = Decider.fit(rows, labels)
    query = unit(rows[0] + 0.1 * rows[1])
    assert decider.decide(query)[0].kind == "recognized"
    assert decider.added(query[0], None).decide(query)[0].kind == "unknown"


def test_removing_the_last_support_of_a_class_removes_the_class() -> None:
    rows, labels = cloud(3, 3, 1)
    decider = Decider.fit(rows, labels).removed(0)
    assert decider.labels == ("class 1", "class 2")
    assert all(c.label != "class 0" for c in decider.decide(rows[:1])[0].candidates)


def test_supports_that_cancel_out_are_refused_when_taught() -> None:
    vector = unit(np.ones(WIDTH))[0]
    with pytest.raises(OpposedSupportsError, match="opposite"):
        Decider.fit(vector[None], ["a"]).added(-vector, "a")


def test_a_query_of_another_width_is_refused_with_both_widths() -> None:
    rows, labels = cloud(4, 2, 1)
    with pytest.raises(VectorError, match=r"15.*16"):
        Decider.fit(rows, labels).decide(np.ones((1, WIDTH - 1), np.float32))


def test_verifying_an_unknown_class_says_so() -> None:
    rows, labels = cloud(5, 2, 1)
    with pytest.raises(LabelNotFoundError):
        Decider.fit(rows, labels).verify(rows, "nobody")


def test_the_calibration_survives_json() -> None:
    rows, labels = cloud(6, 4, 2)
    calibration = Decider.fit(rows, labels).calibration
    assert Calibration.from_parameters(calibration.to_parameters()) == calibration


def test_a_tenth_of_new_supports_makes_the_calibration_stale() -> None:
    rows, labels = cloud(7, 10, 10)
    decider = Decider.fit(rows, labels)
    extra, _ = cloud(8, 1, 10)
    for row in extra[:9]:
        decider = decider.added(row, "class 0")
    assert not decider.is_stale()
    assert decider.added(extra[9], "class 0").is_stale()


@pytest.mark.parametrize("head", sorted(HEADS))
def test_a_taught_sample_is_answered_as_it_was_taught_however_far_from_its_class(head):
    rng = np.random.default_rng(3)
    centers = unit(rng.normal(size=(4, 24)))
    labels = [f"class {i % 4}" for i in range(60)]
    vectors = unit(centers[np.arange(60) % 4] + 0.2 * rng.normal(size=(60, 24)))
    vectors[0] = unit(centers[1] + 0.05 * rng.normal(size=24))[0]  # taught as class 0, looks like 1
    decider = Decider.fit(vectors, labels, head=head, rng=np.random.default_rng(0))
    told = decider.decide(vectors)
    assert [one.label for one in told] == labels
    assert all(one.kind == "recognized" and one.confidence > 0.95 for one in told)
    (checked,) = decider.verify(vectors[:1], "class 0")
    assert checked.accepted


def test_one_sample_under_two_labels_is_ambiguous():
    rng = np.random.default_rng(4)
    vectors = unit(rng.normal(size=(6, 16)))
    vectors[5] = vectors[0]
    decider = Decider.fit(vectors, list("abcdef"), rng=np.random.default_rng(0))
    (told,) = decider.decide(vectors[:1])
    assert told.kind == "ambiguous"
    assert {one.label for one in told.candidates[:2]} == {"a", "f"}
