"""Adapting from end to end: hold out, tune, compare, tune on everything, publish if it pays."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import TooFewSupportsError
from imprint.train.adapt.evidence import compared, folds, scores
from imprint.train.adapt.folder import Start, start_folder, write_folder
from imprint.train.adapt.network import SentenceNetwork
from imprint.train.adapt.plan import Adaptation, AdaptPlan
from imprint.train.adapt.tune import tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.train.adapt.evidence import Comparison, Fold, Numbers
    from imprint.train.adapt.tune import Tuned

    Progress = Callable[[str, int, int], None]


class Bench:
    """One job: texts with classes, the folder to start from, and the settings."""

    def __init__(
        self, start: Path, texts: Sequence[str], classes: Numbers, plan: AdaptPlan, tell: Progress
    ) -> None:
        self.start, self.classes, self.plan, self.tell = start, classes, plan, tell
        self.network = SentenceNetwork(start, plan.n_layers)
        tell("lower layers", 0, 1)
        self.states = self.network.lower(texts)
        self.frozen = self.network.encode(self.states)

    def tuned(self, rows: Numbers, stage: str) -> tuple[SentenceNetwork, Tuned]:
        """A fresh network tuned on some rows."""
        network = SentenceNetwork(self.start, self.plan.n_layers)
        network.add_lora(self.plan.lora_rank)
        states = [self.states[i] for i in rows]
        found = tune(
            network,
            states,
            self.classes[rows],
            self.plan,
            lambda done, total: self.tell(stage, done, total),
        )
        return network, found

    def comparison(self, parts: list[Fold]) -> Comparison | None:
        """Frozen against adapted on held-out rows; None when nothing can be held out."""
        if not parts:
            return None
        before, after, truth = [], [], []
        for number, fold in enumerate(parts):
            network, _ = self.tuned(fold.kept, f"held-out round {number + 1} of {len(parts)}")
            present = np.unique(self.classes[fold.kept])
            before.append(scores(self.frozen, self.classes, fold))
            after.append(scores(network.encode(self.states), self.classes, fold))
            truth.append(np.searchsorted(present, self.classes[fold.held]))
        return compared(before, after, truth)


def adapt(
    texts: Sequence[str],
    labels: Sequence[str],
    start: Start,
    out: Path,
    *,
    plan: AdaptPlan | None = None,
    n_folds: int = 1,
    always: bool = False,
    progress: Progress | None = None,
) -> Adaptation:
    """Adapt a sentence encoder to labelled texts; write it to `out` only if that pays.

    Args:
        texts: the examples, whole; cut where the encoder stops reading.
        labels: the class of each.
        start: the encoder to start from.
        out: folder to write, for `imprint models add`.
        plan: settings; None is the defaults.
        n_folds: rounds of holding out a fifth of each class. Each costs another tuning.
        always: write the result even where it does not pay or cannot be judged.
        progress: called with (stage, done, total).

    Raises:
        TooFewSupportsError: fewer than two classes, or no class has two examples.
        EncoderNotFoundError: there is no encoder to start from.
        DivergedError: the loss became NaN or infinite; nothing was written.
    """
    began = time.monotonic()
    chosen, tell = plan or AdaptPlan(), progress or _silent
    names, classes = np.unique(np.array([str(label) for label in labels]), return_inverse=True)
    _refuse_too_few(names, classes)
    with TemporaryDirectory() as scratch:
        folder = start_folder(start, Path(scratch), tell)
        bench = Bench(folder, texts, classes.astype(np.intp), chosen, tell)
        rng = np.random.default_rng(chosen.seed)
        comparison = bench.comparison(folds(bench.classes, n_folds, rng))
        pays = comparison is not None and comparison.pays
        network, tuned = None, None
        if pays or always:
            network, tuned = bench.tuned(np.arange(len(texts)), "tuning on every example")
        result = Adaptation(
            comparison=comparison,
            published=network is not None,
            n_texts=len(texts),
            n_classes=len(names),
            n_steps=tuned.n_steps if tuned else 0,
            final_loss=tuned.final_loss if tuned else float("nan"),
            seconds=time.monotonic() - began,
        )
        if network is not None:
            write_folder(network, folder, out, _card(start, chosen, result))
    return replace(result, seconds=time.monotonic() - began)


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _refuse_too_few(names: Sequence[str] | Any, classes: Numbers | Any) -> None:
    if len(names) < 2:
        raise TooFewSupportsError(
            f"adapting needs at least two classes, there is {len(names)}; add examples of another"
        )
    if int(np.bincount(classes).max()) < 2:
        raise TooFewSupportsError(
            "every class has one example; adapting learns from pairs, so add a second example "
            "to some classes"
        )


def _card(start: Start, plan: AdaptPlan, result: Adaptation) -> dict[str, Any]:
    comparison = result.comparison
    return {
        "kind": "adapted-sentence-encoder.v1",
        "start": Path(start.name).name,
        "plan": asdict(plan),
        "n_texts": result.n_texts,
        "n_classes": result.n_classes,
        "held_out": comparison._asdict() if comparison else None,
        "license": "that of the encoder it started from",
    }
