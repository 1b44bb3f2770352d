"""Arithmetic on the unit sphere, against plain numpy; the growing matrix, against a plain list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imprint.errors import OpposedSupportsError, VectorError
from imprint.vectors import BLOCK_ROWS, RowBlocks, mean_direction, slice_rows, stacked, top_k, unit

WIDTH = 3


def test_unit_rows_keep_their_direction() -> None:
    rows = unit([[3, 4], [0, -2]])
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, -1]])
    assert rows.dtype == np.float32


@pytest.mark.parametrize("bad", [[[np.nan, 1]], [[np.inf, 1]], [[1, 2], [0, 0]]])
def test_rows_without_a_direction_are_refused_by_number(bad) -> None:
    with pytest.raises(VectorError, match="row"):
        unit(bad)


def test_opposed_rows_have_no_mean_direction() -> None:
    with pytest.raises(OpposedSupportsError, match="2 supports"):
        mean_direction(unit([[1, 0], [-1, 0]]))
    np.testing.assert_allclose(mean_direction(unit([[1, 0], [0, 1]])), [2**-0.5] * 2, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(0, 70))
def test_top_k_is_the_stable_sort(seed: int, n_rows: int, k: int) -> None:
    values = np.random.default_rng(seed).integers(0, 9, (3, n_rows)).astype(np.float32)
    expected = np.argsort(-values, axis=1, kind="stable")[:, :k]
    found = top_k(values, k)
    rows = np.arange(3)[:, None]
    np.testing.assert_array_equal(values[rows, found], values[rows, expected])
    assert all(len(set(row)) == len(row) for row in found.tolist())


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 90),
    st.lists(st.tuples(st.sampled_from("arwb"), st.integers(0, 10_000)), max_size=60),
)
def test_every_version_of_the_matrix_stays_as_it_was(start: int, steps) -> None:
    rng = np.random.default_rng(start)
    first = rng.normal(size=(start, WIDTH)).astype(np.float32)
    versions = [(RowBlocks.of(first), list(first))]
    for step, number in steps:
        # "b" branches: it goes back to an earlier version and changes that one.
        matrix, rows = versions[number % len(versions) if step == "b" else -1]
        rows, row = list(rows), rng.normal(size=WIDTH).astype(np.float32)
        if step in "ab" or not rows:
            matrix, rows = matrix.appended(row), [*rows, row]
        elif step == "r":
            rows[number % len(rows)] = row
            matrix = matrix.replaced(number % len(rows), row)
        else:
            index = number % len(rows)
            matrix = matrix.without(index)
            last = rows.pop()
            if index < len(rows):
                rows[index] = last
        versions.append((matrix, rows))
    query = rng.normal(size=(2, WIDTH)).astype(np.float32)
    for matrix, rows in versions:
        expected = stacked(rows, WIDTH)
        np.testing.assert_array_equal(matrix.matrix(), expected)
        np.testing.assert_allclose(matrix.dot(query), query @ expected.T, rtol=1e-5, atol=1e-6)


def test_rows_beyond_one_block_are_all_there() -> None:
    rows = np.random.default_rng(0).normal(size=(BLOCK_ROWS + 40, WIDTH)).astype(np.float32)
    grown = RowBlocks.of(rows[:10])
    for row in rows[10:]:
        grown = grown.appended(row)
    np.testing.assert_array_equal(grown.matrix(), rows)
    np.testing.assert_array_equal(RowBlocks.of(rows).matrix(), rows)
    assert len(grown.blocks) == 2


def test_a_small_matrix_takes_little_memory() -> None:
    small = RowBlocks.of(np.ones((5, 384), dtype=np.float32))
    assert sum(block.nbytes for block in small.blocks) <= 32 * 384 * 4


def test_a_vector_of_another_width_is_refused() -> None:
    matrix = RowBlocks.of(np.ones((2, WIDTH), dtype=np.float32))
    with pytest.raises(VectorError, match="width 3"):
        matrix.appended(np.ones(4, dtype=np.float32))
    with pytest.raises(VectorError, match="width 3"):
        matrix.dot(np.ones((1, 4), dtype=np.float32))


@pytest.mark.parametrize("width", [1, 384, 512, 768, 300_000])
def test_a_product_is_taken_in_slices_small_enough_for_one_thread(width) -> None:
    rows = slice_rows(width)
    assert rows >= 1
    assert rows == 1 or rows * width <= 4 * 65_536


def test_slices_put_together_are_the_whole_product() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1500, 400)).astype(np.float32)
    query = rng.normal(size=(3, 400)).astype(np.float32)
    np.testing.assert_allclose(RowBlocks.of(rows).dot(query), query @ rows.T, rtol=1e-3, atol=1e-3)
