"""Is all well here? Findings about the machine, the packages, the encoders and the workspace."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from imprint.encoders.catalogue import list_encoders, load_encoder
from imprint.errors import CorruptError, ImprintError
from imprint.flows.custody.masters import master_keys
from imprint.flows.workspace import open_workspace
from imprint.intake.decode import to_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.settings import Settings

Verdict = Literal["ok", "warning", "failed", "corrupt"]
CORE = (
    "click",
    "numpy",
    "onnxruntime",
    "onnx",
    "pillow",
    "safetensors",
    "sqlalchemy",
    "tokenizers",
)
SERVE = ("starlette", "uvicorn")
SCARCE_BYTES = 1024**3
EXHAUSTED_BYTES = 100 * 1024**2
N_PROBES = 7


class Finding(NamedTuple):
    """One thing that was looked at. `advice` is empty when there is nothing to do."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, cheapest first; nothing is fetched and no workspace is made."""
    yield _python()
    yield _packages(CORE, "imprint", required=True)
    yield _packages(SERVE, "imprint[serve]", required=False)
    yield _writable("workspace folder", settings.home, "--home or IMPRINT_HOME")
    yield _writable("cache folder", settings.cache, "IMPRINT_CACHE")
    yield _disk(settings.home)
    yield from _encoders(settings)
    yield _workspace(settings)
    yield _encryption(settings)


def worst(findings: list[Finding]) -> Verdict:
    """Sum up: the worst of all verdicts."""
    order: tuple[Verdict, ...] = ("ok", "warning", "failed", "corrupt")
    return max((f.verdict for f in findings), key=order.index, default="ok")


def _python() -> Finding:
    found = (
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} processors"
    )
    if sys.maxsize < 2**32:
        return Finding("python", "failed", found, "use a 64-bit Python")
    return Finding("python", "ok", found)


def _packages(names: tuple[str, ...], extra: str, *, required: bool) -> Finding:
    found: list[str] = []
    missing: list[str] = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    title = "packages" if required else "server packages"
    if not missing:
        return Finding(title, "ok", ", ".join(found))
    lacking = f"missing: {', '.join(missing)}"
    return Finding(
        title,
        "failed" if required else "warning",
        lacking,
        f"pip install '{extra}'" + ("" if required else " (only needed for imprint serve)"),
    )


def _nearest_existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _writable(title: str, folder: Path, name: str) -> Finding:
    place = _nearest_existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"imprint")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return Finding(
            title,
            "failed",
            f"cannot be written: {error.strerror}",
            f"change its owner or choose another folder with {name}",
        )
    return Finding(title, "ok", "writable" if folder.exists() else "not there yet, can be made")


def _disk(folder: Path) -> Finding:
    n_free = shutil.disk_usage(_nearest_existing(folder)).free
    found = f"{n_free / 1024**3:.1f} GiB free"
    if n_free < EXHAUSTED_BYTES:
        return Finding("disk", "failed", found, "free at least 1 GiB before teaching more")
    if n_free < SCARCE_BYTES:
        return Finding("disk", "warning", found, "free some space soon")
    return Finding("disk", "ok", found)


def _encoders(settings: Settings) -> Iterator[Finding]:
    listed = {one.name: one for one in list_encoders(cache_dir=settings.cache)}
    for modality in ("image", "text"):
        name = settings.encoder_for(modality)
        title = f"{modality} encoder"
        if name not in listed:
            yield Finding(title, "failed", f"{name} is not known", "see `imprint models list`")
        elif not listed[name].ready:
            yield Finding(
                title,
                "warning",
                f"{name} is not here yet",
                f"`imprint models pull {name}` fetches it now; otherwise first use does",
            )
        else:
            yield _probe(title, name, settings)


def _probe(title: str, name: str, settings: Settings) -> Finding:
    """Load an encoder that is here and time it on one small sample."""
    try:
        encoder = load_encoder(name, cache_dir=settings.cache, mirror=settings.model_mirror)
        sample = to_sample(_specimen(encoder.modality), encoder.modality)
        times_ms: list[float] = []
        for _ in range(N_PROBES):
            started = time.perf_counter()
            encoder.encode([sample])
            times_ms.append(1000 * (time.perf_counter() - started))
    except CorruptError as error:
        advice = f"`imprint models pull {name}` fetches it anew"
        return Finding(title, "corrupt", str(error), advice)
    except ImprintError as error:
        return Finding(title, "failed", str(error), "see `imprint models list`")
    return Finding(title, "ok", f"{encoder.version}, {statistics.median(times_ms):.1f} ms a sample")


def _specimen(modality: str) -> Any:
    if modality == "text":
        return "a short sentence of about ten words to see how long it takes"
    import numpy as np

    return np.full((64, 64, 3), 127, np.uint8)


def _workspace(settings: Settings) -> Finding:
    if not settings.home.exists():
        return Finding("workspace", "ok", "none yet; the first `imprint teach` makes it")
    try:
        with open_workspace(settings.home, actor="doctor", settings=settings) as workspace:
            report = workspace.check()
            n_collections = len(workspace.collections())
    except CorruptError as error:
        return Finding("workspace", "corrupt", str(error), "restore it from a backup")
    except ImprintError as error:
        return Finding("workspace", "failed", str(error))
    if not report["ok"]:
        problems = "; ".join(report["problems"][:5])
        return Finding("workspace", "corrupt", problems, "restore it from a backup")
    return Finding(
        "workspace", "ok", f"{n_collections} collections, schema {report['schema']}, pages intact"
    )


def _encryption(settings: Settings) -> Finding:
    title = "encryption"
    try:
        named = bool(master_keys(settings))
        state, served = None, False
        if settings.home.exists():
            with open_workspace(settings.home, actor="doctor", settings=settings) as workspace:
                state, served = workspace.operator.keys(), bool(workspace.keys())
    except ImprintError as error:
        return Finding(title, "failed", str(error), "see docs/operations/encryption.md")
    if not named:
        advice = "`imprint keys master create FILE`, then name it in IMPRINT_MASTER_KEY_FILE"
        found = "off: samples lie readable on the disk"
        # Samples of one's own on one's own disk are one's own business.
        return Finding(title, "warning", found, advice) if served else Finding(title, "ok", "off")
    if state is not None and (state.n_with_plain_rows or state.n_old_keys):
        found = f"{state.n_with_plain_rows} tenants with plain rows, {state.n_old_keys} old keys"
        return Finding(title, "warning", found, "`imprint encrypt` seals what is left")
    return Finding(title, "ok", "on")
