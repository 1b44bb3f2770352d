"""Reading records: while they grow, after a kill, and when someone damaged them."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from imprint.errors import CorruptError, InvalidOptionError, NotFoundError
from imprint.train.tracking.folder import END, EVENTS, LOCK, METRICS, START, VERSION, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Status = Literal[
    "running",
    "finished",
    "stopped_early",
    "diverged",
    "interrupted",
    "failed",
    "killed",
    "damaged",
]
ENDINGS: tuple[Status, ...] = ("finished", "stopped_early", "diverged", "interrupted", "failed")
_LATEST = "latest"


@dataclass(frozen=True)
class Artifact:
    """A file a run made, as it was then."""

    name: str
    path: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Run:
    """One run as its folder tells it. `damage` says what could not be read; empty when all could.

    `series` maps a metric to its points (epoch, value), in the order they were kept.
    """

    run_id: str
    status: Status
    method: str
    params: Mapping[str, Any]
    seed: int | None
    content_hash: str
    command: tuple[str, ...]
    git_commit: str | None
    git_dirty: bool
    started_at: str
    ended_at: str
    reason: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    n_parameters: int
    final: Mapping[str, float]
    series: Mapping[str, Sequence[tuple[int, float]]]
    artifacts: tuple[Artifact, ...]
    notes: tuple[str, ...]
    n_resumed: int
    damage: tuple[str, ...]

    @property
    def last(self) -> dict[str, float]:
        """The last kept value of every metric."""
        return {name: points[-1][1] for name, points in self.series.items()}

    @property
    def n_epochs(self) -> int:
        """Number of the last epoch that was kept, counted from what the loop called it."""
        return max((points[-1][0] for points in self.series.values()), default=0)

    @property
    def seconds(self) -> float | None:
        """From the start to the end, or to the last kept line; None when neither is known."""
        try:
            began, ended = (datetime.fromisoformat(t) for t in (self.started_at, self.ended_at))
        except ValueError:
            return None
        return (ended - began).total_seconds()

    def reproduce(self) -> str:
        """The command that gives this run again, with the state of the code it needs."""
        if not self.command:
            return "# started from Python; the settings and the seed above are the whole recipe"
        lines = []
        if self.git_commit:
            lines.append(f"git checkout {self.git_commit}")
        if self.git_dirty:
            lines.append("# the code held changes no commit holds; the run may differ")
        return "\n".join([*lines, shlex.join(self.command)])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; numbers that are not finite as words."""
        shape = asdict(self)
        series = {n: [[e, plain(v)] for e, v in points] for n, points in self.series.items()}
        return shape | {
            "series": series,
            "final": {name: plain(value) for name, value in self.final.items()},
            "last": {name: plain(value) for name, value in self.last.items()},
            "seconds": self.seconds,
            "reproduce": self.reproduce(),
        }


def read_run(folder: Path) -> Run:
    """Read one run. Never raises for what is inside the folder: damage is listed instead."""
    damage: list[str] = []
    start = _document(folder / START, damage)
    if start is not None and start.get("version") != VERSION:
        damage.append(f"{START} is not of a kind this program knows")
    start = start or {}
    alive = _is_locked(folder / LOCK)
    end = {} if alive or not (folder / END).exists() else _document(folder / END, damage) or {}
    metrics = _lines(folder / METRICS, damage)
    events = _lines(folder / EVENTS, damage)
    last_at = max((str(line.get("at", "")) for line in [*metrics, *events]), default="")
    return Run(
        run_id=folder.name,
        status=_status(damage, end, alive=alive),
        method=_words(start, "method"),
        params=_mapping(start.get("params")),
        seed=_whole(start, "seed"),
        content_hash=_words(start, "content_hash"),
        command=_command(start),
        git_commit=_words(start, "git_commit") or None,
        git_dirty=bool(start.get("git_dirty")),
        started_at=_words(start, "started_at"),
        ended_at=_words(end, "ended_at") or last_at,
        reason=_words(end, "reason"),
        machine=_mapping(start.get("machine")),
        versions=_mapping(start.get("versions")),
        n_parameters=_whole(start, "n_parameters") or 0,
        final=_numbers(end.get("metrics")),
        series=_series(metrics),
        artifacts=_artifacts(events),
        notes=tuple(str(line.get("text", "")) for line in events if line.get("event") == "note"),
        n_resumed=sum(line.get("event") == "resumed" for line in events),
        damage=tuple(damage),
    )


def list_runs(runs: Path) -> list[Run]:
    """Every run of a runs directory, newest first; damaged ones among them."""
    return [read_run(runs / name) for name in reversed(_names(runs))]


def find_run(runs: Path, name: str) -> Run:
    """The run of that name, of a name that begins so, or the "latest".

    Raises:
        NotFoundError: there is none.
        InvalidOptionError: several begin so.
        CorruptError: its start cannot be read, so there is nothing to show.
    """
    names = _names(runs)
    found = names[-1:] if name == _LATEST else [n for n in names if n == name]
    found = found or [n for n in names if name and n.startswith(name)]
    if not found:
        raise NotFoundError(f"no such run among {len(names)}; `imprint train list` names them")
    if len(found) > 1:
        raise InvalidOptionError(f"{len(found)} runs begin so; give more of the name")
    run = read_run(runs / found[0])
    if not run.started_at:
        raise CorruptError(f"the record of this run is damaged: {'; '.join(run.damage)}")
    return run


def _names(runs: Path) -> list[str]:
    """Folders that hold a record, or what is left of one; others may lie beside them."""
    if not runs.is_dir():
        return []
    kept = (START, METRICS, END, LOCK)
    return sorted(p.name for p in runs.iterdir() if any((p / name).exists() for name in kept))


def _status(damage: Sequence[str], end: Mapping[str, Any], *, alive: bool) -> Status:
    if alive:
        return "running"
    if damage:
        return "damaged"
    return next((ending for ending in ENDINGS if ending == end.get("status")), "killed")


def _is_locked(path: Path) -> bool:
    """Tell whether a living process holds the run; a run that cannot be locked counts as not."""
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0.05, poll_interval=0.01)  # another reader may be looking as well
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _document(path: Path, damage: list[str]) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        damage.append(f"{path.name} is missing")
        return None
    except (OSError, ValueError, RecursionError):
        damage.append(f"{path.name} cannot be read")
        return None
    if not isinstance(found, dict):
        damage.append(f"{path.name} holds no record")
        return None
    return found


def _lines(path: Path, damage: list[str]) -> list[dict[str, Any]]:
    """Whole lines of a growing file. A torn last line is being written, or was when killed."""
    try:
        rows = path.read_bytes().split(b"\n") if path.exists() else []
    except OSError:
        damage.append(f"{path.name} cannot be read")
        return []
    found, n_bad = [], 0
    for row in rows[:-1]:
        line = _parsed(row)
        found += [line] if line is not None else []
        n_bad += line is None
    # Every kill may tear one line, and resuming closes it; more than that is damage.
    if n_bad > sum(line.get("event") == "resumed" for line in _resumptions(path)):
        damage.append(f"{path.name}: {n_bad} of {len(rows) - 1} lines cannot be read")
    return found


def _resumptions(path: Path) -> list[dict[str, Any]]:
    try:
        rows = (path.parent / EVENTS).read_bytes().split(b"\n")
    except OSError:
        return []
    return [line for row in rows if (line := _parsed(row)) is not None]


def _parsed(row: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(row)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _series(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Points per metric. After a resumption an epoch may come twice: the later one counts."""
    points: dict[str, dict[int, float]] = {}
    for line in lines:
        epoch = line.get("epoch")
        if not isinstance(epoch, int):
            continue
        for name, value in line.items():
            if name in {"epoch", "at"} or (number := _number(value)) is None:
                continue
            points.setdefault(name, {})[epoch] = number
    return {name: sorted(kept.items()) for name, kept in points.items()}


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if value in {"nan", "inf", "-inf"} else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number no measurement can give
        return None


def _numbers(value: object) -> dict[str, float]:
    found = {name: _number(one) for name, one in _mapping(value).items()}
    return {name: number for name, number in found.items() if number is not None}


def _artifacts(events: Sequence[Mapping[str, Any]]) -> tuple[Artifact, ...]:
    """The last state of every artifact, by name and place."""
    kept = {}
    for line in events:
        if line.get("event") == "artifact":
            name, path = str(line.get("name", "")), str(line.get("path", ""))
            size = line.get("bytes")
            n_bytes = size if isinstance(size, int) else 0
            kept[name, path] = Artifact(name, path, n_bytes, str(line.get("sha256", "")))
    return tuple(kept.values())


def _words(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    return found if isinstance(found, str) else ""


def _whole(document: Mapping[str, Any], name: str) -> int | None:
    found = document.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _command(start: Mapping[str, Any]) -> tuple[str, ...]:
    found = start.get("command")
    return tuple(str(word) for word in found) if isinstance(found, list) else ()


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
