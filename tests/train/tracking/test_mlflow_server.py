"""Runs arrive at a real MLflow server on loopback; a server that is away stops no training."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from imprint.train.tracking import MlflowRecorder, Origin, Tracker, list_runs
from train.tracking.records import clock, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Run

# The client alone (mlflow-skinny) brings no server.
needs_mlflow = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("mlflow", "flask", "uvicorn")),
    reason="mlflow with its server is not installed",
)
# The client and its own dependencies warn about each other; that is theirs to mend.
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=1) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with a database of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder / 'runs.db'}"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        cwd=folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    give_up = time.monotonic() + 180
    while not answers(address):
        if process.poll() is not None or time.monotonic() > give_up:
            pytest.fail(f"the MLflow server did not start: {(folder / 'log').read_text()[-2000:]}")
        process_is_starting(process)
    yield address
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
    log.close()


def process_is_starting(process: subprocess.Popen[bytes]) -> None:
    """Give the server a moment; returns at once when it has ended."""
    try:
        process.wait(0.3)
    except subprocess.TimeoutExpired:
        return


def found(client: MlflowClient, run_id: str) -> Run:
    experiment = client.get_experiment_by_name("imprint")
    assert experiment is not None
    wanted = f"tags.`imprint.run_id` = '{run_id}'"
    (run,) = client.search_runs([experiment.experiment_id], wanted)
    return run


@needs_mlflow
def test_a_run_arrives_whole_and_is_gone_on_with(  # noqa: PLR0915 - one story
    server: str, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    told: list[str] = []
    weights = tmp_path / "best.bin"
    weights.write_bytes(b"weights")
    names = []
    for resumed_at in (None, 100):
        tracker = Tracker(
            tmp_path / "runs",
            command=("imprint", "train", "prototypical"),
            beside=tmp_path / "checkpoints",
            environment={"MLFLOW_TRACKING_URI": server},
            say=told.append,
        )
        tracker.started(start(resumed_at))
        first = 1 if resumed_at is None else 3
        for epoch in (first, first + 1):
            tracker.on_metrics(epoch, {"loss": 1.0 / epoch, "rate": float("nan")})
        if resumed_at is None:
            tracker.finished("interrupted", "ctrl-c", {})
        else:
            tracker.on_artifact("best", weights)
            tracker.finished("finished", "its steps are over", {"test_accuracy": 0.75})
        names.append(tracker.run_id)
    assert told == []
    assert names[0] == names[1]
    client = MlflowClient(tracking_uri=server)
    run = found(client, names[0])
    assert run.info.status == "FINISHED"
    assert run.data.params["method.step.n_way"] == "20"
    assert run.data.params["method"] == "prototypical"
    assert run.data.metrics["final_test_accuracy"] == 0.75
    assert run.data.tags["imprint.content_hash"] == "ab" * 32
    assert run.data.tags["imprint.command"] == "imprint train prototypical"
    losses = client.get_metric_history(run.info.run_id, "loss")
    assert sorted((m.step, m.value) for m in losses) == [(e, 1.0 / e) for e in (1, 2, 3, 4)]
    (kept,) = client.list_artifacts(run.info.run_id, "best")
    assert kept.file_size == len(b"weights")
    assert len(run.data.tags["imprint.sha256.best"]) == 64
    assert list_runs(tmp_path / "runs")[0].status == "finished"


@needs_mlflow
def test_a_server_that_is_away_is_told_once_and_the_folder_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told: list[str] = []
    tracker = Tracker(
        tmp_path,
        environment={"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"},
        say=told.append,
        now=clock(),
    )
    tracker.started(start())
    for epoch in (1, 2, 3):
        tracker.on_metrics(epoch, {"loss": 1.0})
    tracker.finished("finished", "", {})
    assert len(told) == 1
    assert "training goes on" in told[0]
    (run,) = list_runs(tmp_path)
    assert (run.status, run.n_epochs) == ("finished", 3)


def test_a_server_that_accepts_and_never_answers_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        told: list[str] = []
        uri = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        origin = Origin("one", "toy", {})
        recorder = MlflowRecorder(uri, origin, say=told.append, last_wait_s=0.2)
        recorder.on_metrics(1, {"loss": 1.0})
        recorder.finished("finished", "", {})
        assert len(told) == 1
