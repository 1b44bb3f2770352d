"""One suite over every index: what brute force finds, through changes, ties and bad input.

An index is compared with numpy and with scikit-learn's brute-force neighbors, never with itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from imprint.errors import SupportNotFoundError, VectorError
from imprint.index import ExactIndex
from imprint.vectors import RowBlocks, unit

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 16
BUILDERS: dict[str, Callable[[list[str], np.ndarray], ExactIndex]] = {
    "exact": lambda ids, rows: ExactIndex.over(ids, RowBlocks.of(rows)),
}
every_index = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, WIDTH)))


def named(n: int) -> list[str]:
    return [f"s{i}" for i in range(n)]


@every_index
@pytest.mark.parametrize("n", [1, 5, 255, 256, 257, 700])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_it_finds_what_scikit_learn_finds(build: Callable, n: int, k: int) -> None:
    rows, queries = vectors(n), vectors(7, seed=1)
    found = build(named(n), rows).nearest(queries, k)
    oracle = NearestNeighbors(n_neighbors=min(k, n), metric="cosine", algorithm="brute").fit(rows)
    distances, neighbors = oracle.kneighbors(queries)
    for hits, distance, neighbor in zip(found, distances, neighbors, strict=True):
        assert [row for row, _, _ in hits] == neighbor.tolist()
        assert [support_id for _, support_id, _ in hits] == [f"s{row}" for row in neighbor]
        np.testing.assert_allclose([s for _, _, s in hits], 1 - distance, atol=1e-5)


@every_index
def test_a_support_is_found_at_once_and_is_gone_at_once(build: Callable) -> None:
    rows = vectors(300)
    index = build(named(299), rows[:299]).added("s299", rows[299])
    assert index.nearest(rows[299:], 1)[0][0][1] == "s299"
    assert index.removed("s299").nearest(rows[299:], 1)[0][0][1] != "s299"
    assert len(index.removed("s299")) == 299


@every_index
def test_removing_everything_leaves_nothing_to_find(build: Callable) -> None:
    index = build(named(3), vectors(3))
    for support_id in named(3):
        index = index.removed(support_id)
    assert len(index) == 0
    assert index.nearest(vectors(2), 5) == [[], []]


@every_index
def test_similarities_at_hand_give_the_same_neighbors(build: Callable) -> None:
    index, queries = build(named(40), vectors(40)), vectors(3, seed=2)
    assert index.nearest(queries, 4, index.similarities(queries)) == index.nearest(queries, 4)


@every_index
def test_batches_give_what_single_queries_give(build: Callable) -> None:
    index, queries = build(named(300), vectors(300)), vectors(5, seed=3)
    together = index.nearest(queries, 3)
    for query, hits in zip(queries, together, strict=True):
        alone = index.nearest(query[None], 3)[0]
        assert [row for row, _, _ in alone] == [row for row, _, _ in hits]


@every_index
def test_a_query_or_support_of_another_width_is_refused(build: Callable) -> None:
    index = build(named(2), vectors(2))
    with pytest.raises(VectorError, match="width 16"):
        index.similarities(np.ones((1, WIDTH + 1), dtype=np.float32))
    with pytest.raises(VectorError, match="width 16"):
        index.added("new", np.ones(WIDTH - 1, dtype=np.float32))


@every_index
def test_what_it_does_not_hold_cannot_be_removed(build: Callable) -> None:
    with pytest.raises(SupportNotFoundError):
        build(named(2), vectors(2)).removed("nobody")
