"""The recorder a loop talks to: resumed runs keep their record, trouble stops no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.train.recording import Recorder
from imprint.train.tracking import Tracker, find_run, list_runs
from train.tracking.records import clock, start

if TYPE_CHECKING:
    from pathlib import Path


def tracker(runs: Path, beside: Path | None = None, **choices: object) -> Tracker:
    return Tracker(runs, beside=beside, environment={}, **choices)  # type: ignore[arg-type]


def test_it_is_a_recorder_as_the_loop_wants_it(tmp_path: Path) -> None:
    one: Recorder = tracker(tmp_path, now=clock())
    one.started(start())
    one.finished("finished", "", {})
    run = list_runs(tmp_path)[0]
    assert (run.method, run.seed, run.content_hash) == ("prototypical", 7, "ab" * 32)
    assert run.n_parameters == 111_936
    assert run.params["method.step.n_way"] == 20
    assert "numpy" in run.versions
    assert run.machine["cores"]


def test_a_resumed_run_goes_on_with_its_record(tmp_path: Path) -> None:
    runs, beside = tmp_path / "runs", tmp_path / "checkpoints"
    first = tracker(runs, beside, now=clock())
    first.started(start())
    first.on_metrics(1, {"loss": 2.0})
    first.finished("interrupted", "ctrl-c", {})
    second = tracker(runs, beside, now=clock(60))
    second.started(start(resumed_at=100))
    second.on_metrics(2, {"loss": 1.0})
    second.finished("finished", "", {})
    assert second.run_id == first.run_id
    run = find_run(runs, "latest")
    assert (run.series["loss"], run.n_resumed) == ([(1, 2.0), (2, 1.0)], 1)


def test_a_fresh_run_in_an_old_folder_gets_a_record_of_its_own(tmp_path: Path) -> None:
    for second in (0, 60):
        one = tracker(tmp_path / "runs", tmp_path / "checkpoints", now=clock(second))
        one.started(start())
        one.finished("finished", "", {})
    assert len(list_runs(tmp_path / "runs")) == 2


def test_a_kept_name_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    runs, beside = tmp_path / "runs", tmp_path / "checkpoints"
    beside.mkdir()
    for content in ('{"run_id": "../checkpoints"}', '{"run_id": ".."}', "[]", "{", '{"run_id": 3}'):
        (beside / "record.json").write_text(content, "utf-8")
        one = tracker(runs, beside, now=clock())
        one.started(start(resumed_at=100))
        one.finished("finished", "", {})
        assert (runs / one.run_id).parent == runs
        assert "prototypical" in one.run_id


def test_a_runs_folder_that_cannot_be_made_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    told: list[str] = []
    one = tracker(tmp_path / "file", say=told.append)
    one.started(start())
    one.on_metrics(1, {"loss": 1.0})
    one.finished("finished", "", {})
    assert len(told) == 1
    assert "no record is kept" in told[0]
