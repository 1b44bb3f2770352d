"""The training loop: supervised contrast over words and sounds that never existed.

Every batch holds new classes, so nothing can be learnt but how to tell classes apart: renditions of
one class are pulled together, all others pushed away (Khosla et al. 2020).
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from imprint.train.audio_small.batches import drawn
from imprint.train.audio_small.network import Network
from imprint.train.precision import half_pays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.train.audio_small.batches import Batch
    from imprint.train.audio_small.corpus import Corpus

TELL_EVERY_S = 20.0
SAVE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How long and how. `budget_s` is processor time, so a busy machine trains no less.

    `sizes` are classes in a batch for each corpus, `turns` how often each corpus comes.
    """

    budget_s: float
    seed: int = 0
    peak_rate: float = 2e-3
    weight_decay: float = 0.02
    temperature: float = 0.1
    n_renditions: int = 4
    sizes: tuple[int, ...] = (48, 24)
    turns: tuple[int, ...] = (3, 1)


def contrast(vectors: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Supervised contrastive loss of unit vectors: mean over rows and over their positives."""
    itself = torch.eye(len(vectors), dtype=torch.bool)
    likeness = (vectors @ vectors.T / temperature).masked_fill(itself, -1e9)
    log_share = likeness - likeness.logsumexp(dim=1, keepdim=True)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    each = (log_share * positive).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
    return -each.mean()


def train(
    corpora: Sequence[Corpus], settings: LoopSettings, out: Path, start: Path | None = None
) -> Network:
    """Train until the budget is used; leave `network.pt` and `progress.jsonl` in `out`.

    A run that was killed goes on from its last minute when called with the same settings; a new
    one begins at random or with the weights of `start`, another run's `network.pt`.

    Raises:
        RuntimeError: the loss is no number any more, or `out` holds a run of other settings.
    """
    torch.manual_seed(settings.seed)
    run = _Run(settings, out)
    if start is not None:
        run.network.load_state_dict(load_network(start).state_dict())
    run.resume()
    rng = np.random.default_rng([settings.seed, run.step])
    order = [i for i, n in enumerate(settings.turns) for _ in range(n)]
    run.half = half_pays(run.network, drawn(corpora[0], 16, 4, rng).pictures)
    started_s = time.process_time() - run.used_s
    while run.used_s < settings.budget_s:
        which = order[run.step % len(order)]
        batch = drawn(corpora[which], settings.sizes[which], settings.n_renditions, rng)
        run.learn(batch, corpora[which].name)
        run.used_s = time.process_time() - started_s
        run.note()
    run.network.eval()
    save_network(run.network, out / "network.pt")
    return run.network


class _Run:
    """A training run under way: what a step changes and what a kill must not lose."""

    def __init__(self, settings: LoopSettings, out: Path) -> None:
        self.settings, self.out = settings, out
        self.network = Network().train()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.peak_rate, weight_decay=settings.weight_decay
        )
        self.half = False
        self.step, self.used_s = 0, 0.0
        self.losses: dict[str, float] = {}
        self._told_s = self._saved_s = 0.0

    def learn(self, batch: Batch, name: str) -> None:
        """One step."""
        self._set_rate()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            vectors = self.network(batch.pictures)
        loss = contrast(vectors.float(), batch.labels, self.settings.temperature)
        value = loss.item()
        if not math.isfinite(value):
            raise RuntimeError(f"the loss is no number at step {self.step}; lower --peak-rate")
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        self.losses[name] = value + 0.9 * (self.losses.get(name, value) - value)

    def note(self) -> None:
        """Now and then, tell how far it is, and keep what is needed to go on after a kill."""
        if self.used_s - self._told_s >= TELL_EVERY_S:
            self._told_s = self.used_s
            share = self.used_s / self.settings.budget_s
            said = " ".join(f"{name} {loss:.3f}" for name, loss in self.losses.items())
            sys.stderr.write(f"{share:6.1%}  step {self.step:6d}  {said}\n")
            with (self.out / "progress.jsonl").open("a", encoding="utf-8") as log:
                line = {"step": self.step, "used_s": self.used_s, "losses": self.losses}
                log.write(json.dumps(line) + "\n")
        if self.used_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = self.used_s
            self._save()

    def resume(self) -> None:
        """Go on from `run.pt` where there is one of these settings."""
        path = self.out / "run.pt"
        if not path.is_file():
            return
        kept = torch.load(path, weights_only=True)
        if kept["settings"] != json.dumps(asdict(self.settings)):
            raise RuntimeError(
                "the folder holds a run of other settings; give the same ones to go on with it, "
                "or another --out"
            )
        self.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step, self.used_s = int(kept["step"]), float(kept["used_s"])
        self._told_s = self._saved_s = self.used_s

    def _set_rate(self) -> None:
        share = min(self.used_s / self.settings.budget_s, 1.0)
        rate = self.settings.peak_rate * min(1.0, (self.step + 1) / 50)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * share))

    def _save(self) -> None:
        kept = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "settings": json.dumps(asdict(self.settings)),
            "step": self.step,
            "used_s": self.used_s,
        }
        part = self.out / "run.part"
        torch.save(kept, part)
        part.replace(self.out / "run.pt")


def save_network(network: Network, path: Path) -> None:
    """Write the weights beside the target, then rename over it."""
    part = path.with_suffix(".part")
    torch.save(network.state_dict(), part)
    part.replace(path)


def load_network(path: Path) -> Network:
    """Read what `save_network` wrote (tensors only, never code)."""
    network = Network()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()
