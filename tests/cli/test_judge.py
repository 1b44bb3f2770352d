"""Evaluate, doctor, models and demo from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

N_PER_CLASS = 8


@pytest.fixture
def labelled(home) -> str:
    topics = ("refund money back", "parcel late courier", "password login locked")
    lines = [
        json.dumps({"text": f"{topic} case {i}", "label": topic.split()[0]})
        for topic in topics
        for i in range(N_PER_CLASS)
    ]
    Path("t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "t.jsonl"


def words(path: str) -> tuple[str, ...]:
    return ("evaluate", "--data", path, "--n-way", "2", "--n-query", "3", "--episodes", "5")


def test_evaluate_prints_at_least_what_was_promised(told, labelled) -> None:
    report = told(*words(labelled), "--encoder", "toy-text", "--head", "auto", "--n-shot", "1")
    assert set(report) >= {
        "top1", "top5", "ece", "auroc", "n_way", "n_shot", "n_query", "n_episodes", "head",
        "encoder_version", "seconds",
    }  # fmt: skip
    assert set(report["top1"]) >= {"mean", "ci95"}
    assert set(report["seconds"]) >= {"embed", "episodes"}
    assert (report["n_way"], report["n_episodes"]) == (2, 5)


def test_the_same_seed_gives_the_same_figures(told, labelled) -> None:
    first, second = (told(*words(labelled), "--seed", "3") for _ in range(2))
    assert first["top1"] == second["top1"]


def test_evaluate_writes_a_report_to_look_at_and_leaves_bad_rows_out(run, labelled) -> None:
    with Path(labelled).open("a", encoding="utf-8") as opened:
        opened.write('\nbroken\n{"text": "  ", "label": "refund"}')
    result = run(*words(labelled), "--html", "report.html")
    assert result.exit_code == 0, result.output
    assert "1 of 26 rows" in result.stderr
    assert "<html" in Path("report.html").read_text("utf-8")


def test_vectors_are_evaluated_as_they_are(told) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 6)
    x = rng.normal(size=(24, 8)) + 5 * np.eye(4, 8)[y]
    np.savez("v.npz", x=x, y=y)
    assert told(*words("v.npz"))["top1"]["mean"] > 0.9


def test_too_little_material_is_explained(told, labelled) -> None:
    error = told(*words(labelled), "--n-shot", "50", code=3)["error"]
    assert error["code"] == "too_few_supports"


def test_models_are_listed(told, run) -> None:
    listed = {one["name"]: one for one in told("models", "list")["models"]}
    assert listed["toy-text"]["ready"]
    assert "minilm-l6" in run("models", "list").stdout


def test_pulling_an_encoder_that_is_here_says_it_is_ready(told, run) -> None:
    assert told("models", "pull", "toy-text")["ready"]
    assert told("models", "pull", "no-such", code=4)["error"]["code"] == "encoder_not_found"


def test_the_doctor_finds_a_healthy_workspace_healthy(told, tickets) -> None:
    report = told("doctor")
    verdicts = {one["name"]: one["verdict"] for one in report["findings"]}
    assert report["verdict"] == "ok", report
    assert verdicts["workspace"] == "ok"
    assert set(verdicts) >= {"python", "packages", "disk", "text encoder", "image encoder"}


def test_the_doctor_makes_no_workspace(run, home) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert "All is well." in result.stdout
    assert not home.exists()


def test_the_doctor_finds_a_damaged_workspace_and_exits_8(told, run, home) -> None:
    Path("t.csv").write_text(
        "text,label\n" + "".join(f"text number {i},a\n" for i in range(300)), encoding="utf-8"
    )
    told("import", "t", "t.csv")
    (database,) = [p for p in home.iterdir() if p.suffix in {".db", ".sqlite", ".sqlite3"}]
    content = bytearray(database.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = b"\xa5" * 8192
    database.write_bytes(content)
    result = run("doctor", "--json")
    assert result.exit_code == 8
    assert json.loads(result.stdout)["verdict"] == "corrupt"


def test_the_doctor_advises_when_an_encoder_is_unknown(told, monkeypatch) -> None:
    monkeypatch.setenv("IMPRINT_TEXT_ENCODER", "no-such")
    report = told("doctor", code=1)
    advice = [one["advice"] for one in report["findings"] if one["verdict"] == "failed"]
    assert advice == ["see `imprint models list`"]


def test_adding_what_is_no_model_is_refused(told) -> None:
    assert told("models", "add", "nothing.onnx", code=4)["error"]["code"] == "not_found"
    Path("model.onnx").write_bytes(b"not a model")
    assert told("models", "add", "model.onnx", code=3)["error"]["code"] == "invalid_option"
    Path("model.txt").write_bytes(b"not a model")
    assert told("models", "add", "model.txt", code=3)["error"]["code"] == "invalid_option"
