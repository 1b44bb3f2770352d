"""Episodes are judged one query at a time: no query's answer depends on another query."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")

from imprint.errors import TooFewSupportsError  # noqa: E402
from imprint.train.backbones import BACKBONES, make_backbone  # noqa: E402
from imprint.train.evaluation import embed_pool, score_episodes  # noqa: E402
from imprint.train.methods import METHODS, make_method  # noqa: E402
from imprint.train.sampling import TEST, draw_episode, fetch, stream  # noqa: E402
from train.shapes import PX, pool_of  # noqa: E402

pytestmark = pytest.mark.train
COMPARING = sorted(name for name in METHODS if not make_method(name).adapts)


def learner_of(name, backbone="conv4"):
    """A learner whose running statistics are no longer those of a fresh network."""
    torch.manual_seed(0)
    learner = make_method(name).prepare(make_backbone(backbone, 1, PX), 24)
    learner.train()
    with torch.no_grad():
        learner(torch.rand(32, 1, PX, PX))
    return learner.eval()


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_an_image_has_the_same_features_alone_and_among_others(backbone):
    learner, pool = learner_of("prototypical", backbone), pool_of(6, 4, turned=True)
    together = embed_pool(learner, pool)
    alone = embed_pool(learner, pool, batch=1)
    assert together.shape == (6 * 4 * 4, learner.backbone.width)
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", COMPARING)
def test_queries_asked_together_and_one_by_one_get_the_same_answers(name):
    method, learner, pool = make_method(name), learner_of(name), pool_of()
    draw = draw_episode(pool, 5, 4, stream(0, TEST))
    images = fetch(pool.images, draw).unflatten(0, (5, 4))
    with torch.no_grad():
        support = learner(images[:, :1].flatten(0, 1)).unflatten(0, (5, 1))
        queries = images[:, 1:].flatten(0, 1)
        together = method.answer(learner, support, learner(queries))
        alone = torch.cat([method.answer(learner, support, learner(q[None])) for q in queries])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_accuracy_and_its_interval_are_those_of_the_episodes():
    method, learner, pool = make_method("prototypical"), learner_of("prototypical"), pool_of()
    told = score_episodes(method, learner, pool, (5, 1, 3), 40, seed=1, use=TEST)
    features, right = embed_pool(learner, pool), []
    for i in range(40):
        draw = draw_episode(pool, 5, 4, stream(1, TEST, i))
        rows = features[draw.rows].numpy().reshape(5, 4, -1)
        apart = ((rows[:, 1:, None] - rows[None, None, :, 0]) ** 2).sum(-1)
        right.append((apart.argmin(-1) == np.arange(5)[:, None]).mean())
    assert told.accuracy == pytest.approx(np.mean(right))
    assert told.interval == pytest.approx(1.96 * np.std(right, ddof=1) / 40**0.5)
    assert "5-way 1-shot" in str(told)


def test_judging_leaves_a_learner_in_training_mode_where_it_was():
    learner = learner_of("prototypical").train()
    before = {n: v.clone() for n, v in learner.state_dict().items()}
    score_episodes(make_method("prototypical"), learner, pool_of(), (2, 1, 1), 3, seed=0, use=TEST)
    assert learner.training
    assert all(torch.equal(v, before[n]) for n, v in learner.state_dict().items())


def test_a_pool_that_cannot_fill_an_episode_is_refused():
    learner, method = learner_of("prototypical"), make_method("prototypical")
    with pytest.raises(TooFewSupportsError, match="needs 30 classes but there are 24"):
        score_episodes(method, learner, pool_of(), (30, 1, 1), 3, seed=0, use=TEST)
    with pytest.raises(TooFewSupportsError, match="has 8 images"):
        score_episodes(method, learner, pool_of(), (5, 5, 5), 3, seed=0, use=TEST)
