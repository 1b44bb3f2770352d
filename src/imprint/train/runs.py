"""The folder of a run: its checkpoint, its best weights, its report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imprint.errors import CheckpointCorruptError, RunChangedError
from imprint.train.checkpoint import (
    optimizer_tensors,
    read_checkpoint,
    require_same,
    restore_optimizer,
    write_checkpoint,
    write_weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import torch

    from imprint.train.checkpoint import Saved
    from imprint.train.methods.protocol import Learner, Method
    from imprint.train.recording import Outcome

CHECKPOINT, BEST, REPORT = "checkpoint.safetensors", "best.safetensors", "report.json"
COUNTERS = ("step", "elapsed_s", "cpu_s", "best_accuracy", "best_epoch", "half")


@dataclass
class RunState:
    """Everything that changes while a run goes on, and that a checkpoint holds."""

    learner: Learner
    averaged: Learner | None
    optimizer: torch.optim.Optimizer
    best: dict[str, torch.Tensor]
    half: bool
    step: int = 0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    best_accuracy: float = -1.0
    best_epoch: int = 0

    @property
    def judged(self) -> Learner:
        """The weights that are validated and kept: averaged ones where there are any."""
        return self.learner if self.averaged is None else self.averaged


class RunFolder:
    """Where a run lives; None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def open(self, identity: Mapping[str, Any], *, resume: bool) -> Saved | None:
        """Make the folder, or read the checkpoint to go on from.

        A run that was stopped before its first checkpoint begins anew.

        Raises:
            RunChangedError: it holds a run and `resume` is False, or a run with other settings.
            CheckpointCorruptError: the checkpoint cannot be read.
        """
        if self.folder is None:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / CHECKPOINT).exists():
            return None
        if not resume:
            raise RunChangedError(
                "this folder already holds a run; add --resume to go on with it, or name another"
            )
        saved = read_checkpoint(self.folder / CHECKPOINT)
        require_same(saved.state["identity"], json.loads(json.dumps(dict(identity))))
        return saved

    def save(self, state: RunState, identity: Mapping[str, Any]) -> None:
        """Replace the checkpoint."""
        if self.folder is None:
            return
        groups = {
            "learner": state.learner.state_dict(),
            "best": state.best,
            "optimizer": optimizer_tensors(state.optimizer),
        }
        if state.averaged is not None:
            groups["averaged"] = state.averaged.state_dict()
        counters = {name: getattr(state, name) for name in COUNTERS}
        write_checkpoint(
            self.folder / CHECKPOINT, groups, {"identity": dict(identity), "counters": counters}
        )

    def restore(self, state: RunState, saved: Saved) -> None:
        """Bring a fresh state to where the checkpoint was.

        Raises:
            CheckpointCorruptError: its tensors do not fit.
        """
        try:
            state.learner.load_state_dict(saved.groups["learner"])
            if state.averaged is not None:
                state.averaged.load_state_dict(saved.groups["averaged"])
            restore_optimizer(state.optimizer, saved.groups["optimizer"])
            device = next(state.learner.parameters()).device
            state.best = {n: v.to(device) for n, v in saved.groups.get("best", {}).items()}
            for name in COUNTERS:
                setattr(state, name, saved.state["counters"][name])
        except (KeyError, RuntimeError, ValueError):
            raise CheckpointCorruptError(
                "the checkpoint does not fit this method and backbone; start the run in another "
                "folder"
            ) from None

    def report(
        self, method: Method, params: Mapping[str, Any], outcome: Outcome
    ) -> dict[str, float]:
        """Write the best weights and the report; returns the final figures."""
        metrics = {
            "test_accuracy": outcome.test.accuracy,
            "test_interval": outcome.test.interval,
            "validation_accuracy": outcome.validation.accuracy,
            "elapsed_s": outcome.elapsed_s,
        }
        if self.folder is None:
            return metrics
        about = {"method": method.name, "backbone": params["run.backbone"], "paper": method.paper}
        write_weights(
            self.folder / BEST, outcome.learner.state_dict(), outcome.learner.backbone, about
        )
        document = {
            **about,
            "params": dict(params),
            "status": outcome.status,
            "reason": outcome.reason,
            "n_steps": outcome.n_steps,
            "elapsed_s": outcome.elapsed_s,
            "cpu_s": outcome.cpu_s,
            "best_epoch": outcome.best_epoch,
            "validation": asdict(outcome.validation),
            "test": asdict(outcome.test),
        }
        unfinished = self.folder / f"{REPORT}.part"
        unfinished.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(self.folder / REPORT)
        return metrics

    def artifacts(self) -> Iterator[tuple[str, Path]]:
        """The files that are there, by what they are."""
        if self.folder is None:
            return
        for name, file in (("checkpoint", CHECKPOINT), ("best", BEST), ("report", REPORT)):
            if (self.folder / file).exists():
                yield name, self.folder / file
