"""Looking at training runs from the command line; no torch is loaded for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from imprint.cli import app
from imprint.cli.train.record import words_of
from train.tracking.records import kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def names(home: Path) -> list[str]:
    return [kept(Path("runs"), (0.5, 0.7)), kept(Path("runs"), (0.6, 0.9), second=60, x=1)]


def test_listing_before_any_run_says_so(told: Callable[..., Any], run: Run) -> None:
    assert told("train", "list") == {"runs": []}
    assert "no runs yet" in run("train", "list").stdout


def test_runs_are_listed_newest_first_damaged_ones_too(
    names: list[str], run: Run, told: Callable[..., Any]
) -> None:
    (Path("runs") / names[0] / "run.json").write_text("{", "utf-8")
    listed = told("train", "list")["runs"]
    assert [one["run_id"] for one in listed] == names[::-1]
    assert [one["status"] for one in listed] == ["finished", "damaged"]
    lines = run("train", "list").stdout.splitlines()
    assert "90.00%" in lines[1]
    assert "run.json cannot be read" in lines[2]


def test_a_run_is_shown_with_its_curve_and_its_command(names: list[str], run: Run) -> None:
    text = run("train", "show", "latest").stdout
    assert names[1] in text
    assert "imprint train prototypical --data 'my photos'" in text
    assert "epoch" in text


def test_runs_are_compared_on_a_page(names: list[str], run: Run, told: Callable[..., Any]) -> None:
    document = told("train", "compare", *names)
    assert document["differing"] == {"x": [None, 1]}
    assert document["runs"][1]["series"]["validation_accuracy"] == [[1, 0.6], [2, 0.9]]
    result = run("train", "compare", *names, "--html", "runs.html")
    assert result.exit_code == 0
    assert Path("runs.html").read_text("utf-8").count("<polyline") == 4


def test_a_run_that_is_not_there_and_one_that_is_damaged_have_their_exit_codes(
    names: list[str], run: Run
) -> None:
    assert run("train", "show", "nope").exit_code == 4
    (Path("runs") / names[0] / "run.json").unlink()
    assert run("train", "show", names[0]).exit_code == 8
    assert run("train", "compare", names[1], "20260102").exit_code == 3


def test_another_folder_of_records_can_be_named(
    names: list[str], told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("runs").rename("elsewhere")
    assert len(told("train", "list", "--runs", "elsewhere")["runs"]) == len(names)
    monkeypatch.setenv("IMPRINT_RUNS", "elsewhere")
    assert len(told("train", "list")["runs"]) == len(names)


def test_the_words_of_a_run_start_it_again_with_what_was_said() -> None:
    given = ["train", "anil", "--data", "my photos", "--out", "runs/a", "--minutes", "3"]
    given += ["--set", "start=zero", "--set", "inner_steps=3", "--not-turned", "--resume"]
    parent = click.Context(app, info_name="imprint")
    train = app.get_command(parent, "train")
    assert isinstance(train, click.Group)
    group = click.Context(train, parent, "train")
    method = train.get_command(group, "anil")
    assert method is not None
    with method.make_context("anil", given[2:], parent=group) as context:
        words = words_of(context)
    assert words == [
        *["imprint", "train", "anil", "--data", "my photos", "--out", "runs/a-again"],
        *["--not-turned", "--minutes", "3.0", "--seed", "0"],
        *["--set", "start=zero", "--set", "inner_steps=3"],
    ]
    json.dumps(words)
