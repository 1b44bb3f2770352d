"""Every loss equals one written out in numpy, pair by pair."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")

from torch import nn  # noqa: E402

from imprint.train.methods import make_method  # noqa: E402
from imprint.train.methods.pretrain import CosineHead  # noqa: E402
from imprint.train.methods.protocol import Batch, Learner  # noqa: E402
from imprint.train.settings import StepPlan  # noqa: E402

pytestmark = pytest.mark.train

PLAN = StepPlan(n_way=4, n_shot=2, n_query=3, n_episodes=2)
WIDTH = 6


class Given(nn.Module):
    """A backbone that answers with features decided beforehand."""

    width = WIDTH

    def __init__(self, features):
        super().__init__()
        self.features = nn.Parameter(torch.from_numpy(features))

    def forward(self, images):
        return self.features[: len(images)]


def setup(seed=0):
    n = PLAN.n_episodes * PLAN.n_way * PLAN.n_each
    features = np.random.default_rng(seed).normal(size=(n, WIDTH)).astype(np.float32)
    labels = np.repeat(np.random.default_rng(seed + 1).permutation(8), PLAN.n_each)
    batch = Batch(torch.zeros(n, 1, 8, 8), torch.from_numpy(labels), PLAN)
    return features, labels, batch


def loss_of(name, features, batch, **wanted):
    method = make_method(name, {k: str(v) for k, v in wanted.items()})
    told = method.loss(Learner(Given(features)), batch)
    told.loss.backward()
    return float(told.loss.detach()), told.metrics


def episodes(features):
    """Supports, queries and their classes of every episode, as loops would make them."""
    at = 0
    for _ in range(PLAN.n_episodes):
        supports, queries, truth = [], [], []
        for way in range(PLAN.n_way):
            supports.append(features[at : at + PLAN.n_shot])
            queries.extend(features[at + PLAN.n_shot : at + PLAN.n_each])
            truth.extend([way] * PLAN.n_query)
            at += PLAN.n_each
        yield supports, queries, truth


def log_softmax(scores):
    scores = np.asarray(scores, np.float64)
    return scores - np.log(np.exp(scores).sum())


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_prototypical_is_cross_entropy_over_squared_distances_to_means():
    features, _, batch = setup()
    terms, right = [], []
    for supports, queries, truth in episodes(features):
        means = [s.mean(0) for s in supports]
        for query, way in zip(queries, truth, strict=True):
            shares = log_softmax([-np.sum((query - mean) ** 2) for mean in means])
            terms.append(-shares[way])
            right.append(shares.argmax() == way)
    loss, metrics = loss_of("prototypical", features, batch)
    assert loss == pytest.approx(np.mean(terms), rel=1e-5)
    assert float(metrics["train_accuracy"]) == pytest.approx(np.mean(right))


def test_taking_turns_is_the_mean_over_episodes_with_each_image_as_support():
    features, _, batch = setup()
    grouped = features.reshape(PLAN.n_episodes, PLAN.n_way, PLAN.n_each, WIDTH)
    losses = []
    for turn in range(PLAN.n_each):
        rolled = np.ascontiguousarray(np.roll(grouped, -turn, 2).reshape(-1, WIDTH))
        losses.append(loss_of("prototypical", rolled, batch)[0])
    loss, _ = loss_of("prototypical", features, batch, in_turn="true")
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_matching_sums_the_attention_of_each_class(distance):
    features, _, batch = setup()
    terms = []
    for supports, queries, truth in episodes(features):
        every = np.concatenate(supports)
        for query, way in zip(queries, truth, strict=True):
            if distance == "cosine":
                similar = 10.0 * unit(every) @ unit(query)
            else:
                similar = -((every - query) ** 2).sum(1)
            shares = np.exp(log_softmax(similar)).reshape(PLAN.n_way, PLAN.n_shot).sum(1)
            terms.append(-np.log(shares[way]))
    loss, _ = loss_of("matching", features, batch, distance=distance)
    assert loss == pytest.approx(np.mean(terms), rel=1e-4)


def test_siamese_pulls_like_pairs_and_pushes_unlike_ones_to_the_margin():
    features, labels, batch = setup()
    rows, like, unlike = unit(features.astype(np.float64)), [], []
    for i in range(len(rows)):
        for j in range(len(rows)):
            apart = np.linalg.norm(rows[i] - rows[j])
            if i != j and labels[i] == labels[j]:
                like.append(apart)
            elif labels[i] != labels[j] and apart < 1.0:
                unlike.append(1.0 - apart)
    loss, _ = loss_of("siamese", features, batch)
    expected = np.mean(np.square(like)) + np.mean(np.square(unlike))
    assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("soft", [True, False])
def test_triplet_takes_the_hardest_like_and_unlike_image_of_each_anchor(soft):
    features, labels, batch = setup()
    rows = features if soft else unit(features)
    terms = []
    for i in range(len(rows)):
        apart = np.linalg.norm(rows - rows[i], axis=1)
        same = labels == labels[i]
        gap = apart[same & (np.arange(len(rows)) != i)].max() - apart[~same].min()
        terms.append(np.log1p(np.exp(gap)) if soft else max(0.0, gap + 0.2))
    loss, _ = loss_of("triplet", features, batch, soft=str(soft).lower())
    assert loss == pytest.approx(np.mean(terms), rel=1e-4)


def test_contrastive_picks_class_mates_out_of_all_others():
    features, labels, batch = setup()
    similar = unit(features.astype(np.float64)) @ unit(features.astype(np.float64)).T / 0.1
    terms = []
    for i in range(len(labels)):
        others = np.arange(len(labels)) != i
        shares = log_softmax(similar[i][others])
        terms.append(-shares[(labels == labels[i])[others]].mean())
    loss, _ = loss_of("contrastive", features, batch)
    assert loss == pytest.approx(np.mean(terms), rel=1e-4)


@pytest.mark.parametrize(("margin", "smoothing"), [(0.0, 0.0), (0.2, 0.1)])
def test_pretrain_is_cross_entropy_over_scaled_cosines(margin, smoothing):
    features, labels, batch = setup()
    head = CosineHead(WIDTH, 8, 10.0)
    method = make_method("pretrain", {"margin": str(margin), "smoothing": str(smoothing)})
    told = method.loss(Learner(Given(features), head), batch)
    directions = unit(head.directions.detach().numpy())
    terms = []
    for row, label in zip(unit(features), labels, strict=True):
        cosines = directions @ row
        cosines[label] -= margin
        shares = log_softmax(10.0 * cosines)
        terms.append(-(1 - smoothing) * shares[label] - smoothing * shares.mean())
    assert float(told.loss.detach()) == pytest.approx(np.mean(terms), rel=1e-4)


def test_attention_and_prototypes_answer_as_they_learn():
    rng = np.random.default_rng(5)
    support = torch.from_numpy(rng.normal(size=(5, 3, WIDTH)))
    query = torch.from_numpy(rng.normal(size=(7, WIDTH)))
    learner = Learner(Given(np.zeros((1, WIDTH), np.float32)))
    scores = make_method("prototypical").answer(learner, support, query).numpy()
    means = support.numpy().mean(1)
    expected = -((query.numpy()[:, None] - means[None]) ** 2).sum(-1)
    assert np.allclose(scores, expected)
    shares = make_method("matching").answer(learner, support, query).exp().sum(1)
    assert np.allclose(shares.numpy(), 1.0)
