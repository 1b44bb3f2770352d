"""What tests of the tracking room share: a start, a clock that moves by itself, a finished run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from imprint.train.recording import RunStart
from imprint.train.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PARAMS = {"run.seed": 7, "run.epochs": 3, "method.step.n_way": 20}


def start(resumed_at: int | None = None, **params: object) -> RunStart:
    return RunStart("prototypical", {**PARAMS, **params}, "ab" * 32, 111_936, resumed_at)


def clock(second: int = 0) -> Callable[[], datetime]:
    """A clock that moves on by a second whenever it is asked."""
    seconds = [second]

    def now() -> datetime:
        seconds[0] += 1
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=seconds[0])

    return now


def kept(
    runs: Path,
    accuracies: tuple[float, ...] = (0.5, 0.7, 0.8),
    *,
    second: int = 0,
    environment: Mapping[str, str] | None = None,
    **params: object,
) -> str:
    """Keep a whole run and return its name."""
    tracker = Tracker(
        runs,
        command=("imprint", "train", "prototypical", "--data", "my photos"),
        now=clock(second),
        environment=environment or {},
    )
    tracker.started(start(None, **params))
    for epoch, accuracy in enumerate(accuracies, 1):
        tracker.on_metrics(epoch, {"loss": 1.0 / epoch, "validation_accuracy": accuracy})
    tracker.finished("finished", "its steps are over", {"test_accuracy": 0.75})
    return tracker.run_id
