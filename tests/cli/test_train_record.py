"""What `imprint train METHOD` keeps of a run, and that its own command gives the run again."""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed"),
]
QUICK = ["--way", "2", "--query", "1", "--epochs", "2", "--steps", "2", "--px", "16"]
QUICK += ["--precision", "full", "--episodes", "6", "--set", "start=zero", "--set", "step.n_way=3"]
QUICK += ["--set", "step.n_query=1", "--set", "step.n_episodes=2"]


@pytest.fixture
def photos(home: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in range(7):
        place = Path("my photos") / f"class-{label}"
        place.mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{i}.png")
    return Path("my photos")


def test_the_command_of_a_record_gives_the_run_again(
    photos: Path, told: Callable[..., Any]
) -> None:
    first = told("train", "anil", "--data", str(photos), "--out", "first", *QUICK)
    kept = told("train", "show", "latest")
    assert kept["status"] == "finished"
    assert kept["method"] == "anil"
    assert len(kept["series"]["loss"]) == 2
    assert kept["final"]["test_accuracy"] == first["test"]["accuracy"]
    best = next(one for one in kept["artifacts"] if one["name"] == "best")
    weights = Path("first/best.safetensors").read_bytes()
    assert best["sha256"] == hashlib.sha256(weights).hexdigest()
    words = shlex.split(kept["reproduce"].splitlines()[-1])
    assert words[:2] == ["imprint", "train"]
    again = told(*words[1:])
    assert again["test"] == first["test"]
    ours, theirs = load(weights), load(Path("first-again/best.safetensors").read_bytes())
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert len(told("train", "list")["runs"]) == 2


def test_a_run_gone_on_with_keeps_one_record(
    photos: Path, told: Callable[..., Any], run: Callable[..., Result]
) -> None:
    words = ("train", "anil", "--data", str(photos), "--out", "first", *QUICK)
    assert run(*words).exit_code == 0
    told(*words, "--resume")
    (kept,) = told("train", "list")["runs"]
    assert (kept["status"], kept["n_resumed"]) == ("finished", 1)


def test_a_run_that_diverges_is_kept_as_such(photos: Path, run: Callable[..., Result]) -> None:
    words = ("train", "anil", "--data", str(photos), "--out", "first", *QUICK)
    assert run(*words, "--set", "optimizer.rate=1e30").exit_code == 3
    text = run("train", "show", "latest").stdout
    assert "diverged" in text
    assert "the loss was" in text
