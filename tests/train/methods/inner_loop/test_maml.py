"""MAML against gradients unrolled by hand with autograd, and its promises about queries."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from imprint.errors import InvalidOptionError  # noqa: E402
from imprint.train.backbones import Backbone, conv4  # noqa: E402
from imprint.train.methods import make_method  # noqa: E402
from imprint.train.methods.inner_loop.maml import Maml  # noqa: E402
from imprint.train.methods.inner_loop.steps import adapt  # noqa: E402
from imprint.train.methods.inner_loop.support_norm import SupportNorm  # noqa: E402
from imprint.train.methods.protocol import Batch, Learner  # noqa: E402
from imprint.train.settings import StepPlan  # noqa: E402

pytestmark = pytest.mark.train

N_WAY, N_SHOT, N_QUERY, PX, WIDTH = 3, 2, 4, 8, 5


class PlainNet(nn.Module):
    """The same network written again: convolution, norm by supports, ReLU, mean, linear."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        block = learner.backbone.layers
        self.weights = [
            p.detach().clone().requires_grad_()
            for p in (
                block[0].weight, block[0].bias, block[1].weight, block[1].bias,
                learner.head.weight, learner.head.bias,
            )
        ]  # fmt: skip

    @staticmethod
    def scores(weights: list[torch.Tensor], images: torch.Tensor, n: int) -> torch.Tensor:
        kernel, bias, scale, shift, head, head_bias = weights
        maps = functional.conv2d(images, kernel, bias, padding=1)
        known = maps[:n].transpose(0, 1).flatten(1)
        mean, deviation = known.mean(1), (known.var(1, unbiased=False) + 1e-5).sqrt()
        maps = (maps - mean[:, None, None]) / deviation[:, None, None]
        maps = maps * scale[:, None, None] + shift[:, None, None]
        return functional.relu(maps).mean((2, 3)) @ head.T + head_bias


def small_backbone() -> Backbone:
    layers = nn.Sequential(
        nn.Conv2d(1, WIDTH, 3, padding=1),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Backbone(layers, WIDTH, n_channels=1, image_px=PX)


def maml(*, second_order: bool, n_steps: int = 2, n_tasks: int = 2, start: str = "learned") -> Maml:
    plan = StepPlan(N_WAY, N_SHOT, N_QUERY, n_episodes=n_tasks)
    return Maml(
        inner_rate=0.3,
        inner_steps=n_steps,
        answer_steps=n_steps,
        second_order=second_order,
        start=start,  # type: ignore[arg-type]
        step=plan,
    )


def learner_of(method: Maml, backbone: Backbone | None = None) -> Learner:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        learner = method.prepare(backbone or small_backbone(), 9)
        with torch.no_grad():
            for parameter in learner.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return learner


def batch_of(plan: StepPlan) -> Batch:
    generator = torch.Generator().manual_seed(5)
    n = plan.n_episodes * plan.n_way * plan.n_each
    images = torch.rand(n, 1, PX, PX, generator=generator)
    return Batch(images, torch.arange(n), plan)


def unrolled(method: Maml, learner: Learner, batch: Batch) -> tuple[float, list[torch.Tensor]]:
    """Loss and gradients by plain autograd: create_graph for second order, constants for first."""
    net = PlainNet(learner)
    support, query = batch.split(batch.images)
    truth = torch.arange(N_WAY)
    losses = []
    for supports, queries in zip(support, query, strict=True):
        known, asked = supports.flatten(0, 1), queries.flatten(0, 1)
        n, weights = len(known), net.weights
        for _ in range(method.inner_steps):
            loss = functional.cross_entropy(
                net.scores(weights, known, n), truth.repeat_interleave(N_SHOT)
            )
            slopes = torch.autograd.grad(loss, weights, create_graph=method.second_order)
            weights = [w - method.inner_rate * g for w, g in zip(weights, slopes, strict=True)]
        scores = net.scores(weights, torch.cat([known, asked]), n)[n:]
        losses.append(functional.cross_entropy(scores, truth.repeat_interleave(N_QUERY)))
    total = torch.stack(losses).mean()
    return float(total.detach()), list(torch.autograd.grad(total, net.weights))


@pytest.mark.parametrize("second_order", [True, False])
@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_its_gradient_is_that_of_the_unrolled_inner_loop(
    n_steps: int, *, second_order: bool
) -> None:
    method = maml(second_order=second_order, n_steps=n_steps)
    learner, batch = learner_of(method), batch_of(method.step)
    loss = method.loss(learner, batch).loss
    loss.backward()
    wanted, slopes = unrolled(method, learner, batch)
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    for parameter, slope in zip(learner.parameters(), slopes, strict=True):
        torch.testing.assert_close(parameter.grad, slope, rtol=1e-3, atol=1e-5)


def test_first_and_second_order_differ_and_agree_on_the_loss() -> None:
    found = []
    for second_order in (True, False):
        method = maml(second_order=second_order)
        learner = learner_of(method)
        loss = method.loss(learner, batch_of(method.step)).loss
        loss.backward()
        found.append((loss.item(), learner.head.weight.grad))
    assert found[0][0] == pytest.approx(found[1][0])
    assert not torch.allclose(found[0][1], found[1][1])


def test_first_order_is_the_slope_at_the_adapted_weights() -> None:
    start = {"w": torch.tensor([1.0, -2.0], requires_grad=True)}

    def inner(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        return (weights["w"] ** 4).sum()

    moved = adapt(inner, start, 0.05, 2, second_order=False)
    (slope,) = torch.autograd.grad((moved["w"] ** 2).sum(), start["w"])
    by_hand = torch.tensor([1.0, -2.0])
    for _ in range(2):
        by_hand = by_hand - 0.05 * 4 * by_hand**3
    torch.testing.assert_close(moved["w"].detach(), by_hand)
    torch.testing.assert_close(slope, 2 * by_hand)


@pytest.mark.parametrize("start", ["learned", "zero"])
def test_a_query_is_answered_alike_alone_and_among_others(start: str) -> None:
    method = maml(second_order=True, start=start)
    learner = learner_of(method, conv4(1, 16)).eval()
    generator = torch.Generator().manual_seed(1)
    support = torch.rand(N_WAY, N_SHOT, 1, 16, 16, generator=generator)
    query = torch.rand(7, 1, 16, 16, generator=generator)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    with torch.no_grad():
        together = method.answer(learner, support, query)
        alone = torch.cat([method.answer(learner, support, one[None]) for one in query])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert together.shape == (7, N_WAY)
    assert all(torch.equal(before[name], value) for name, value in learner.state_dict().items())


def test_the_norm_of_supports_is_torchs_batch_norm_on_supports() -> None:
    torch_norm = nn.BatchNorm2d(4)
    ours = SupportNorm(torch_norm)
    images = torch.rand(6, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(images), torch_norm(images), rtol=1e-5, atol=1e-5)
    ours.n_support = 2
    torch.testing.assert_close(ours(images)[:2], torch_norm(images[:2]), rtol=1e-5, atol=1e-5)


def test_a_zero_start_answers_any_number_of_classes_and_a_learnt_one_says_which() -> None:
    images = torch.rand(5, 1, 1, PX, PX, generator=torch.Generator().manual_seed(0))
    zero = maml(second_order=False, start="zero")
    assert zero.answer(learner_of(zero), images, images[:, 0]).shape == (5, 5)
    learned = maml(second_order=False)
    with pytest.raises(InvalidOptionError, match="learnt for 3 classes and is asked for 5"):
        learned.answer(learner_of(learned), images, images[:, 0])


@pytest.mark.parametrize("name", ["maml", "anil"])
@pytest.mark.parametrize(
    "wanted", [{"inner_rate": "0"}, {"inner_steps": "-1"}, {"start": "nowhere"}]
)
def test_settings_that_cannot_learn_are_refused(name: str, wanted: dict[str, str]) -> None:
    with pytest.raises(InvalidOptionError):
        make_method(name, wanted)


def test_it_learns_to_learn() -> None:
    """Stripes by their direction: chance before, right after a few dozen steps."""
    plan = StepPlan(2, 1, 3, n_episodes=4)
    method = Maml(inner_rate=0.4, inner_steps=2, start="zero", second_order=False, step=plan)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        learner = method.prepare(conv4(1, 16, 8), 2)
    optimizer = torch.optim.Adam(learner.parameters(), lr=5e-3)
    for step in range(30):
        told = method.loss(learner, Batch(stripes(plan, step), torch.zeros(32), plan))
        optimizer.zero_grad()
        told.loss.backward()
        optimizer.step()
    told = method.loss(learner, Batch(stripes(plan, 99), torch.zeros(32), plan))
    assert float(told.metrics["train_accuracy"]) > 0.9


def stripes(plan: StepPlan, step: int) -> torch.Tensor:
    """Upright and level stripes with noise; which comes first is drawn for each episode."""
    generator = torch.Generator().manual_seed(step)
    bars = (torch.arange(16) % 4 < 2).float().expand(16, 16)
    episodes = []
    for _ in range(plan.n_episodes):
        turned = int(torch.randint(2, (), generator=generator))
        for number in range(plan.n_way):
            image = bars if (number + turned) % 2 else bars.T
            noise = torch.rand(plan.n_each, 1, 16, 16, generator=generator)
            episodes.append(image * 0.7 + 0.3 * noise)
    return torch.cat(episodes)
