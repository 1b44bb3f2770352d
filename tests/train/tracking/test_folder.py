"""The embedded recorder survives kills, full folders and two processes at once."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from imprint.errors import ConflictError
from imprint.train.tracking import FolderRecorder, Origin, list_runs, read_run
from imprint.train.tracking.folder import EVENTS, METRICS
from train.tracking.records import clock

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = Origin("one", "prototypical", {"run.seed": 7}, 7, "ab" * 32, started_at="2026-01-02")
CHILD = """
import sys, time
from pathlib import Path
from imprint.train.tracking import FolderRecorder, Origin
recorder = FolderRecorder(Path(sys.argv[1]), Origin("one", "toy", {}, started_at="2026-01-02"))
for epoch in range(1, 1_000_000):
    recorder.on_metrics(epoch, {"loss": 1.0 / epoch})
    if epoch == 100:
        print("ready", flush=True)
"""


def test_a_run_reads_back_as_it_was_kept(tmp_path: Path) -> None:
    recorder = FolderRecorder(tmp_path, ORIGIN, now=clock())
    weights = tmp_path / "best.bin"
    weights.write_bytes(b"weights")
    recorder.on_metrics(1, {"loss": 2.0, "rate": float("nan")})
    recorder.on_metrics(2, {"loss": 1.0})
    recorder.on_artifact("best", weights)
    recorder.note("a sentence")
    recorder.finished("stopped_early", "nothing got better", {"test_accuracy": 0.5})
    run = read_run(tmp_path / "one")
    assert (run.status, run.reason) == ("stopped_early", "nothing got better")
    assert run.series["loss"] == [(1, 2.0), (2, 1.0)]
    assert run.series["rate"][0][1] != run.series["rate"][0][1]
    assert run.final == {"test_accuracy": 0.5}
    assert run.notes == ("a sentence",)
    assert run.artifacts[0].sha256 == hashlib.sha256(b"weights").hexdigest()
    assert run.artifacts[0].n_bytes == 7


def test_a_run_can_be_read_while_it_runs(tmp_path: Path) -> None:
    recorder = FolderRecorder(tmp_path, ORIGIN, now=clock())
    recorder.on_metrics(1, {"loss": 2.0})
    run = read_run(tmp_path / "one")
    assert (run.status, run.last) == ("running", {"loss": 2.0})
    recorder.finished("finished", "", {})
    assert read_run(tmp_path / "one").status == "finished"


def test_what_a_killed_process_kept_is_whole_and_told_as_killed(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert read_run(tmp_path / "one").status == "running"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    run = read_run(tmp_path / "one")
    assert run.status == "killed"
    assert run.damage == ()
    points = run.series["loss"]
    assert len(points) >= 100
    assert points == [(epoch, 1.0 / epoch) for epoch in range(1, len(points) + 1)]


def test_a_killed_run_is_gone_on_with_and_its_torn_line_harms_nothing(tmp_path: Path) -> None:
    first = FolderRecorder(tmp_path, ORIGIN, now=clock())
    first.on_metrics(1, {"loss": 3.0})
    first.finished("interrupted", "ctrl-c", {})
    with (tmp_path / "one" / METRICS).open("ab") as file:
        file.write(b'{"epoch": 2, "lo')
    again = FolderRecorder(tmp_path, ORIGIN, now=clock(60))
    assert read_run(tmp_path / "one").status == "running"
    again.on_metrics(2, {"loss": 2.0})
    again.finished("finished", "", {})
    run = read_run(tmp_path / "one")
    assert (run.status, run.n_resumed, run.damage) == ("finished", 1, ())
    assert run.series["loss"] == [(1, 3.0), (2, 2.0)]
    after = json.loads((tmp_path / "one" / EVENTS).read_text("utf-8").splitlines()[0])["after"]
    assert after["status"] == "interrupted"


def test_an_epoch_told_twice_counts_as_told_last(tmp_path: Path) -> None:
    recorder = FolderRecorder(tmp_path, ORIGIN, now=clock())
    for epoch, loss in ((1, 3.0), (2, 2.0), (2, 1.5), (3, 1.0)):
        recorder.on_metrics(epoch, {"loss": loss})
    assert read_run(tmp_path / "one").series["loss"] == [(1, 3.0), (2, 1.5), (3, 1.0)]
    recorder.finished("finished", "", {})


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    first = FolderRecorder(tmp_path, ORIGIN, now=clock())
    with pytest.raises(ConflictError, match="still training"):
        FolderRecorder(tmp_path, ORIGIN, now=clock())
    first.finished("finished", "", {})


def test_runs_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    gate = threading.Barrier(6)

    def keep(number: int) -> None:
        gate.wait()
        recorder = FolderRecorder(tmp_path, Origin(f"run-{number}", "toy", {}, started_at="x"))
        for epoch in range(1, 51):
            recorder.on_metrics(epoch, {"loss": float(number)})
        recorder.finished("finished", "", {})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(keep, range(6)))
    found = list_runs(tmp_path)
    assert [run.run_id for run in found] == [f"run-{n}" for n in (5, 4, 3, 2, 1, 0)]
    for run in found:
        number = float(run.run_id[-1])
        assert run.series["loss"] == [(epoch, number) for epoch in range(1, 51)]


def test_a_folder_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    recorder = FolderRecorder(tmp_path, ORIGIN, now=clock(), say=told.append)
    (tmp_path / "one" / METRICS).mkdir()
    recorder.on_metrics(1, {"loss": 1.0})
    recorder.on_metrics(2, {"loss": 1.0})
    recorder.finished("finished", "", {})
    assert len(told) == 1
    assert "incomplete" in told[0]


def test_ending_twice_keeps_the_first_ending(tmp_path: Path) -> None:
    recorder = FolderRecorder(tmp_path, ORIGIN, now=clock())
    recorder.finished("diverged", "the loss was nan", {})
    recorder.finished("finished", "", {})
    assert read_run(tmp_path / "one").status == "diverged"
