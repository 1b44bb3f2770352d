"""The import verb: a summary, a report of every row, and going on after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imprint

SHARED = Path(__file__).parents[2].parent / "shared"


def table(n: int = 20) -> str:
    rows = "".join(f"this is ticket number {i},class {i % 4}\n" for i in range(n))
    Path("train.csv").write_text("text,category\n" + rows, encoding="utf-8")
    return "train.csv"


def test_a_table_makes_the_collection_and_is_found_again(told) -> None:
    outcome = told("import", "intents", table())
    assert (outcome["n_rows"], outcome["taught"], outcome["rejected"]) == (20, 20, 0)
    assert told("import", "intents", table())["present"] == 20
    assert sum(one["n_supports"] for one in told("labels", "intents")["labels"]) == 20


def test_every_row_is_reported_and_the_good_ones_go_in(told, run) -> None:
    Path("t.csv").write_bytes(
        b'text,label\none text,a\n"broken,b\none text,b\n  ,c\ncaf\xe9,d\ntwo text,e\n'
    )
    outcome = told("import", "intents", "t.csv", "--report", "report.jsonl")
    assert {k: outcome[k] for k in ("taught", "conflict", "rejected")} == {
        "taught": 2,
        "conflict": 1,
        "rejected": 3,
    }
    lines = [json.loads(line) for line in Path("report.jsonl").read_text("utf-8").splitlines()]
    assert [line["status"] for line in lines] == [
        "taught", "rejected", "conflict", "rejected", "rejected", "taught",
    ]  # fmt: skip
    assert [line["place"] for line in lines] == [f"line {n}" for n in range(2, 8)]
    shown = run("import", "intents", "t.csv").stdout
    assert "0 taught, 2 already there, 1 in conflict, 3 rejected" in shown
    assert "line 3: rejected" in shown


def test_a_table_of_which_no_row_can_be_taken_exits_3_and_leaves_nothing(told) -> None:
    Path("t.csv").write_text("text,label\n ,a\n ,b\n", encoding="utf-8")
    assert told("import", "intents", "t.csv", code=3)["rejected"] == 2
    assert told("collections", "list") == {"collections": []}


def test_images_in_arrays_are_imported(told) -> None:
    x = np.random.default_rng(0).integers(0, 255, (4, 20, 20), dtype=np.uint8)
    np.savez("digits.npz", x=x, y=np.array([1, 1, 2, 2]))
    assert told("import", "digits", "digits.npz")["taught"] == 4
    assert told("labels", "digits")["labels"] == [
        {"label": "1", "n_supports": 2},
        {"label": "2", "n_supports": 2},
    ]


@pytest.mark.parametrize(
    ("content", "code"), [("one column\nx\n", "invalid_table"), (None, "not_found")]
)
def test_a_table_that_cannot_be_read_is_refused(told, home, content, code) -> None:
    if content:
        Path("t.csv").write_text(content, encoding="utf-8")
    exit_code = 3 if content else 4
    assert told("import", "intents", "t.csv", code=exit_code)["error"]["code"] == code
    assert not home.exists()


def test_vectors_are_no_sources(told) -> None:
    np.savez("v.npz", x=np.ones((3, 4), np.float32), y=np.arange(3))
    assert "vectors" in told("import", "v", "v.npz", code=3)["error"]["message"]


def test_a_batch_out_of_range_is_a_usage_error(run) -> None:
    assert run("import", "intents", table(), "--batch", "0").exit_code == 2


def test_an_import_that_is_killed_is_resumed_without_duplicates(home) -> None:
    n_rows = 1_500
    words = [sys.executable, "-m", "imprint", "import", "intents", table(n_rows), "--batch", "50"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while first.poll() is None and n_taught(home) == 0:
        pass
    first.kill()
    first.wait()
    kept = n_taught(home)
    assert 0 < kept <= n_rows
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True)
    outcome = json.loads(done.stdout)
    assert (outcome["present"], outcome["taught"]) == (kept, n_rows - kept)
    assert n_taught(home) == n_rows


def n_taught(home: Path) -> int:
    if not home.exists():
        return 0
    with imprint.open(home) as workspace:
        if "intents" not in workspace.collections():
            return 0
        return workspace.collection("intents").sequence


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupted_import_says_what_is_kept_and_exits_130(run, monkeypatch) -> None:
    from imprint.flows import bulk

    real = bulk.import_rows

    def interrupted(*words, **choices):
        for i, outcome in enumerate(real(*words, **choices)):
            if i == 10:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(bulk, "import_rows", interrupted)
    result = run("import", "intents", table(), "--batch", "5")
    assert result.exit_code == 130
    assert "stopped after 10 rows" in result.stderr
    assert "again to go on" in result.stderr


@pytest.mark.stress
@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared data are not here")
def test_banking77_goes_in_whole_with_its_repeats_counted(told) -> None:
    outcome = told("import", "intents", str(SHARED / "data" / "banking77" / "train.csv"))
    assert outcome["n_rows"] == 10_003
    assert outcome["taught"] + outcome["present"] == 10_003
    assert outcome["problems"] == []
