"""Trials counted up into the report of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.measure.metrics import (
    ClassRow,
    Estimate,
    auroc,
    class_table,
    confusion_matrix,
    fpr_at_tpr,
    mean_interval,
)
from imprint.measure.reliability import Reliability, ece_interval, reliability
from imprint.vectors import top_k

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.measure.trial import Trial
    from imprint.types import QueryVectors, SupportVectors

N_MISTAKES = 12
_N_EVIDENCE = 3
ProtocolName = Literal["episodic", "full"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the numbers came about: enough to repeat them.

    `n_left_out` samples could not be read and took no part. `transductive`: queries asked together
    informed each other, which answers given one at a time cannot have.
    """

    protocol: ProtocolName
    n_way: int
    n_shot: int
    n_query: int | None
    n_episodes: int
    seed: int
    head: str
    false_accept_rate: float
    alpha: float | None
    n_classes: int
    n_samples: int
    n_left_out: int
    encoder_version: str | None
    transductive: bool = False


class NearSupport(NamedTuple):
    """A support near a query: its row among what supports were drawn from, and the cosine."""

    row: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Captions:
    """Something to show of a row: plain text, or an image as a "data:image/png;base64," address."""

    queries: dict[int, str] = field(default_factory=dict)
    supports: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer given with confidence, and the supports that were nearest.

    `row` is the query's row among what was asked.
    """

    row: int
    truth: str
    answered: str
    confidence: float
    evidence: tuple[NearSupport, ...]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What an evaluation found. Ratios are 0 .. 1; `.ci95` is the half width of a 95 % interval.

    `top1` .. `brier` are over queries of taught classes and judge the best class, whether or not
    the decision was to name it. `ece` pools all queries. Open-set numbers (`auroc`, `fpr95`,
    `false_accept`) are None where no class was left to be asked as unknown; `false_accept` is the
    share of unknown queries that were named as some class, `recognized_correct` the share of known
    ones named rightly, both at the decision threshold. `support_query_gap` is the accuracy on the
    supports themselves minus `top1`.
    """

    protocol: Protocol
    top1: Estimate
    top5: Estimate
    ece: Estimate
    brier: Estimate
    recognized_correct: Estimate
    support_query_gap: Estimate
    auroc: Estimate | None
    fpr95: Estimate | None
    false_accept: Estimate | None
    labels: tuple[str, ...]
    per_class: tuple[ClassRow, ...]
    confusion: npt.NDArray[np.int64] = field(repr=False)
    reliability: Reliability = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    seconds: dict[str, float] = field(default_factory=dict)
    captions: Captions = field(default_factory=Captions, repr=False)

    @property
    def n_way(self) -> int:
        """Classes taught in each episode."""
        return self.protocol.n_way

    @property
    def n_shot(self) -> int:
        """Supports taught of each class."""
        return self.protocol.n_shot

    @property
    def n_query(self) -> int | None:
        """Queries asked of each class; None where the whole test file was asked."""
        return self.protocol.n_query

    @property
    def n_episodes(self) -> int:
        """Episodes, or draws of the full-set protocol."""
        return self.protocol.n_episodes

    @property
    def head(self) -> str:
        """Head that was judged."""
        return self.protocol.head

    @property
    def encoder_version(self) -> str | None:
        """Version of the encoder that made the vectors, when known."""
        return self.protocol.encoder_version

    def to_json(self) -> dict[str, Any]:
        """Shape as a JSON object: protocol, estimates, class table, confusion, reliability."""
        from imprint.measure.report.shapes import json_of

        return json_of(self)

    def to_text(self, n_classes: int = 10) -> str:
        """Terminal table; the `n_classes` weakest classes are listed."""
        from imprint.measure.report.text import text_of

        return text_of(self, n_classes)

    def to_html(self, path: str | Path | None = None, *, samples: bool = True) -> str:
        """One self-contained page, written to `path` when given, and returned.

        With `samples` False the page shows row numbers only, no content of any sample.
        """
        from imprint.measure.report.html import html_of

        page = html_of(self, self.captions if samples else Captions())
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page


def summarize(
    trials: Sequence[Trial],
    labels: tuple[str, ...],
    protocol: Protocol,
    supports: SupportVectors,
    queries: QueryVectors,
    seconds: dict[str, float],
) -> EvaluationReport:
    """Count trials up. `labels` are those of the pool that supports were drawn from."""
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for trial in trials:
        classes = trial.episode.classes
        truth, answered = classes[trial.episode.query_class], classes[trial.answered]
        confusion += confusion_matrix(truth, answered, len(labels))
    confidence = [trial.confidence for trial in trials]
    correct = [trial.correct for trial in trials]
    open_trials = [t for t in trials if len(t.unknown_known) and len(t.known)]
    return EvaluationReport(
        protocol=protocol,
        top1=mean_interval([right.mean() for right in correct]),
        top5=mean_interval([(t.rank < 5).mean() for t in trials]),
        ece=ece_interval(confidence, correct, np.random.default_rng(protocol.seed)),
        brier=mean_interval([t.brier.mean() for t in trials]),
        recognized_correct=mean_interval([(t.recognized & t.correct).mean() for t in trials]),
        support_query_gap=mean_interval([t.support_accuracy - t.correct.mean() for t in trials]),
        auroc=_open([auroc(t.known, t.unknown_known) for t in open_trials]),
        fpr95=_open([fpr_at_tpr(t.known, t.unknown_known) for t in open_trials]),
        false_accept=_open([t.unknown_recognized.mean() for t in open_trials]),
        labels=labels,
        per_class=class_table(confusion, labels),
        confusion=confusion,
        reliability=reliability(np.concatenate(confidence), np.concatenate(correct)),
        mistakes=_worst(trials, labels, supports, queries),
        seconds=seconds,
    )


def _open(values: Sequence[float | np.floating[Any]]) -> Estimate | None:
    return mean_interval(np.asarray(values)) if values else None


def _worst(
    trials: Sequence[Trial],
    labels: tuple[str, ...],
    supports: SupportVectors,
    queries: QueryVectors,
) -> tuple[Mistake, ...]:
    """Most confident wrong answers, each query once, surest first."""
    found = [
        (-float(trial.confidence[at]), number, int(at))
        for number, trial in enumerate(trials)
        for at in np.flatnonzero(~trial.correct)
    ]
    worst: list[Mistake] = []
    asked: set[int] = set()
    for _, number, at in sorted(found):
        trial = trials[number]
        query = int(trial.episode.query_rows[at])
        if query not in asked:
            asked.add(query)
            worst.append(_mistake(trial, at, labels, supports, queries[query]))
        if len(worst) == N_MISTAKES:
            break
    return tuple(worst)


def _mistake(
    trial: Trial, at: int, labels: tuple[str, ...], supports: SupportVectors, query: QueryVectors
) -> Mistake:
    episode = trial.episode
    near = (supports[episode.support_rows] @ query)[None]
    names = [labels[c] for c in episode.classes[episode.support_class].tolist()]
    return Mistake(
        row=int(episode.query_rows[at]),
        truth=labels[episode.classes[episode.query_class[at]]],
        answered=labels[episode.classes[trial.answered[at]]],
        confidence=float(trial.confidence[at]),
        evidence=tuple(
            NearSupport(int(episode.support_rows[i]), names[i], float(near[0, i]))
            for i in top_k(near, _N_EVIDENCE)[0].tolist()
        ),
    )
