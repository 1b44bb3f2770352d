"""Draws are episodes, the same for a seed whatever came before, and turned where classes are."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from imprint.errors import TooFewSupportsError  # noqa: E402
from imprint.train.sampling import STEPS, StepSampler, draw_episode, fetch, stream  # noqa: E402
from imprint.train.settings import StepPlan  # noqa: E402
from imprint.train.sources.pool import ImagePool  # noqa: E402
from train.shapes import pool_of  # noqa: E402

pytestmark = pytest.mark.train


def uneven_pool(sizes, *, turned=False):
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(4))]
    images = torch.zeros(len(labels), 1, 8, 8, dtype=torch.uint8)
    return ImagePool(images, labels, tuple(f"c{i}" for i in range(len(sizes))), turned)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_an_episode_holds_different_classes_and_different_images_of_each(given_):
    sizes = given_.draw(st.lists(st.integers(1, 9), min_size=2, max_size=8))
    pool = uneven_pool(sizes, turned=given_.draw(st.booleans()))
    n_each = given_.draw(st.integers(1, min(sizes)))
    n_way = given_.draw(st.integers(2, pool.n_classes))
    rng = np.random.default_rng(given_.draw(st.integers(0, 99)))
    draw = draw_episode(pool, n_way, n_each, rng)
    classes = draw.labels.view(n_way, n_each)
    assert (classes == classes[:, :1]).all()
    assert len(set(classes[:, 0].tolist())) == n_way
    rows = draw.rows.view(n_way, n_each)
    assert all(len(set(row.tolist())) == n_each for row in rows)
    assert torch.equal(pool.labels[draw.rows], draw.labels // pool.n_turns)
    assert torch.equal(draw.turns, draw.labels % pool.n_turns)


def test_every_image_of_a_class_is_drawn_equally_often():
    pool, counts = uneven_pool([4, 7]), np.zeros(11)
    for i in range(2000):
        counts[draw_episode(pool, 2, 2, stream(0, STEPS, i)).rows.numpy()] += 1
    for number, size in enumerate((4, 7)):
        seen = counts[(pool.labels == number).numpy()]
        assert np.allclose(seen, 2000 * 2 / size, rtol=0.15)


def test_a_step_depends_on_the_seed_and_its_number_alone():
    plan, device = StepPlan(n_way=5, n_shot=1, n_query=2), torch.device("cpu")
    one = StepSampler.of(pool_of(), plan, 3, "elastic", device)
    other = StepSampler.of(pool_of(), plan, 3, "elastic", device)
    for step in (5, 0, 2):
        other(step)
    assert torch.equal(one(7).images, other(7).images)
    assert not torch.equal(one(7).images, one(8).images)
    assert not torch.equal(
        one(7).labels, StepSampler.of(pool_of(), plan, 4, "none", device)(7).labels
    )


def test_turned_images_are_quarter_turns_of_the_original():
    pool = pool_of(6, 4, turned=True)
    draw = draw_episode(pool, 20, 2, stream(0, STEPS))
    images = fetch(pool.images, draw)
    for image, row, turn in zip(images, draw.rows, draw.turns, strict=True):
        expected = np.rot90(pool.images[row].numpy(), int(turn), (1, 2)) / np.float32(255)
        assert np.allclose(image.numpy(), expected)


def test_a_batch_splits_into_supports_and_queries_of_its_classes():
    plan = StepPlan(n_way=4, n_shot=2, n_query=3, n_episodes=2)
    batch = StepSampler.of(pool_of(), plan, 0, "none", torch.device("cpu"))(0)
    support, query = batch.split(batch.labels)
    assert support.shape == (2, 4, 2)
    assert query.shape == (2, 4, 3)
    assert (support[..., :1] == query).all()
    assert torch.equal(batch.targets()[1, :, 0], torch.arange(4))


def test_the_way_is_lowered_to_the_classes_there_are():
    sampler = StepSampler.of(pool_of(6), StepPlan(n_way=60), 0, "none", torch.device("cpu"))
    assert sampler.plan.n_way == 6
    assert len(sampler(0).images) == 6 * 6


def test_a_class_that_is_too_small_is_named_with_its_size():
    with pytest.raises(TooFewSupportsError, match=r"'c1' has 3 images, but .* needs 6"):
        StepSampler.of(uneven_pool([7, 3]), StepPlan(), 0, "none", torch.device("cpu"))
    with pytest.raises(TooFewSupportsError, match="needs 2 classes but there are 1"):
        StepSampler.of(uneven_pool([7]), StepPlan(), 0, "none", torch.device("cpu"))


def test_classes_of_one_group_come_together_and_in_one_quarter_turn():
    pool = pool_of(24, 4, turned=True)
    names = tuple(f"{'abc'[i % 3]}/{i:02}" for i in range(24))
    grouped = ImagePool(pool.images, pool.labels, names, turned=True)
    for i in range(20):
        draw = draw_episode(grouped, 8, 1, stream(0, STEPS, i), n_groups=1)
        assert len({names[label // 4][0] for label in draw.labels.tolist()}) == 1
        assert len(set(draw.turns.tolist())) == 1
        wide = draw_episode(grouped, 12, 1, stream(0, STEPS, i), n_groups=1)
        assert len(set(wide.labels.tolist())) == 12
