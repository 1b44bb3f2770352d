"""The one training loop: every method, every backbone, from the first step to the test episodes.

A run is made of epochs of steps. After each epoch the learner is judged on validation episodes,
the recorder is told, and the checkpoint is replaced. The run ends when its epochs or minutes are
over, when validation stops getting better, or when the loss is no number; then the best weights
are asked the test episodes.
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from imprint.errors import DivergedError, ImprintError, MemoryExhaustedError
from imprint.train.backbones import make_backbone
from imprint.train.checkpoint import load_backbone, load_like, weights_hash
from imprint.train.evaluation import EpisodeShape, score_episodes
from imprint.train.precision import half_pays
from imprint.train.recording import Outcome, Progress, RunStart, Unrecorded
from imprint.train.runs import RunFolder, RunState
from imprint.train.sampling import LOSS, TEST, VALIDATION, StepSampler, stream
from imprint.train.settings import flat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imprint.train.backbones import Backbone
    from imprint.train.evaluation import EpisodeScore
    from imprint.train.methods.protocol import Batch, Learner, Method
    from imprint.train.recording import Recorder
    from imprint.train.settings import RunSettings
    from imprint.train.sources.pool import Splits


def train(
    method: Method,
    splits: Splits,
    settings: RunSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    start: Path | None = None,
    recorder: Recorder | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train one learner and judge it on test episodes.

    With a `folder` the run can be resumed: with the same settings and images it goes on from its
    last epoch and, when epochs bound it, ends with the very same weights as a run never stopped.
    `start` names trained weights whose backbone the run begins with.

    Raises:
        TooFewSupportsError: the images cannot fill the steps or episodes asked for.
        RunChangedError: the run in the folder has other settings, or exists and is not resumed.
        DivergedError: the loss became NaN or infinite; the last good checkpoint is kept.
        MemoryExhaustedError: a step did not fit into memory; says what to lower.
    """
    run = _Run(method, splits, settings, RunFolder(folder), recorder or Unrecorded())
    if start is not None:
        run.begin_with(start)
    return run.whole(resume=resume, on_progress=on_progress or (lambda _: None))


class _Run:
    """One call of `train`."""

    def __init__(
        self,
        method: Method,
        splits: Splits,
        settings: RunSettings,
        folder: RunFolder,
        recorder: Recorder,
    ) -> None:
        self.method, self.splits, self.settings = method, splits, settings
        self.folder, self.recorder = folder, recorder
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.first: Backbone | None = None
        self.shape = EpisodeShape(
            settings.n_way, settings.n_shot, settings.n_query, settings.n_groups
        )
        self.params = {
            **{f"method.{name}": value for name, value in flat(method).items()},
            **{f"run.{name}": value for name, value in flat(settings).items()},
        }

    def begin_with(self, start: Path) -> None:
        """Take the backbone's first weights from an earlier run; their hash is a setting."""
        self.first = load_backbone(start)
        self.params["start_hash"] = weights_hash(self.first)

    def whole(self, *, resume: bool, on_progress: Callable[[Progress], None]) -> Outcome:
        """From the first check to the last file."""
        for pool, use in ((self.splits.validation, "validation"), (self.splits.test, "a test")):
            pool.require(self.shape[0], self.shape[1] + self.shape[2], f"{use} episode")
        sampler = StepSampler.of(
            self.splits.train,
            self.method.step,
            self.settings.seed,
            self.settings.augment,
            self.device,
        )
        data_hash = self.splits.content_hash()
        identity = {"method": self.method.name, "data_hash": data_hash, **self.params}
        saved = self.folder.open(identity, resume=resume)
        state = self._fresh(sampler)
        if saved is not None:
            self.folder.restore(state, saved)
        n_parameters = sum(p.numel() for p in state.learner.parameters())
        self.recorder.started(
            RunStart(
                self.method.name,
                self.params,
                data_hash,
                n_parameters,
                None if saved is None else state.step,
            )
        )
        return self._recorded(state, sampler, identity, on_progress)

    def _recorded(
        self,
        state: RunState,
        sampler: StepSampler,
        identity: dict[str, Any],
        on_progress: Callable[[Progress], None],
    ) -> Outcome:
        status, reason, metrics = "failed", "", {}
        try:
            status, reason = self._epochs(state, sampler, identity, on_progress)
            outcome = self._judged(state, status, reason)
            metrics = self.folder.report(self.method, self.params, outcome)
            for name, path in self.folder.artifacts():
                self.recorder.on_artifact(name, path)
        except KeyboardInterrupt:
            status, reason = "interrupted", "interrupted; resume it from its last epoch"
            raise
        except DivergedError as error:
            status, reason = "diverged", str(error)
            raise
        except ImprintError as error:
            reason = str(error)
            raise
        finally:
            self.recorder.finished(status, reason, metrics)
        return outcome

    def _fresh(self, sampler: StepSampler) -> RunState:
        torch.manual_seed(self.settings.seed)
        channels = self.splits.train.images.shape[1]
        backbone = make_backbone(self.settings.backbone, channels, self.settings.image_px)
        if self.first is not None:
            load_like(backbone, self.first)
        learner = self.method.prepare(backbone, self.splits.train.n_classes)
        learner.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaged = copy.deepcopy(learner).eval() if self.settings.averaging else None
        half = {"half": True, "full": False}.get(self.settings.precision)
        if half is None:
            half = half_pays(learner, sampler(0).images)
        return RunState(learner, averaged, self._optimizer(learner), {}, half)

    def _optimizer(self, learner: Learner) -> torch.optim.Optimizer:
        wanted = self.method.optimizer
        decayed = [p for p in learner.parameters() if p.ndim > 1]
        plain = [p for p in learner.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": wanted.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        if wanted.kind == "sgd":
            return torch.optim.SGD(groups, lr=wanted.rate, momentum=0.9, nesterov=True)
        return torch.optim.Adam(groups, lr=wanted.rate)

    def _epochs(
        self,
        state: RunState,
        sampler: StepSampler,
        identity: dict[str, Any],
        on_progress: Callable[[Progress], None],
    ) -> tuple[str, str]:
        """Train until something ends the run; returns its status and the reason."""
        began = time.monotonic() - state.elapsed_s
        began_cpu = time.process_time() - state.cpu_s
        while (share := self._share(state)) < 1.0:
            totals: dict[str, float] = {}
            n_here = 0
            while n_here < self.settings.steps_per_epoch and share < 1.0:
                for name, value in self._step(state, sampler, share).items():
                    totals[name] = totals.get(name, 0.0) + value
                n_here += 1
                state.elapsed_s = time.monotonic() - began
                share = self._share(state)
                epoch = -(-state.step // self.settings.steps_per_epoch)
                left_s = state.elapsed_s * (1.0 - share) / max(share, 1e-9)
                means = {name: value / n_here for name, value in totals.items()}
                on_progress(Progress(state.step, epoch, share, left_s, means))
            self._end_of_epoch(state, epoch, means, last=share >= 1.0)
            state.cpu_s = time.process_time() - began_cpu
            self.folder.save(state, identity)
            waited = epoch - state.best_epoch
            if self.settings.patience and waited >= self.settings.patience:
                return "stopped_early", f"no better validation for {waited} epochs"
        return "finished", "its steps or minutes are over"

    def _share(self, state: RunState) -> float:
        """How much of the run is over, by steps or by time, whichever is further."""
        share, settings = 0.0, self.settings
        if settings.n_steps is not None:
            share = state.step / settings.n_steps
        if settings.minutes is not None:
            share = max(share, state.elapsed_s / (60.0 * settings.minutes))
        return min(1.0, share)

    def _step(self, state: RunState, sampler: StepSampler, share: float) -> dict[str, float]:
        """One step; its figures."""
        for group in state.optimizer.param_groups:
            group["lr"] = self.method.optimizer.rate_at(share)
        try:
            metrics = self._stepped(state, sampler(state.step))
        except (MemoryError, RuntimeError) as error:
            raise _explained(error, self.method) from error
        state.step += 1
        if state.averaged is not None:
            _follow(state.averaged, state.learner, self.settings.averaging, state.step)
        return metrics

    def _stepped(self, state: RunState, batch: Batch) -> dict[str, float]:
        state.learner.train()
        # Any randomness of a method (dropout, random pairs) belongs to the step as well.
        torch.manual_seed(int(stream(self.settings.seed, LOSS, state.step).integers(2**63)))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=state.half):
            told = self.method.loss(state.learner, batch)
        value = float(told.loss.detach())
        if not torch.isfinite(told.loss):
            raise DivergedError(
                f"the loss was {value} at step {state.step:,}, so training stopped; the last good "
                f"checkpoint is kept. Lower optimizer.rate ({self.method.optimizer.rate}) or set "
                "precision to full"
            )
        state.optimizer.zero_grad(set_to_none=True)
        told.loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        return {"loss": value, **{name: float(metric) for name, metric in told.metrics.items()}}

    def _end_of_epoch(
        self, state: RunState, epoch: int, means: dict[str, float], *, last: bool
    ) -> None:
        metrics = {**means, "rate": state.optimizer.param_groups[0]["lr"]}
        if last or epoch % self.settings.validate_every == 0:
            score = self._score(state.judged, state.half, VALIDATION)
            metrics["validation_accuracy"] = score.accuracy
            metrics["validation_interval"] = score.interval
            if score.accuracy >= state.best_accuracy:
                state.best_accuracy, state.best_epoch = score.accuracy, epoch
                state.best = {n: v.clone() for n, v in state.judged.state_dict().items()}
        metrics["elapsed_s"] = state.elapsed_s
        self.recorder.on_metrics(epoch, metrics)

    def _score(self, learner: Learner, half: bool, use: int) -> EpisodeScore:  # noqa: FBT001
        settings = self.settings
        pool = self.splits.validation if use == VALIDATION else self.splits.test
        n = settings.n_validation_episodes if use == VALIDATION else settings.n_test_episodes
        return score_episodes(
            self.method,
            learner,
            pool,
            self.shape,
            n,
            seed=settings.seed,
            use=use,
            half=half,
        )

    def _judged(self, state: RunState, status: str, reason: str) -> Outcome:
        learner = copy.deepcopy(state.learner)
        learner.load_state_dict(state.best)
        learner.eval()
        # In full precision: that is how an exported encoder runs.
        validation = self._score(learner, half=False, use=VALIDATION)
        test = self._score(learner, half=False, use=TEST)
        return Outcome(
            status,
            reason,
            state.step,
            state.elapsed_s,
            state.cpu_s,
            state.best_epoch,
            validation,
            test,
            learner,
        )


def _explained(error: BaseException, method: Method) -> BaseException:
    """Memory that ran out becomes an error that says what to lower; others stay as they are."""
    text = str(error).lower()
    lacking = isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "not enough memory" in text or "out of memory" in text or "can't allocate memory" in text
    )
    if not lacking:
        return error
    step = method.step
    n_images = step.n_episodes * step.n_way * step.n_each
    return MemoryExhaustedError(
        f"a step of {n_images:,} images does not fit into memory; lower step.n_way ({step.n_way}), "
        f"step.n_query ({step.n_query}) or image_px"
    )


@torch.no_grad()
def _follow(averaged: nn.Module, learner: nn.Module, pace: float, step: int) -> None:
    """Move averaged weights and running statistics a little toward the current ones."""
    pace = max(pace, 1.0 / (step + 1))  # the first steps count fully, or the start would linger
    current = learner.state_dict()
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], pace)
        else:
            value.copy_(current[name])
