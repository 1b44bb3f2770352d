"""Export, compress and distill from the command line, up to a collection that uses the result."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed"),
]

QUICK = ("--way", "2", "--query", "1", "--epochs", "1", "--steps", "2", "--px", "16")
QUICK += ("--episodes", "5", "--set", "step.n_way=4", "--set", "step.n_query=1")
NAME = ("--name", "marks", "--license", "MIT")


def photos(folder="photos", n_classes=8, n_each=6):
    rng = np.random.default_rng(0)
    for label in range(n_classes):
        place = Path(folder) / f"class-{label}"
        place.mkdir(parents=True)
        clean = rng.integers(0, 255, (16, 16, 3))
        for i in range(n_each):
            pixels = np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{i}.png")


def test_a_run_is_exported_added_taught_and_asked(told):
    photos()
    told("train", "prototypical", "--data", "photos", "--out", "run", *QUICK)
    exported = told("train", "export", "run", "--out", "marks.onnx", *NAME)
    assert exported["parity"]["least_cosine"] > 0.9999
    card = json.loads(Path("marks.json").read_text())
    assert (card["name"], card["license"], card["dim"]) == ("marks", "MIT", exported["dim"])
    added = told("models", "add", "marks.onnx")
    assert added["version"].startswith("marks@")
    told("collections", "create", "ours", "--modality", "image", "--encoder", "marks")
    for label in ("class-0", "class-1"):
        for i in range(3):
            told("teach", "ours", label, f"photos/{label}/{i}.png")
    answer = told("classify", "ours", "photos/class-1/4.png")
    assert "class-1" in json.dumps(answer)


def test_a_run_is_compressed_into_a_table_of_every_step(told, run):
    photos()
    told("train", "prototypical", "--data", "photos", "--out", "run", *QUICK)
    words = ("train", "compress", "run", "--data", "photos", "--out", "small", "--steps", "3")
    words += ("--way", "2", "--query", "2", "--episodes", "5")
    table = told(*words)
    assert next(row["step"] for row in table["rows"]) == "whole"
    assert len(table["rows"]) == 5
    assert json.loads(Path("small/table.json").read_text()) == table
    assert Path("small/small-pruned.onnx").is_file()
    shown = run(*words)
    assert "pruned, int8" in shown.stdout


def test_a_small_network_is_distilled_from_an_encoder_and_exported(told):
    photos()
    (Path("photos") / "notes.txt").write_text("no picture")
    words = ("--backbone", "conv4", "--px", "16", "--steps", "2")
    told_it = told(
        "train", "distill", "--teacher", "toy-image", "--data", "photos", "--out", "run", *words
    )
    assert told_it["n_pictures"] == 48
    assert told_it["left_out"][0]["name"] == "notes.txt"
    told("train", "export", "run", "--out", "small.onnx")
    assert told("models", "add", "small.onnx")["name"] == "small"


def test_a_folder_without_a_run_is_not_found(told):
    Path("empty").mkdir()
    error = told("train", "export", "empty", "--out", "x.onnx", code=4)["error"]
    assert "holds no run" in error["message"]
