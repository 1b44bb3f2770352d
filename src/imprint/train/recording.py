"""The seam between a run and whoever keeps its record, and the value a run ends with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imprint.train.evaluation import EpisodeScore
    from imprint.train.methods.protocol import Learner


@dataclass(frozen=True)
class RunStart:
    """What a run is, before its first step. Everything in it is JSON-ready.

    `params` holds every setting by dotted name ("run.seed", "method.step.n_way", ...);
    `data_hash` is the SHA-256 of all images, labels and class names; `resumed_at` is the step a
    resumed run goes on from, None for a fresh one.
    """

    method: str
    params: Mapping[str, Any]
    data_hash: str
    n_parameters: int
    resumed_at: int | None


class Recorder(Protocol):
    """Told about a run as it happens, in this order: started, on_metrics*, on_artifact*, finished.

    `on_metrics` comes once an epoch with numbers by name ("loss", "train_accuracy", "rate",
    "validation_accuracy", "validation_interval", "elapsed_s"; whatever else the method reports);
    epochs count from 1. After a resume the epochs go on where the checkpoint was, so an epoch may
    be told twice: the later telling holds. `finished` always comes, also after a failure; `status`
    is "finished", "stopped_early", "diverged", "interrupted" or "failed". A recorder must not
    raise and must not touch torch's random numbers.
    """

    def started(self, start: RunStart) -> None:
        """The run begins or goes on."""

    def on_metrics(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """An epoch is over."""

    def on_artifact(self, name: str, path: Path) -> None:
        """A file of the run is complete: "checkpoint", "best" or "report"."""

    def finished(self, status: str, reason: str, metrics: Mapping[str, float]) -> None:
        """The run is over; `metrics` are the final figures ("test_accuracy", ...)."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: share 0 to 1 of its time or steps, seconds left at the present pace."""

    step: int
    epoch: int
    share: float
    left_s: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """What a run ended with. `status` is "finished" or "stopped_early".

    `elapsed_s` is wall time and `cpu_s` processor time of all sessions of the run, both without
    the reading of images and the test episodes.
    """

    status: str
    reason: str
    n_steps: int
    elapsed_s: float
    cpu_s: float
    best_epoch: int
    validation: EpisodeScore
    test: EpisodeScore
    learner: Learner = field(repr=False)


class Unrecorded:
    """A recorder that keeps nothing."""

    def started(self, start: RunStart) -> None:
        """Keep nothing."""

    def on_metrics(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep nothing."""

    def on_artifact(self, name: str, path: Path) -> None:
        """Keep nothing."""

    def finished(self, status: str, reason: str, metrics: Mapping[str, float]) -> None:
        """Keep nothing."""
