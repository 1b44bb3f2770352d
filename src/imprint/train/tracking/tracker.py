"""The recorder a training loop talks to: a folder always, MLflow when a server is named."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from imprint.errors import ImprintError
from imprint.train.tracking.folder import FolderRecorder, new_run_id, utc_now
from imprint.train.tracking.mlflow_server import VARIABLE, MlflowRecorder
from imprint.train.tracking.provenance import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from imprint.train.recording import RunStart

KEPT_AS = "record.json"


class Tracker:
    """Keeps a run under `runs`; satisfies `imprint.train.recording.Recorder`.

    `beside` is the folder of the run's checkpoints: the name of the record is kept there, so that
    a resumed run goes on with its record. `command` holds the words that reproduce the run. No
    failure here stops a training: it is told through `say`, and the training goes on.
    """

    def __init__(
        self,
        runs: Path,
        *,
        command: Sequence[str] = (),
        beside: Path | None = None,
        machine: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
        environment: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._runs, self._beside, self._command = runs, beside, tuple(command)
        self._machine, self._say, self._now = dict(machine or {}), say, now
        self._environment = os.environ if environment is None else environment
        self._recorders: list[FolderRecorder | MlflowRecorder] = []
        self.run_id = ""

    def started(self, start: RunStart) -> None:
        """Open the records, or go on with those of a run that was cut short."""
        earlier = self._kept_name() if start.resumed_at is not None else ""
        self.run_id = earlier or new_run_id(start.method, self._now())
        origin = origin_of(
            start, self.run_id, self._now(), command=self._command, machine=self._machine
        )
        try:
            self._recorders = [FolderRecorder(self._runs, origin, now=self._now, say=self._say)]
            self._keep_name()
        except ImprintError as error:
            self._say(f"no record is kept: {error}")
        if uri := self._environment.get(VARIABLE, "").strip():
            self._recorders.append(MlflowRecorder(uri, origin, say=self._say))

    def on_metrics(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep the numbers of one epoch."""
        for one in self._recorders:
            one.on_metrics(epoch, metrics)

    def on_artifact(self, name: str, path: Path) -> None:
        """Keep what identifies a file the run made."""
        for one in self._recorders:
            one.on_artifact(name, path)

    def note(self, text: str) -> None:
        """Keep a sentence."""
        for one in self._recorders:
            one.note(text)

    def finished(self, status: str, reason: str, metrics: Mapping[str, float]) -> None:
        """Keep how the run ended, and its final figures."""
        for one in self._recorders:
            one.finished(status, reason, metrics)

    def _kept_name(self) -> str:
        """The record the checkpoints belong to; empty when it cannot be told."""
        try:
            found = json.loads(((self._beside or self._runs) / KEPT_AS).read_text("utf-8"))
            name = str(found["run_id"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        plain = re.fullmatch(r"\w[\w.-]*", name) is not None
        return name if plain and (self._runs / name).is_dir() else ""

    def _keep_name(self) -> None:
        if self._beside is None:
            return
        try:
            self._beside.mkdir(parents=True, exist_ok=True)
            kept = json.dumps({"run_id": self.run_id}) + "\n"
            (self._beside / KEPT_AS).write_text(kept, encoding="utf-8")
        except OSError as error:
            self._say(f"a resumed run will start a record of its own: {error.strerror}")
