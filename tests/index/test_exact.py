"""The exact index against brute force, through additions and removals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imprint.errors import SupportNotFoundError, VectorError
from imprint.index import ExactIndex
from imprint.vectors import RowBlocks, unit

WIDTH = 8


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, WIDTH)))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6)), max_size=40), st.integers(1, 12))
def test_after_any_changes_it_finds_what_brute_force_finds(
    changes: list[tuple[bool, int]], k: int
) -> None:
    index = ExactIndex.over([], RowBlocks(WIDTH))
    truth: dict[str, np.ndarray] = {}
    for n, (adds, seed) in enumerate(changes):
        if adds or not truth:
            vector = vectors(1, seed)[0]
            index, truth[f"s{n}"] = index.added(f"s{n}", vector), vector
        else:
            gone = sorted(truth)[seed % len(truth)]
            index = index.removed(gone)
            del truth[gone]
    assert sorted(index.ids) == sorted(truth)
    query = vectors(1, 99)
    expected = sorted((float(query[0] @ v) for v in truth.values()), reverse=True)[:k]
    found = index.nearest(query, k)[0]
    np.testing.assert_allclose([s for _, _, s in found], expected, atol=1e-6)
    for row, support_id, similarity in found:
        assert index.row_of(support_id) == row
        assert similarity == pytest.approx(float(query[0] @ truth[support_id]), abs=1e-6)


def test_earlier_values_are_untouched_by_later_changes() -> None:
    rows = vectors(3)
    first = ExactIndex.over(["a", "b"], RowBlocks.of(rows[:2]))
    second = first.added("c", rows[2])
    second.removed("a")
    assert first.ids == ("a", "b")
    np.testing.assert_array_equal(second.rows.matrix(), rows)


def test_ties_go_to_the_lower_row() -> None:
    twice = np.repeat(vectors(1), 2, axis=0)
    assert [
        row for row, _, _ in ExactIndex.over(["a", "b"], RowBlocks.of(twice)).nearest(twice, 2)[0]
    ] == [0, 1]


def test_a_support_it_does_not_hold_is_not_found() -> None:
    with pytest.raises(SupportNotFoundError):
        ExactIndex.over([], RowBlocks(WIDTH)).row_of("a")


def test_repeated_or_missing_identifiers_are_refused() -> None:
    rows = RowBlocks.of(vectors(2))
    with pytest.raises(VectorError, match="twice"):
        ExactIndex.over(["a", "a"], rows)
    with pytest.raises(VectorError, match="1 support identifiers for 2"):
        ExactIndex.over(["a"], rows)
    with pytest.raises(VectorError, match="already"):
        ExactIndex.over(["a", "b"], rows).added("a", vectors(1)[0])
