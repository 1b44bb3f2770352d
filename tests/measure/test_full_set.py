from __future__ import annotations

import numpy as np
import pytest

from imprint.errors import InvalidOptionError, TooFewSupportsError
from imprint.measure.episodes import Pool
from imprint.measure.full_set import draws

TRAIN = [f"{i % 6}" for i in range(60)]
TEST = [f"{i % 6}" for i in range(24)]


def test_every_test_row_is_asked_in_every_draw_and_supports_differ():
    drawn = list(draws(Pool.of(TRAIN), Pool.of(TEST), n_shot=3, n_draws=4, seed=0))
    assert len(drawn) == 4
    for draw in drawn:
        assert np.array_equal(draw.query_rows, np.arange(24))
        assert np.array_equal(draw.query_class, np.arange(24) % 6)
        assert np.bincount(draw.support_class).tolist() == [3] * 6
        assert np.array_equal(draw.support_rows % 6, draw.support_class)
        assert not len(draw.unknown_rows)
    assert len({tuple(d.support_rows) for d in drawn}) == 4


def test_classes_that_are_not_taught_are_asked_as_unknown():
    for draw in draws(Pool.of(TRAIN), Pool.of(TEST), n_shot=1, n_draws=3, n_way=4, seed=1):
        assert len(draw.classes) == 4
        assert len(draw.query_rows) == 16
        assert np.array_equal(draw.classes[draw.query_class], draw.query_rows % 6)
        assert not np.isin(draw.unknown_rows % 6, draw.classes).any()


def test_rows_left_out_of_the_test_pool_are_not_asked():
    pool = Pool.of(TEST, leave_out=[0, 5])
    (draw,) = draws(Pool.of(TRAIN), pool, n_shot=1, n_draws=1, seed=0)
    assert draw.query_rows.tolist() == [row for row in range(24) if row not in {0, 5}]
    assert np.array_equal(draw.query_class, draw.query_rows % 6)


def test_a_class_only_the_test_rows_hold_is_unknown():
    (draw,) = draws(Pool.of(TRAIN), Pool.of([*TEST, "new"]), n_shot=1, n_draws=1, seed=0)
    assert draw.unknown_rows.tolist() == [24]


def test_a_seed_repeats_itself():
    args = {"n_shot": 2, "n_draws": 2, "seed": 5}
    one, two = (list(draws(Pool.of(TRAIN), Pool.of(TEST), **args)) for _ in range(2))
    assert [d.support_rows.tolist() for d in one] == [d.support_rows.tolist() for d in two]


def test_a_class_smaller_than_n_shot_is_named():
    with pytest.raises(TooFewSupportsError, match="'x' holds 1 samples but 2 supports"):
        draws(Pool.of([*TRAIN, "x"]), Pool.of(TEST), n_shot=2, seed=0)


def test_more_ways_than_classes_are_refused():
    with pytest.raises(TooFewSupportsError, match="7 classes are to be taught but there are 6"):
        draws(Pool.of(TRAIN), Pool.of(TEST), n_shot=1, n_way=7, seed=0)


def test_a_test_file_of_other_classes_is_refused():
    with pytest.raises(InvalidOptionError, match="no class of the test rows"):
        draws(Pool.of(TRAIN), Pool.of(["z"]), n_shot=1, seed=0)


def test_numbers_below_one_are_refused():
    with pytest.raises(InvalidOptionError, match="at least 1"):
        draws(Pool.of(TRAIN), Pool.of(TEST), n_shot=0, seed=0)
