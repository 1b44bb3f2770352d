"""The MLflow recorder: what a run keeps, sent to a tracking server from a thread of its own.

MLflow answers over a network, so nothing here is ever waited for by the training: calls are put
into a queue, and when the server is away the run says so once and goes on. The folder record is
kept in any case and is complete.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imprint.train.tracking.provenance import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from imprint.train.tracking.provenance import Origin

VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT = "imprint"
LAST_WAIT_S = 30.0
_MOST_CHARACTERS = 500  # MLflow refuses longer params and cuts longer tags
_ENDINGS = {"finished": "FINISHED", "stopped_early": "FINISHED", "interrupted": "KILLED"}


class MlflowRecorder:
    """Sends a run to the server of `MLFLOW_TRACKING_URI`, in order, without making it wait."""

    def __init__(
        self,
        uri: str,
        origin: Origin,
        *,
        say: Callable[[str], None] = lambda _: None,
        last_wait_s: float = LAST_WAIT_S,
    ) -> None:
        self._uri, self._origin, self._say, self._last_wait_s = uri, origin, say, last_wait_s
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._client: Any = None
        self._run_id = ""
        self._away = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._send_all, name="imprint-mlflow", daemon=True)
        self._thread.start()

    def on_metrics(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Send the finite numbers of one epoch."""
        kept = {name: float(v) for name, v in metrics.items() if math.isfinite(v)}
        self._waiting.put(lambda: self._send_metrics(epoch, kept))

    def on_artifact(self, name: str, path: Path) -> None:
        """Upload a file and keep its SHA-256 as a tag."""
        self._waiting.put(lambda: self._send_artifact(name, path))

    def note(self, text: str) -> None:
        """Send a sentence as a tag; the last one stays."""
        self._waiting.put(lambda: self._client.set_tag(self._run_id, "imprint.note", text[:5000]))

    def finished(self, status: str, reason: str, metrics: Mapping[str, float]) -> None:
        """Send the final figures and the ending; wait for the queue, at most `last_wait_s`."""
        if self._ended:
            return
        self._ended = True
        final = {f"final_{name}": value for name, value in metrics.items()}
        self.on_metrics(0, final)
        self._waiting.put(lambda: self._send_end(status, reason))
        self._waiting.put(None)
        if self._away.is_set():
            return
        self._thread.join(self._last_wait_s)
        if self._thread.is_alive():
            self._tell(f"did not take everything within {self._last_wait_s:.0f} s")

    def _send_all(self) -> None:
        """Body of the thread: open the run, then send one thing after another."""
        try:
            self._open()
            while (sending := self._waiting.get()) is not None:
                sending()
        except ImportError:
            self._tell("needs the mlflow package, which is not installed")
        except Exception as error:  # noqa: BLE001 - whatever a server does, training goes on
            self._tell(f"does not answer ({type(error).__name__})")

    def _tell(self, what: str) -> None:
        if not self._away.is_set():
            self._away.set()
            self._say(f"MLflow {what}; training goes on, the record in the runs folder is complete")

    def _open(self) -> None:
        # Without these a server that is away holds the thread for many minutes; yours stay.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient

        origin = self._origin
        self._client = MlflowClient(tracking_uri=self._uri)
        experiment = self._experiment()
        wanted = f"tags.`imprint.run_id` = '{origin.run_id}'"
        earlier = self._client.search_runs([experiment], wanted, max_results=1)
        if earlier:  # the run was cut short and is gone on with
            self._run_id = earlier[0].info.run_id
            self._client.update_run(self._run_id, status="RUNNING")
            return
        run = self._client.create_run(experiment, tags=tags_of(origin), run_name=origin.run_id)
        self._run_id = run.info.run_id
        for name, value in params_of(origin).items():
            self._client.log_param(self._run_id, name, value)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except Exception:  # two runs that start together both try: one of them wins
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def _send_metrics(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run_id, name, value, step=epoch)

    def _send_artifact(self, name: str, path: Path) -> None:
        if path.exists():  # a checkpoint may be replaced before its turn comes
            self._client.set_tag(self._run_id, f"imprint.sha256.{name}", sha256_of(path))
            self._client.log_artifact(self._run_id, str(path), name)

    def _send_end(self, status: str, reason: str) -> None:
        if reason:
            self._client.set_tag(self._run_id, "imprint.reason", reason[:5000])
        self._client.set_terminated(self._run_id, _ENDINGS.get(status, "FAILED"))


def params_of(origin: Origin) -> dict[str, str]:
    """What MLflow shows as parameters: the settings of the method, and the seed."""
    given = {"method": origin.method, "seed": origin.seed, **origin.params}
    return {name: str(value)[:_MOST_CHARACTERS] for name, value in given.items()}


def tags_of(origin: Origin) -> dict[str, str]:
    """Everything else of the start, as tags; `mlflow.source.git.commit` is MLflow's own name."""
    facts = asdict(origin)
    tags = {f"imprint.{name}": str(facts[name]) for name in ("run_id", "content_hash", "git_dirty")}
    tags["imprint.command"] = " ".join(origin.command)
    tags |= {f"imprint.machine.{name}": value for name, value in origin.machine.items()}
    tags |= {f"imprint.version.{name}": value for name, value in origin.versions.items()}
    if origin.git_commit:
        tags["mlflow.source.git.commit"] = origin.git_commit
    return {name: value[:_MOST_CHARACTERS] for name, value in tags.items()}
