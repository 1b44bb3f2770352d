"""The loop learns with every method, resumes exactly, stops for good reasons and says them."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import MappingProxyType

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")

from imprint.errors import (  # noqa: E402
    CheckpointCorruptError,
    DivergedError,
    MemoryExhaustedError,
    NotFoundError,
    RunChangedError,
    TooFewSupportsError,
)
from imprint.train.checkpoint import load_backbone, read_checkpoint, read_weights  # noqa: E402
from imprint.train.loop import train  # noqa: E402
from imprint.train.methods import METHODS, make_method  # noqa: E402
from imprint.train.methods.prototypical import Prototypical  # noqa: E402
from imprint.train.recording import Unrecorded  # noqa: E402
from imprint.train.settings import RunSettings  # noqa: E402
from train.shapes import PX, splits_of  # noqa: E402

pytestmark = pytest.mark.train

STEP = MappingProxyType({"step.n_way": "12", "step.n_query": "3"})
SHORT = RunSettings(
    n_way=5, n_query=5, epochs=4, steps_per_epoch=5, image_px=PX, precision="full",
    n_validation_episodes=20, n_test_episodes=100,
)  # fmt: skip
BUILT_HERE = ("prototypical", "matching", "siamese", "triplet", "contrastive", "pretrain")


class Diary(Unrecorded):
    """A recorder that remembers."""

    def __init__(self):
        self.start, self.epochs, self.artifacts, self.end = None, [], [], None

    def started(self, start):
        self.start = start

    def on_metrics(self, epoch, metrics):
        self.epochs.append((epoch, dict(metrics)))

    def on_artifact(self, name, path):
        self.artifacts.append((name, path.name))

    def finished(self, status, reason, metrics):
        self.end = (status, reason, dict(metrics))


def method_of(name="prototypical"):
    return make_method(name, {} if name == "pretrain" else STEP)


def weights(folder):
    return read_checkpoint(folder / "checkpoint.safetensors").groups


@pytest.mark.parametrize("name", BUILT_HERE)
def test_every_method_learns_patterns_and_recognizes_new_ones(name):
    settings = dataclasses.replace(SHORT, epochs=8, averaging=0.2)
    diary = Diary()
    outcome = train(method_of(name), splits_of(), settings, recorder=diary)
    losses = [metrics["loss"] for _, metrics in diary.epochs]
    assert losses[-1] < 0.9 * losses[0]
    assert outcome.test.accuracy > 0.8, outcome  # a fifth by chance
    assert outcome.test.n_episodes == 100


def test_half_precision_learns_as_well():
    settings = dataclasses.replace(SHORT, epochs=8, precision="half")
    assert train(method_of(), splits_of(), settings).test.accuracy > 0.8


def test_a_recorder_hears_the_run_in_order(tmp_path):
    diary = Diary()
    outcome = train(method_of(), splits_of(), SHORT, folder=tmp_path, recorder=diary)
    assert diary.start.params["method.step.n_way"] == 12
    assert diary.start.params["run.seed"] == 0
    assert len(diary.start.data_hash) == 64
    assert json.dumps(dict(diary.start.params))
    assert [epoch for epoch, _ in diary.epochs] == [1, 2, 3, 4]
    assert {"loss", "train_accuracy", "rate", "validation_accuracy"} <= set(diary.epochs[0][1])
    assert [name for name, _ in diary.artifacts] == ["checkpoint", "best", "report"]
    assert diary.end[0] == "finished"
    assert diary.end[2]["test_accuracy"] == outcome.test.accuracy


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        settings = dataclasses.replace(SHORT, epochs=1, seed=seed)
        train(method_of(), splits_of(), settings, folder=tmp_path / name)
    first, again, other = (weights(tmp_path / name)["learner"] for name in "abc")
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not all(torch.equal(first[n], other[n]) for n in first)


def long_run(folder, precision):
    settings = dataclasses.replace(
        SHORT, epochs=6, averaging=0.1, augment="affine", precision=precision, n_test_episodes=20
    )
    return train(method_of(), splits_of(), settings, folder=folder, resume=True)


@pytest.mark.parametrize("precision", ["full", "half"])
def test_a_killed_run_resumes_to_the_very_same_weights(tmp_path, precision):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    long_run(whole, precision)
    program = (
        "from train.test_loop import *; torch.set_num_threads(1); "
        f"long_run(Path({str(broken)!r}), {precision!r})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    running = subprocess.Popen([sys.executable, "-c", program], env=environment)
    while not (broken / "checkpoint.safetensors").exists() and running.poll() is None:
        time.sleep(0.002)  # until there is something to lose
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    assert not (broken / "report.json").exists()
    at = read_checkpoint(broken / "checkpoint.safetensors").state["counters"]["step"]
    assert 0 < at < 30
    long_run(broken, precision)
    expected, resumed = weights(whole), weights(broken)
    assert set(expected) == set(resumed) == {"learner", "averaged", "best", "optimizer"}
    for group, tensors in expected.items():
        assert all(torch.equal(tensors[n], resumed[group][n]) for n in tensors), group


def test_a_run_is_not_resumed_with_other_settings_or_images_and_says_which(tmp_path):
    train(method_of(), splits_of(), dataclasses.replace(SHORT, epochs=1), folder=tmp_path)
    once = dataclasses.replace(SHORT, epochs=1)
    changes = (
        (method_of(), splits_of(), dataclasses.replace(once, seed=3), "run.seed was 0, now 3"),
        (method_of("matching"), splits_of(), once, "method was 'prototypical'"),
        (Prototypical(), splits_of(), once, "method.step.n_way was 12, now 60"),
        (method_of(), splits_of(7), once, "data_hash was"),
    )
    for method, splits, settings, said in changes:
        with pytest.raises(RunChangedError, match=said):
            train(method, splits, settings, folder=tmp_path, resume=True)
    with pytest.raises(RunChangedError, match="already holds a run"):
        train(method_of(), splits_of(), once, folder=tmp_path)


class BreaksAt(Prototypical):
    """Prototypical until a step, then something else."""

    def loss(self, learner, batch):
        told = super().loss(learner, batch)
        self.__dict__.setdefault("calls", []).append(1)
        if len(self.__dict__["calls"]) > 7:
            return self.trouble(told)
        return told


class BecomesNan(BreaksAt):
    @staticmethod
    def trouble(told):
        return dataclasses.replace(told, loss=told.loss * float("nan"))


class RunsOut(BreaksAt):
    @staticmethod
    def trouble(told):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")


class Interrupted(BreaksAt):
    @staticmethod
    def trouble(told):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        (BecomesNan, DivergedError, "diverged"),
        (RunsOut, MemoryExhaustedError, "failed"),
        (Interrupted, KeyboardInterrupt, "interrupted"),
    ],
)
def test_a_run_that_breaks_keeps_its_last_good_checkpoint_and_says_why(
    tmp_path, kind, error, status
):
    diary, method = Diary(), kind(**vars(method_of()))
    with pytest.raises(error) as caught:
        train(method, splits_of(), SHORT, folder=tmp_path, recorder=diary)
    assert diary.end[0] == status
    if error is not KeyboardInterrupt:
        assert diary.end[1] == str(caught.value)
    saved = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert saved.state["counters"]["step"] == 5  # the first epoch; the second never ended
    assert all(torch.isfinite(v).all() for v in saved.groups["learner"].values())


def test_messages_of_broken_runs_say_what_to_change(tmp_path):
    with pytest.raises(DivergedError, match=r"loss was nan at step 7.*optimizer.rate \(0.001\)"):
        train(BecomesNan(**vars(method_of())), splits_of(), SHORT)
    with pytest.raises(MemoryExhaustedError, match=r"48 images.*step.n_way \(12\)"):
        train(RunsOut(**vars(method_of())), splits_of(), SHORT)


def test_a_run_that_gets_no_better_stops_early():
    settings = dataclasses.replace(SHORT, epochs=40, patience=2, n_validation_episodes=30)
    method = make_method("prototypical", {**STEP, "optimizer.rate": "1e-9"})
    outcome = train(method, splits_of(), settings)
    assert outcome.status == "stopped_early"
    assert outcome.n_steps < 200


def test_minutes_end_a_run():
    settings = dataclasses.replace(SHORT, epochs=None, minutes=0.01)
    outcome = train(method_of(), splits_of(), settings)
    assert outcome.status == "finished"
    assert outcome.elapsed_s >= 0.6


def test_progress_tells_what_is_left():
    heard = []
    train(method_of(), splits_of(), SHORT, on_progress=heard.append)
    assert [one.share for one in heard] == pytest.approx([(i + 1) / 20 for i in range(20)])
    assert heard[-1].left_s == 0.0
    assert heard[9].left_s > 0.0


def test_trained_weights_become_a_backbone_and_a_start_for_another_run(tmp_path):
    outcome = train(method_of(), splits_of(), SHORT, folder=tmp_path / "first")
    backbone = load_backbone(tmp_path / "first" / "best.safetensors")
    images = torch.rand(3, 1, PX, PX)
    assert torch.allclose(backbone(images), outcome.learner(images), atol=1e-5)
    report = json.loads((tmp_path / "first" / "report.json").read_text())
    assert report["test"]["accuracy"] == outcome.test.accuracy
    once = dataclasses.replace(SHORT, epochs=1, steps_per_epoch=1)
    best = tmp_path / "first" / "best.safetensors"
    started = train(method_of("triplet"), splits_of(), once, start=best)
    assert started.test.accuracy > 0.8 * outcome.test.accuracy
    wider = dataclasses.replace(once, backbone="resnet")
    with pytest.raises(RunChangedError, match="another network"):
        train(method_of(), splits_of(), wider, start=best)


def test_files_that_are_no_weights_are_refused_in_words(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"half a file")
    with pytest.raises(CheckpointCorruptError, match="damaged"):
        train(method_of(), splits_of(), SHORT, folder=tmp_path, resume=True)
    with pytest.raises(NotFoundError):
        read_weights(tmp_path / "best.safetensors")


def test_data_that_cannot_fill_an_episode_is_refused_before_any_step():
    with pytest.raises(TooFewSupportsError, match="'class-00' has 3 images, and 7 more"):
        train(method_of(), splits_of(3), SHORT)


def test_every_method_is_found_by_name_and_cites_its_paper():
    for name in METHODS:
        method = make_method(name)
        assert method.name == name
        assert "20" in method.paper
