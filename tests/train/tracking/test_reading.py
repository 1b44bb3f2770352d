"""Records that someone or something damaged are listed as such and never crash a listing."""

from __future__ import annotations

import json
import sys
from subprocess import run as execute
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imprint.errors import CorruptError, InvalidOptionError, NotFoundError
from imprint.train.tracking import find_run, list_runs, read_run
from imprint.train.tracking.comparing import shown_of
from imprint.train.tracking.folder import END, EVENTS, METRICS, START
from train.tracking.records import kept

if TYPE_CHECKING:
    from pathlib import Path


def test_reading_records_needs_no_torch() -> None:
    program = "import sys, imprint.train.tracking; print('torch' in sys.modules)"
    done = execute([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_folder_without_runs_lists_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    assert list_runs(tmp_path) == []
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", [START, END, METRICS, EVENTS])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff\n\n", b"[1, 2]\n", b"null\n"])
def test_a_damaged_file_is_listed_and_hides_no_other_run(
    tmp_path: Path, name: str, content: bytes
) -> None:
    good, bad = kept(tmp_path), kept(tmp_path, second=60)
    (tmp_path / bad / name).write_bytes(content)
    found = {run.run_id: run for run in list_runs(tmp_path)}
    assert found[good].status == "finished"
    whole = {(METRICS, b""), (METRICS, b"{"), (EVENTS, b""), (EVENTS, b"{")}  # ends torn or empty
    if (name, content) not in whole:
        assert found[bad].status == "damaged"
        assert name in found[bad].damage[0]


def test_a_run_without_its_start_is_damaged_and_cannot_be_shown(tmp_path: Path) -> None:
    name = kept(tmp_path)
    (tmp_path / name / START).unlink()
    assert list_runs(tmp_path)[0].damage == (f"{START} is missing",)
    with pytest.raises(CorruptError, match="damaged"):
        find_run(tmp_path, name)


def test_a_start_of_another_kind_is_not_guessed_at(tmp_path: Path) -> None:
    name = kept(tmp_path)
    document = json.loads((tmp_path / name / START).read_text("utf-8"))
    (tmp_path / name / START).write_text(json.dumps(document | {"version": "run.v9"}), "utf-8")
    assert read_run(tmp_path / name).status == "damaged"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
START_FIELDS = ["version", "method", "params", "seed", "content_hash", "command", "machine"]
START_FIELDS += ["versions", "git_commit", "n_parameters", "started_at"]
OTHER_FIELDS = ["epoch", "event", "metrics", "status", "at", "name", "bytes", "path", "text"]
OTHER_FIELDS += ["loss", "ended_at", "reason"]


def documents(names: list[str]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents(START_FIELDS), documents(OTHER_FIELDS), st.sampled_from([END, METRICS, EVENTS]))
def test_no_record_crashes_a_listing_or_a_comparison(
    tmp_path: Path, start: dict[str, object], other: dict[str, object], name: str
) -> None:
    folder = tmp_path / "strange"
    folder.mkdir(exist_ok=True)
    whole: dict[str, object] = {"version": "run.v1", "started_at": "x"}
    (folder / START).write_text(json.dumps(whole | start), "utf-8")
    (folder / name).write_text(json.dumps(other) + "\n", "utf-8")
    for run in list_runs(tmp_path):
        json.dumps(run.to_json()["series"], allow_nan=False)
        assert shown_of(run)


def test_a_run_is_found_by_name_beginning_and_as_the_latest(tmp_path: Path) -> None:
    first, second = kept(tmp_path), kept(tmp_path, second=60)
    assert find_run(tmp_path, first).run_id == first
    assert find_run(tmp_path, second[:-3]).run_id == second
    assert find_run(tmp_path, "latest").run_id == second
    with pytest.raises(InvalidOptionError, match="2 runs"):
        find_run(tmp_path, "2026")
    for name in ("nope", "", "..", "../elsewhere"):
        with pytest.raises(NotFoundError):
            find_run(tmp_path, name)


def test_a_run_tells_the_command_that_gives_it_again(tmp_path: Path) -> None:
    run = find_run(tmp_path, kept(tmp_path))
    assert run.reproduce().splitlines()[-1] == "imprint train prototypical --data 'my photos'"
    if run.git_commit:
        assert f"git checkout {run.git_commit}" in run.reproduce()


def test_a_run_knows_how_long_it_took(tmp_path: Path) -> None:
    run = find_run(tmp_path, kept(tmp_path))
    assert run.seconds is not None
    assert 0 < run.seconds < 60
    assert run.n_epochs == 3
