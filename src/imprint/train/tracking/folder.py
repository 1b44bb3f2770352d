"""The embedded recorder: one folder per run, readable while it runs, whole after a kill.

RUNS/RUN/run.json       how it started; written once, renamed into place
RUNS/RUN/metrics.jsonl  one line per epoch, flushed as it happens
RUNS/RUN/events.jsonl   artifacts, notes, resumptions
RUNS/RUN/end.json       how it ended; absent while it runs and after a kill
RUNS/RUN/alive.lock     locked by the process that trains; the kernel frees it when that dies
"""

from __future__ import annotations

import json
import math
import os
import secrets
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from imprint.errors import ConflictError, StorageFullError
from imprint.train.tracking.provenance import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imprint.train.tracking.provenance import Origin

START, METRICS, EVENTS, END, LOCK = (
    "run.json",
    "metrics.jsonl",
    "events.jsonl",
    "end.json",
    "alive.lock",
)
VERSION = "run.v1"


def utc_now() -> datetime:
    """The clock of the records."""
    return datetime.now(UTC)


def new_run_id(method: str, now: datetime) -> str:
    """A name that sorts by time and that two runs started at once do not share."""
    return f"{now:%Y%m%d-%H%M%S}-{method}-{secrets.token_hex(3)}"


class FolderRecorder:
    """Keeps a run in a folder of its own; the default, nothing to install.

    A full disk does not stop the training: the first failure is told through `say`, later ones
    are silent.
    """

    def __init__(
        self,
        runs: Path,
        origin: Origin,
        *,
        now: Callable[[], datetime] = utc_now,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open the folder of a new run, or go on with one that was cut short.

        Raises:
            ConflictError: a living process trains this very run.
            StorageFullError: the folder cannot be made.
        """
        self.folder = runs / origin.run_id
        self._now, self._say, self._told = now, say, False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.folder / LOCK, thread_local=False)
            self._lock.acquire(timeout=1.0)  # a reader that looks whether we live holds it briefly
        except Timeout:
            raise ConflictError(
                "this run is still training in another process; wait for it, or stop it first"
            ) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StorageFullError(f"no record of the run can be kept: {reason}") from error
        if (self.folder / START).exists():
            self._resume()
        else:
            write_whole(self.folder / START, {"version": VERSION, **asdict(origin)})

    def on_metrics(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Append one line; numbers that are not finite are kept as words."""
        line = {"epoch": epoch, "at": self._stamp()}
        self._append(METRICS, line | {name: plain(value) for name, value in metrics.items()})

    def on_artifact(self, name: str, path: Path) -> None:
        """Keep what identifies a file: its hash decides, its place may change."""
        try:
            fact = {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        except OSError as error:
            self.note(f"artifact {name} could not be read: {error.strerror}")
            return
        self._append(EVENTS, {"event": "artifact", "at": self._stamp(), "name": name, **fact})

    def note(self, text: str) -> None:
        """Append a sentence."""
        self._append(EVENTS, {"event": "note", "at": self._stamp(), "text": text})

    def finished(self, status: str, reason: str, metrics: Mapping[str, float]) -> None:
        """Write how it ended and let go of the folder; a second call changes nothing."""
        if not self._lock.is_locked:
            return
        try:
            final = {name: plain(value) for name, value in metrics.items()}
            ended = {"status": status, "reason": reason, "metrics": final}
            write_whole(self.folder / END, ended | {"ended_at": self._stamp()})
        except OSError as error:
            self._fails(error)
        self._lock.release()

    def _resume(self) -> None:
        """Close lines a kill tore, and move an earlier ending among the events."""
        for name in (METRICS, EVENTS):
            heal(self.folder / name)
        earlier: Any = None
        with suppress(OSError, ValueError):
            earlier = json.loads((self.folder / END).read_text("utf-8"))
        self._append(EVENTS, {"event": "resumed", "at": self._stamp(), "after": earlier})
        (self.folder / END).unlink(missing_ok=True)

    def _append(self, name: str, line: dict[str, Any]) -> None:
        try:
            # One write of one whole line: a reader sees all of it or none.
            with (self.folder / name).open("ab") as file:
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            self._fails(error)

    def _fails(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            reason = error.strerror or type(error).__name__
            self._say(f"the record of this run is incomplete from here on: {reason}")

    def _stamp(self) -> str:
        return self._now().isoformat(timespec="milliseconds")


def plain(value: float) -> float | str:
    """JSON has no infinity and no NaN; "nan" and "inf" say it."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def heal(path: Path) -> None:
    """End a last line that a kill left without its line break, so that the next stands alone."""
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write beside the target, flush to the disk, rename over it."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, indent=1, default=str)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
