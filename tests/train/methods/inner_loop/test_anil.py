"""ANIL: only the head moves; its steps are those of multinomial logistic regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from imprint.errors import InvalidOptionError  # noqa: E402
from imprint.train.backbones import conv4  # noqa: E402
from imprint.train.methods.inner_loop.anil import Anil  # noqa: E402
from imprint.train.methods.inner_loop.steps import starting_head  # noqa: E402
from imprint.train.methods.protocol import Batch, Learner  # noqa: E402
from imprint.train.settings import StepPlan  # noqa: E402

pytestmark = pytest.mark.train

PLAN = StepPlan(3, 2, 4, n_episodes=2)
WIDTH = 6
STARTS = ["learned", "zero", "prototype"]


def anil(start: str, *, second_order: bool = True, n_steps: int = 3) -> Anil:
    return Anil(0.1, n_steps, n_steps, second_order, start, PLAN)  # type: ignore[arg-type]


def learner_of(method: Anil) -> Learner:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return method.prepare(conv4(1, 16, WIDTH), 9)


def images_of(n: int, seed: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 16, 16, generator=generator)


def by_numpy(
    head: tuple[np.ndarray, np.ndarray], features: np.ndarray, rate: float, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Softmax regression on supports class by class, its slopes written out."""
    weight, bias = head
    n_way, n_each = len(weight), len(features) // len(weight)
    truth = np.repeat(np.eye(n_way), n_each, axis=0)
    for _ in range(n_steps):
        scores = features @ weight.T + bias
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        slopes = (shares - truth) / n_each  # averaged within a class, summed over classes
        weight, bias = weight - rate * slopes.T @ features, bias - rate * slopes.sum(0)
    return weight, bias


@pytest.mark.parametrize("start", STARTS)
def test_its_steps_are_those_of_softmax_regression(start: str) -> None:
    method = anil(start)
    learner = learner_of(method)
    generator = torch.Generator().manual_seed(0)
    support = torch.rand(3, 2, WIDTH, generator=generator)
    query = torch.rand(5, WIDTH, generator=generator)
    with torch.no_grad():
        scores = method.answer(learner, support, query)
        first = starting_head(method.start, learner.head, support.flatten(0, 1), 3)
    head = tuple(first[name].detach().numpy() for name in ("head.weight", "head.bias"))
    weight, bias = by_numpy(head, support.flatten(0, 1).numpy(), method.inner_rate, 3)
    np.testing.assert_allclose(scores.numpy(), query.numpy() @ weight.T + bias, rtol=1e-4)


def test_a_prototype_start_without_steps_is_the_nearest_class_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    support = torch.rand(4, 3, WIDTH, generator=generator)
    query = torch.rand(20, WIDTH, generator=generator)
    scores = anil("prototype", n_steps=0).answer(Learner(conv4(1, 16)), support, query)
    nearest = torch.cdist(query, support.mean(1)).argmin(1)
    assert torch.equal(scores.argmax(1), nearest)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("second_order", [True, False])
def test_its_gradient_is_that_of_the_unrolled_inner_loop(start: str, *, second_order: bool) -> None:
    method = anil(start, second_order=second_order)
    learner = learner_of(method).eval()
    batch = Batch(images_of(36), torch.zeros(36), PLAN)
    loss = method.loss(learner, batch).loss
    wanted = unrolled(method, learner, batch)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    parameters = list(learner.parameters())
    ours = torch.autograd.grad(loss, parameters)
    theirs = torch.autograd.grad(wanted, parameters)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def unrolled(method: Anil, learner: Learner, batch: Batch) -> torch.Tensor:
    """The loss with every inner step written as a plain differentiable sum, no torch.func."""
    support, query = batch.split(learner(batch.images))
    losses = []
    for supports, queries in zip(support, query, strict=True):
        known, truth = supports.flatten(0, 1), torch.eye(3).repeat_interleave(2, 0)
        if method.start == "learned":
            weight, bias = learner.head.weight, learner.head.bias
        elif method.start == "zero":
            weight, bias = torch.zeros(3, WIDTH), torch.zeros(3)
        else:
            weight, bias = 2 * supports.mean(1), -(supports.mean(1) ** 2).sum(1)
        for _ in range(method.inner_steps):
            slopes = ((known @ weight.T + bias).softmax(1) - truth) / 2
            moves = slopes.T @ known, slopes.sum(0)
            if not method.second_order:
                moves = moves[0].detach(), moves[1].detach()
            weight, bias = (
                weight - method.inner_rate * moves[0],
                bias - method.inner_rate * moves[1],
            )
        scores = queries.flatten(0, 1) @ weight.T + bias
        losses.append(functional.cross_entropy(scores, torch.arange(3).repeat_interleave(4)))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("start", STARTS)
def test_only_the_head_adapts_and_the_learner_stays_as_it_was(start: str) -> None:
    method = anil(start)
    learner = learner_of(method).eval()
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    passes: list[int] = []
    learner.backbone.register_forward_hook(lambda *_: passes.append(1))
    method.loss(learner, Batch(images_of(36), torch.zeros(36), PLAN))
    assert len(passes) == 1  # one pass for the supports and queries of all tasks and steps
    with torch.no_grad():
        features = learner(images_of(6)).unflatten(0, (3, 2))
        method.answer(learner, features, features.flatten(0, 1))
    assert all(torch.equal(before[name], value) for name, value in learner.state_dict().items())


@pytest.mark.parametrize("start", STARTS)
def test_a_query_is_answered_alike_alone_and_among_others(start: str) -> None:
    method = anil(start)
    learner = learner_of(method).eval()
    with torch.no_grad():
        support, images = learner(images_of(6)).unflatten(0, (3, 2)), images_of(7, seed=8)
        together = method.answer(learner, support, learner(images))
        alone = [method.answer(learner, support, learner(one[None])) for one in images]
    torch.testing.assert_close(together, torch.cat(alone))


def test_taking_turns_is_the_mean_over_every_choice_of_supports() -> None:
    method = anil("zero")
    learner = learner_of(method).eval()
    images = images_of(36)
    grouped = images.unflatten(0, (PLAN.n_episodes, PLAN.n_way, PLAN.n_each))
    losses = [
        method.loss(learner, Batch(rolled.flatten(0, 2), torch.zeros(36), PLAN)).loss
        for rolled in (grouped.roll(-turn, 2) for turn in range(PLAN.n_each))
    ]
    whole = replace(method, in_turn=True).loss(learner, Batch(images, torch.zeros(36), PLAN)).loss
    torch.testing.assert_close(whole, torch.stack(losses).mean())


def test_a_learnt_head_is_for_its_own_number_of_classes() -> None:
    method = anil("learned")
    features = torch.rand(5, 1, WIDTH, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InvalidOptionError, match="start=zero"):
        method.answer(learner_of(method), features, features[:, 0])
