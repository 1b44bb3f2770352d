"""One episode asked of a head: what it answered, ready to be counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imprint.heads import Decider
from imprint.measure.metrics import brier_terms, true_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.measure.episodes import Episode, Rows
    from imprint.types import Probabilities, QueryVectors, SupportVectors, UnitVectors

# Bounds the memory of decisions and of scores over many classes.
_BATCH = 512
# Queries that inform each other at most, as many as one call over HTTP may hold.
_TOGETHER = 1024


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """Which head is judged and what it is told; equal for every episode.

    `transductive`: queries of an episode, the unknown ones too, inform each other.
    """

    head: str = "auto"
    false_accept_rate: float = 0.05
    background: UnitVectors | None = field(default=None, repr=False)
    transductive: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers to a batch of queries, as arrays.

    `probabilities` (n_query, n_way) say which class, given that it is one of them; `known` is the
    probability that it is. `recognized` says whether the decision named a class, `unknown` whether
    it was "unknown"; neither where it was "ambiguous".
    """

    probabilities: Probabilities
    known: npt.NDArray[np.float64]
    recognized: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one episode. Arrays follow the episode's query or unknown rows.

    `rank` counts the classes placed before the true one; `answered` is the best class even where
    the decision was not to name it.
    """

    episode: Episode
    answered: Rows
    rank: Rows
    confidence: npt.NDArray[np.float64]
    brier: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]
    recognized: npt.NDArray[np.bool_]
    unknown_known: npt.NDArray[np.float64]
    unknown_recognized: npt.NDArray[np.bool_]
    support_accuracy: float

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the best class is the true one."""
        right: npt.NDArray[np.bool_] = self.rank == 0
        return right


def run(
    episode: Episode,
    supports: SupportVectors,
    queries: QueryVectors,
    choice: HeadChoice,
    rng: np.random.Generator,
) -> Trial:
    """Teach the episode's supports to a fresh head and ask it everything.

    Args:
        episode: rows to use of the two arrays.
        supports: all unit rows supports may come from.
        queries: all unit rows queries may come from (often the same array).
        choice: the head.
        rng: for what the head draws while it fits itself.
    """
    taught = supports[episode.support_rows]
    names = [f"{number:06d}" for number in episode.support_class.tolist()]
    decider = Decider.fit(
        taught,
        names,
        head=choice.head,
        false_accept_rate=choice.false_accept_rate,
        background=choice.background,
        rng=rng,
    )
    asked = np.concatenate([queries[episode.query_rows], queries[episode.unknown_rows]])
    labels = sorted(set(names))
    judged = (
        judge(decider, asked, labels, _TOGETHER, transductive=True)
        if choice.transductive
        else judge(decider, asked, labels)
    )
    n_known = len(episode.query_rows)
    mine = judged.probabilities[:n_known]
    again = judge(decider, taught, labels).probabilities
    own = again.argmax(axis=1) == episode.support_class
    return Trial(
        episode=episode,
        answered=mine.argmax(axis=1),
        rank=true_ranks(mine, episode.query_class),
        confidence=mine.max(axis=1).astype(np.float64),
        brier=brier_terms(mine, episode.query_class),
        known=judged.known[:n_known],
        recognized=judged.recognized[:n_known],
        unknown_known=judged.known[n_known:],
        unknown_recognized=judged.recognized[n_known:],
        support_accuracy=float(own.mean()),
    )


def judge(
    decider: Decider,
    queries: QueryVectors,
    labels: Sequence[str | None],
    batch: int = _BATCH,
    *,
    transductive: bool = False,
) -> Judged:
    """Ask all queries, `batch` at a time; `transductive`, those of a batch inform each other.

    Columns of the probabilities follow `labels`; one that is not taught (or None) gets zeros.
    """
    column = {label: i for i, label in enumerate(decider.labels)}
    places = [i for i, label in enumerate(labels) if label in column]
    columns = [column[label] for label in labels if label in column]
    starts = range(0, max(len(queries), 1), batch)
    whole = _joined([_judged(decider, queries[at : at + batch], transductive) for at in starts])
    probabilities = np.zeros((len(queries), len(labels)), dtype=np.float32)
    probabilities[:, places] = whole.probabilities[:, columns]
    return replace(whole, probabilities=probabilities)


def _judged(decider: Decider, queries: QueryVectors, transductive: bool) -> Judged:  # noqa: FBT001
    # Two candidates are what it takes to tell recognized from ambiguous.
    decisions = decider.decide(queries, top_k=2, transductive=transductive)
    return Judged(
        decider.probabilities(queries, transductive=transductive),
        np.array([decision.known for decision in decisions], dtype=np.float64),
        np.array([decision.kind == "recognized" for decision in decisions], dtype=np.bool_),
        np.array([decision.kind == "unknown" for decision in decisions], dtype=np.bool_),
    )


def _joined(parts: Sequence[Judged]) -> Judged:
    return Judged(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("probabilities", "known", "recognized", "unknown")
        )
    )
