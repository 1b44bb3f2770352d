"""In-batch supervised-contrastive tuning of the upper layers of a sentence encoder.

Supervised contrastive loss (Khosla et al. 2020) as set-up for few-shot text by CPFT (Zhang et al.
2021) and SetFit (Tunstall et al. 2022), with two departures: every example of a step is compared
with the mean direction of each class in the step, its own left out, in place of single
examples, which is the question a prototype is asked later; and lower layers are frozen, so their
states are computed once per text and a pass over the examples costs half.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from imprint.errors import DivergedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from imprint.train.adapt.network import SentenceNetwork
    from imprint.train.adapt.plan import AdaptPlan

    Numbers = npt.NDArray[np.intp]

_WARMUP = 0.1
_DECAY = 0.01


class Tuned(NamedTuple):
    """Figures of one tuning."""

    n_steps: int
    final_loss: float
    seconds: float


def tune(
    network: SentenceNetwork,
    states: list[torch.Tensor],
    classes: Numbers,
    plan: AdaptPlan,
    progress: Callable[[int, int], None],
) -> Tuned:
    """Move the upper layers until examples lie nearer to their class than to others.

    `states` are those of `network.lower`, `classes` numbers each text's class.

    Raises:
        DivergedError: the loss became NaN or infinite.
    """
    began = time.monotonic()
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    weights = _prepared(network, plan)
    optimizer = torch.optim.AdamW(weights, lr=plan.rate, weight_decay=_DECAY)
    n_steps = plan.epochs * sum(1 for _ in steps(classes, plan, np.random.default_rng(0)))
    done, last = 0, math.nan
    network.train()
    for _ in range(plan.epochs):
        for rows in steps(classes, plan, rng):
            share = max(done / max(1, n_steps), (time.monotonic() - began) / plan.seconds)
            if share >= 1.0:
                break
            for group in optimizer.param_groups:
                group["lr"] = plan.rate * min((1 - share), (done + 1) / (_WARMUP * n_steps + 1))
            last = _step(network, optimizer, [states[i] for i in rows], classes[rows], plan)
            done += 1
            progress(done, n_steps)
    network.eval()
    return Tuned(done, last, time.monotonic() - began)


def steps(classes: Numbers, plan: AdaptPlan, rng: np.random.Generator) -> Iterator[Numbers]:
    """Rows of each step of one pass: `n_each` examples of up to `n_classes` classes together.

    A class with fewer examples comes with all it has; one with a single example only as a
    rival to others.
    """
    order = rng.permutation(np.unique(classes))
    parts = math.ceil(len(order) / plan.n_classes)
    for together in np.array_split(order, parts):
        mixed = {int(c): rng.permutation(np.flatnonzero(classes == c)) for c in together}
        longest = max(len(rows) for rows in mixed.values())
        for start in range(0, longest, plan.n_each):
            picked = [_cycled(rows, start, plan.n_each) for rows in mixed.values()]
            yield np.concatenate(picked)


def _cycled(rows: Numbers, start: int, n_each: int) -> Numbers:
    if start + n_each <= len(rows) or len(rows) <= n_each:
        return rows[start : start + n_each] if len(rows) > n_each else rows
    return np.take(rows, np.arange(start, start + n_each), mode="wrap")


def contrast(vectors: torch.Tensor, classes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cross-entropy of each example over class means, its own vector left out of its mean.

    `vectors` (n, d) of length one; examples alone in their class are rivals only.
    """
    found = torch.unique(classes, return_inverse=True, return_counts=True)
    number, counts = found[1], found[2]
    member = functional.one_hot(number, len(counts)).to(vectors.dtype)
    sums = member.T @ vectors
    cosines = vectors @ functional.normalize(sums, dim=1).T
    own = (vectors * functional.normalize(sums[number] - vectors, dim=1)).sum(dim=1)
    logits = cosines + member * (own - (cosines * member).sum(dim=1))[:, None]
    asked = counts[number] > 1
    return functional.cross_entropy(logits[asked] / temperature, number[asked])


def _step(
    network: SentenceNetwork,
    optimizer: torch.optim.Optimizer,
    states: list[torch.Tensor],
    classes: Numbers,
    plan: AdaptPlan,
) -> float:
    half = plan.precision == "half"
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        vectors = network.upper(states)
    loss = contrast(vectors.float(), torch.from_numpy(classes), plan.temperature)
    if not torch.isfinite(loss):
        raise DivergedError(
            "the loss is no longer a number; lower rate (for instance by half) and run again"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.tuned_weights(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _prepared(network: SentenceNetwork, plan: AdaptPlan) -> list[torch.nn.Parameter]:
    network.set_dropout(plan.dropout)
    return network.tuned_weights()
