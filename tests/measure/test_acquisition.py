"""What to label next, against the plain greedy algorithm and against chance."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imprint.measure.acquisition import choose
from imprint.vectors import unit


def brute_force(items, margins, supports, n):
    """Recompute every gain at every step."""
    weights = (1 - margins) ** 2 + 1e-6
    near = items @ items.T
    cover = (items @ supports.T).max(axis=1) if len(supports) else np.zeros(len(items))
    chosen: list[int] = []
    for _ in range(min(n, len(items))):
        gains = np.maximum(near - cover, 0) @ weights
        gains[chosen] = -1
        chosen.append(int(np.argmax(gains)))
        cover = np.maximum(cover, near[chosen[-1]])
    return chosen


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(0, 5))
def test_the_choice_is_the_greedy_one(seed, n_items, n_supports):
    rng = np.random.default_rng(seed)
    items = unit(rng.normal(size=(n_items, 8)))
    supports = unit(rng.normal(size=(n_supports, 8))) if n_supports else np.empty((0, 8))
    margins = rng.random(n_items).astype(np.float32)
    ours = choose(items, margins, supports.astype(np.float32), 5)
    cover = (items @ supports.T).max(axis=1) if n_supports else np.zeros(n_items)
    weights = (1 - margins) ** 2 + 1e-6
    theirs = brute_force(items, margins, supports, 5)
    value = lambda rows: np.maximum((items @ items[rows].T).max(axis=1), cover) @ weights  # noqa: E731
    np.testing.assert_allclose(value([one.row for one in ours]), value(theirs), rtol=1e-5)


def test_a_cluster_nothing_covers_is_asked_about_once_and_first():
    rng = np.random.default_rng(0)
    centers = unit(rng.normal(size=(3, 16)))
    items = unit(np.repeat(centers, 20, axis=0) + 0.05 * rng.normal(size=(60, 16)))
    chosen = choose(items, np.zeros(60, dtype=np.float32), centers[:1], 2)
    assert {one.row // 20 for one in chosen} == {1, 2}
    assert all(0 < one.worth <= 1 for one in chosen)


def test_nothing_to_choose_from_gives_nothing():
    empty = np.empty((0, 4), dtype=np.float32)
    assert choose(empty, np.empty(0, dtype=np.float32), empty, 3) == []


def test_labels_chosen_reach_the_accuracy_of_chance_with_fewer():
    rng = np.random.default_rng(1)
    centers = unit(rng.normal(size=(12, 24)))
    sizes = np.array([120, 80, 60, 40, 30, 20, 15, 10, 8, 6, 5, 5])
    truth = np.repeat(np.arange(12), sizes)
    items = unit(centers[truth] + 0.18 * rng.normal(size=(len(truth), 24)))
    chosen = [one.row for one in choose(items, np.zeros(len(items), np.float32), items[:0], 15)]
    by_chance = [
        len(set(truth[rng.choice(len(truth), 15, replace=False)].tolist())) for _ in range(50)
    ]
    assert len(set(truth[chosen].tolist())) > np.mean(by_chance) + 2
