from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imprint.errors import InvalidOptionError, TooFewSupportsError
from imprint.measure.episodes import EpisodePlan, Pool, episodes, shares

LABELS = [f"class {i % 12:02d}" for i in range(12 * 30)]


def same(one, two):
    fields = ("classes", "support_rows", "support_class", "query_rows", "query_class")
    return all(np.array_equal(getattr(one, f), getattr(two, f)) for f in (*fields, "unknown_rows"))


def test_a_pool_groups_rows_by_sorted_label():
    pool = Pool.of(["b", "a", "b", "c"])
    assert pool.labels == ("a", "b", "c")
    assert [rows.tolist() for rows in pool.rows] == [[1], [0, 2], [3]]


def test_rows_left_out_of_a_pool_keep_the_numbers_of_the_others():
    pool = Pool.of(["b", "a", "b", "c"], leave_out=[0, 3])
    assert pool.labels == ("a", "b")
    assert [rows.tolist() for rows in pool.rows] == [[1], [2]]
    assert pool.n_rows == 2


def test_the_same_seed_gives_the_same_episodes_and_another_gives_others():
    pool, plan = Pool.of(LABELS), EpisodePlan(n_episodes=8)
    first, again = list(episodes(pool, plan, 3)), list(episodes(pool, plan, 3))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(same(a, b) for a, b in zip(first, episodes(pool, plan, 4), strict=True))


def test_more_episodes_begin_with_the_same_ones():
    pool = Pool.of(LABELS)
    few = episodes(pool, EpisodePlan(n_episodes=3), 0)
    many = list(episodes(pool, EpisodePlan(n_episodes=9), 0))
    assert all(same(a, b) for a, b in zip(few, many[:3], strict=True))


@given(
    n_way=st.integers(1, 12),
    n_shot=st.integers(1, 10),
    n_query=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_an_episode_has_the_promised_shape_and_never_asks_a_support(n_way, n_shot, n_query, seed):
    pool = Pool.of(LABELS)
    plan = EpisodePlan(n_way, n_shot, n_query, n_episodes=2)
    for episode in episodes(pool, plan, seed):
        assert len(set(episode.classes.tolist())) == n_way
        assert np.bincount(episode.support_class).tolist() == [n_shot] * n_way
        assert np.bincount(episode.query_class).tolist() == [n_query] * n_way
        assert len(episode.unknown_rows) == min(n_way, 12 - n_way) * n_query
        used = np.concatenate([episode.support_rows, episode.query_rows, episode.unknown_rows])
        assert len(np.unique(used)) == len(used)
        true_class = np.arange(len(LABELS)) % 12
        for rows, number in (
            (episode.support_rows, episode.support_class),
            (episode.query_rows, episode.query_class),
        ):
            assert np.array_equal(true_class[rows], episode.classes[number])
        assert not np.isin(true_class[episode.unknown_rows], episode.classes).any()


def test_every_class_and_row_gets_its_turn():
    pool = Pool.of(LABELS)
    drawn = list(episodes(pool, EpisodePlan(n_episodes=200), 0))
    taught = np.bincount(np.concatenate([e.classes for e in drawn]), minlength=12)
    assert taught.min() > 0.6 * taught.mean()
    rows = np.bincount(np.concatenate([e.support_rows for e in drawn]), minlength=len(LABELS))
    assert (rows > 0).mean() > 0.9


def test_dirichlet_queries_are_imbalanced_and_keep_the_total():
    plan = EpisodePlan(n_way=5, n_query=4, n_episodes=50, alpha=0.5)
    counts = [np.bincount(e.query_class, minlength=5) for e in episodes(Pool.of(LABELS), plan, 0)]
    assert all(c.sum() == 20 for c in counts)
    assert np.std(np.concatenate(counts)) > 2


@given(
    room=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    fill=st.floats(0.05, 1),
    alpha=st.floats(0.05, 20),
    seed=st.integers(0, 99),
)
def test_shares_never_ask_a_class_for_more_than_it_holds(room, fill, alpha, seed):
    limit = np.array(room)
    total = max(1, int(fill * limit.sum()))
    counts = shares(np.random.default_rng(seed), alpha, limit, total)
    assert counts.sum() == total
    assert (counts <= limit).all()
    assert (counts >= 0).all()


def test_large_alpha_is_nearly_balanced():
    counts = shares(np.random.default_rng(0), 1e6, np.full(5, 50), 75)
    assert counts.max() - counts.min() <= 1


def test_a_small_class_is_named_with_its_numbers_and_a_way_out():
    labels = ["cat"] * 20 + ["newt"] * 7
    with pytest.raises(TooFewSupportsError) as caught:
        episodes(Pool.of(labels), EpisodePlan(n_way=2, n_shot=5, n_query=10))
    message = str(caught.value)
    assert "'newt' holds 7 samples" in message
    assert "5 supports and 10 queries need 15" in message
    assert "lower n_shot or n_query" in message


def test_too_few_classes_are_counted():
    with pytest.raises(TooFewSupportsError, match=r"20 classes are needed .* but there are 12"):
        episodes(Pool.of(LABELS), EpisodePlan(n_way=20))
    with pytest.raises(TooFewSupportsError, match=r"\(10 taught, 5 asked as unknown\)"):
        episodes(Pool.of(LABELS), EpisodePlan(n_way=10, n_unknown_way=5))


def test_too_few_queries_for_dirichlet_shares_are_counted():
    labels = [f"{i % 4}" for i in range(40)]
    with pytest.raises(TooFewSupportsError, match="hold 18 queries together but 40 are asked"):
        episodes(Pool.of(labels), EpisodePlan(n_way=2, n_shot=1, n_query=20, alpha=1.0))


@pytest.mark.parametrize(
    "wrong", [{"n_way": 0}, {"n_shot": -1}, {"n_query": 1.5}, {"n_episodes": True}, {"alpha": 0.0}]
)
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(InvalidOptionError):
        EpisodePlan(**wrong)
