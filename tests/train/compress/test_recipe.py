"""From a training run to a served encoder: every step, the table, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import imprint
from imprint.encoders.catalogue import add
from imprint.errors import CheckpointCorruptError, InvalidOptionError, NotFoundError
from imprint.settings import Settings
from imprint.train.compress.export import opened, sample_of
from imprint.train.compress.match import MatchPlan
from imprint.train.compress.network import read_trained
from imprint.train.compress.recipe import CUT, MATCHED, WHOLE, CompressPlan, compress
from imprint.train.compress.table import Exam, pictures_of
from imprint.train.evaluation import EpisodeShape
from imprint.train.loop import train
from imprint.train.methods import make_method
from imprint.train.settings import RunSettings
from train.shapes import PX, splits_of

pytestmark = pytest.mark.train

SETTINGS = RunSettings(
    n_way=3, n_query=2, epochs=2, steps_per_epoch=5, image_px=PX, n_validation_episodes=5,
    n_test_episodes=5, backbone="conv4", precision="full",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    method = make_method("prototypical", {"step.n_way": "6", "step.n_query": "2"})
    train(method, splits_of(), SETTINGS, folder=folder)
    return folder


@pytest.fixture(scope="module")
def compressed(run, tmp_path_factory):
    splits, folder = splits_of(), tmp_path_factory.mktemp("small")
    exam = Exam(splits.test, EpisodeShape(3, 1, 2), n_episodes=10)
    plan = CompressPlan(name="tiny", match=MatchPlan(n_steps=20, n_batch=32))
    return compress(run, splits, exam, folder, plan), folder


def test_the_table_has_every_step_with_size_latency_and_accuracy(compressed):
    table, folder = compressed
    rows = {row.step: row for row in table.rows}
    assert rows[MATCHED].n_parameters <= 0.5 * rows[WHOLE].n_parameters
    assert rows[MATCHED].n_bytes < 0.6 * rows[WHOLE].n_bytes
    assert all(0 < row.accuracy <= 1 and row.latency_ms > 0 for row in table.rows)
    assert json.loads((folder / "table.json").read_text())["rows"][0]["step"] == WHOLE
    assert [line.split()[0] for line in str(table).splitlines()][:2] == ["step", "whole"]


def test_files_whose_row_is_not_kept_are_gone(compressed):
    table, folder = compressed
    n_kept = sum(row.kept for row in table.rows)
    assert len(list(folder.glob("*.onnx"))) == n_kept
    assert not next(row for row in table.rows if row.step == CUT).kept


def test_a_pruned_run_is_read_back_as_it_was(compressed):
    _, folder = compressed
    network = read_trained(folder / "pruned").backbone
    images = splits_of().test.images[:4].float() / 255
    served = opened(folder / "tiny-pruned.onnx").encode([sample_of(p) for p in pictures_of(images)])
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(network(images), dim=1).numpy()
    assert np.abs(served - wanted).max() < 1e-4


def test_a_trained_network_is_added_taught_and_asked(compressed, tmp_path):
    _, folder = compressed
    add(folder / "tiny-pruned.onnx", cache_dir=tmp_path / "cache")
    pool = splits_of().test
    with imprint.open(settings=Settings(cache=tmp_path / "cache")) as workspace:
        marks = workspace.collection("marks", modality="image", encoder="tiny-pruned")
        for label in (0, 1, 2):
            rows = (pool.labels == label).nonzero().squeeze(1)[:3]
            for picture in pictures_of(pool.images[rows].float() / 255):
                marks.teach(f"class {label}", picture)
        picture = pictures_of(pool.images[:1].float() / 255)[0]
        assert marks.classify(picture).label == "class 0"
        assert marks.encoder_version.startswith("tiny-pruned@")


def test_a_checkpoint_alone_is_enough(run, tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes((run / "checkpoint.safetensors").read_bytes())
    mine, best = read_trained(tmp_path).backbone, read_trained(run).backbone
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), best.parameters(), strict=True))


def test_a_folder_without_a_run_and_a_damaged_one_are_told_apart(tmp_path):
    with pytest.raises(NotFoundError, match="holds no run"):
        read_trained(tmp_path)
    (tmp_path / "best.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointCorruptError):
        read_trained(tmp_path)


def test_images_of_another_size_are_refused_with_both_sizes(run, tmp_path):
    splits = splits_of()
    small = type(splits.train)(splits.train.images[..., :8, :8], splits.train.labels,
                               splits.train.class_names)  # fmt: skip
    other = type(splits)(small, splits.validation, splits.test)
    exam = Exam(splits.test, EpisodeShape(3, 1, 2))
    with pytest.raises(InvalidOptionError, match=r"1 channels and 16 px, these have 1 and 8"):
        compress(run, other, exam, tmp_path, CompressPlan())
