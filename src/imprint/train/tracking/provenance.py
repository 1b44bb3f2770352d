"""Where numbers come from: the code's commit, the machine, the versions, the material."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from imprint.train.recording import RunStart

DECIDING = ("imprint", "torch", "numpy", "pytorch-metric-learning", "kornia", "peft")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a run come from; enough to start it again. Plain JSON values.

    Attributes:
        run_id: name of the run, unique in its runs directory, sorted by time.
        method: the training method, as `imprint train METHOD` names it.
        params: every setting by dotted name.
        seed: where all randomness of the run comes from; None when the settings name none.
        content_hash: SHA-256 of all material trained on, empty when it was not taken.
        n_parameters: numbers that were trained.
        command: words of the command line that reproduces the run; empty when there is none.
        started_at: aware UTC, ISO 8601.
        git_commit: commit of the code that ran; None outside a checkout.
        git_dirty: the checkout held changes that no commit holds.
        machine: processor, memory, system, and what the caller adds, such as the accelerator.
        versions: installed versions of what decides the numbers.
    """

    run_id: str
    method: str
    params: Mapping[str, Any]
    seed: int | None = None
    content_hash: str = ""
    n_parameters: int = 0
    command: tuple[str, ...] = ()
    started_at: str = ""
    git_commit: str | None = None
    git_dirty: bool = False
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def origin_of(
    start: RunStart,
    run_id: str,
    now: datetime,
    *,
    command: Sequence[str] = (),
    machine: Mapping[str, str] | None = None,
) -> Origin:
    """Join what the loop says with what is read here: commit, machine and versions."""
    commit, dirty = git_state()
    seed = start.params.get("run.seed")
    return Origin(
        run_id=run_id,
        method=start.method,
        params=dict(start.params),
        seed=seed if isinstance(seed, int) else None,
        content_hash=start.data_hash,
        n_parameters=start.n_parameters,
        command=tuple(command),
        started_at=now.isoformat(timespec="milliseconds"),
        git_commit=commit,
        git_dirty=dirty,
        machine=machine_facts() | dict(machine or {}),
        versions=installed(),
    )


def git_state(folder: Path | None = None) -> tuple[str | None, bool]:
    """Commit of the checkout that holds `folder` (this package without), and whether it is dirty.

    Files that git does not track count as dirty only when they are Python: a run may well write
    its own records inside the checkout.
    """
    here = folder or Path(__file__).parent
    commit = _git(here, "rev-parse", "HEAD")
    if commit is None:
        return None, False
    changed = _git(here, "status", "--porcelain") or ""
    lines = [line for line in changed.splitlines() if line[:2] != "??" or line.endswith(".py")]
    return commit.strip(), bool(lines)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def machine_facts() -> dict[str, str]:
    """Processor, cores, memory and system, in words."""
    facts = {
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        facts["memory"] = f"{n_bytes / 2**30:.0f} GiB"
    return facts


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def installed(names: Iterable[str] = DECIDING) -> dict[str, str]:
    """Versions of those distributions that are installed; nothing is imported."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def hash_of_files(root: Path, names: Iterable[str] | None = None) -> str:
    """One hash of a file, or of the files under a folder: relative names and bytes, sorted.

    `names` keeps to some of them. The place of the folder and the times of its files do not count.
    """
    if root.is_file():
        return f"sha256:{sha256_of(root)}"
    chosen = names or (p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for name in sorted(chosen):
        digest.update(f"{name}\0{sha256_of(root / name)}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def hash_of_arrays(*arrays: npt.ArrayLike) -> str:
    """One hash of arrays: kind, shape and values of each, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        solid = np.ascontiguousarray(array)
        digest.update(f"{solid.dtype.str}{solid.shape}".encode())
        digest.update(solid.data if solid.size else b"")
    return f"sha256:{digest.hexdigest()}"
