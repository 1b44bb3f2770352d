"""Training from the command line: a run, its document, its refusals."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imprint.cli.train.run import ABOUT
from imprint.train.methods import METHODS

QUICK = ("--way", "2", "--query", "1", "--epochs", "1", "--steps", "2", "--px", "16")
QUICK += ("--episodes", "5", "--set", "step.n_way=4", "--set", "step.n_query=1")


def photos(folder="photos", n_classes=7, n_each=3):
    rng = np.random.default_rng(0)
    for label in range(n_classes):
        place = Path(folder) / f"class-{label}"
        place.mkdir(parents=True)
        clean = rng.integers(0, 255, (16, 16, 3))
        for i in range(n_each):
            pixels = np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{i}.png")


def test_every_method_has_a_verb():
    assert set(ABOUT) <= set(METHODS)


def test_without_torch_the_extra_to_install_is_named(told, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    error = told("train", "triplet", "--data", "x", "--out", "y", code=3)["error"]
    assert "pip install 'imprint[train]'" in error["message"]


@pytest.mark.train
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
def test_a_folder_of_photos_is_trained_on_and_resumed(run, told):
    photos()
    (Path("photos") / "class-0" / "broken.png").write_bytes(b"no image")
    words = ("train", "prototypical", "--data", "photos", "--out", "first", *QUICK)
    first = run(*words)
    assert first.exit_code == 0, first.output
    assert "test        2-way 1-shot" in first.stdout
    assert "class-0/broken.png: not an image" in first.stderr
    assert json.loads(Path("first/report.json").read_text())["status"] == "finished"
    document = told(*words, "--resume")
    assert document["test"]["n_episodes"] == 5
    assert document["left_out"] == [{"name": "class-0/broken.png", "reason": "not an image"}]
    assert told(*words, code=5)["error"]["code"] == "run_changed"
    changed = told(*words, "--resume", "--seed", "1", code=5)["error"]
    assert "run.seed was 0, now 1" in changed["message"]


@pytest.mark.train
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--data", "nothing"), 4, "no file or folder"),
        (("--data", "photos", "--set", "pace=3"), 3, "no setting 'pace'"),
        (("--data", "photos", "--set", "pace"), 3, "NAME=VALUE"),
        (("--data", "photos", "--backbone", "huge"), 3, "conv4, resnet"),
        (("--data", "photos", "--augment", "wild"), 3, "none, affine, elastic"),
        (("--data", "photos", "--shot", "9"), 3, "has 3 images"),
        (("--data", "photos", "--split", "vinyals"), 3, "only Omniglot"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_its_code(told, words, code, said):
    photos()
    error = told("train", "siamese", *QUICK, "--out", "run", *words, code=code)["error"]
    assert said in error["message"]
