"""The model cache: raw weights by hash, built encoders by version, names that point at versions.

    <cache>/weights/<sha256>              files as fetched, each with the hash it is named by
    <cache>/encoders/<name>@<hash>/       card.json and the files it lists, each hash-checked
    <cache>/names/<name>.json             an added encoder's name and the version it stands for
    <cache>/choices/<family>.json         which variant was measured faster here
    <cache>/locks/                        one lock file per thing being made

Folders are made under a temporary name and renamed, so a kill leaves either nothing or a whole
entry; the leftovers are cleared by whoever builds next.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imprint.encoders.weights.files import disk_errors, sha256_of, version_of, write_json
from imprint.errors import BusyError, InvalidNameError, ModelHashError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CARD = "card.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOCK_TIMEOUT_S = 900.0

Card = dict[str, Any]


class ModelCache:
    """One cache folder. Nothing is created until something is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def weight(self, sha256: str) -> Path:
        """Where the raw file with this hash lives, whether or not it is there yet."""
        return self._root / "weights" / sha256

    def folder(self, version: str) -> Path:
        """Where a built encoder lives, whether or not it is there yet."""
        return self._root / "encoders" / version

    def has(self, version: str) -> bool:
        """Whether this version has been built or added here."""
        return (self.folder(version) / CARD).is_file()

    def versions(self) -> list[str]:
        """Every version built or added here, sorted."""
        return sorted(path.parent.name for path in self._root.glob(f"encoders/*@*/{CARD}"))

    def card(self, version: str) -> Card:
        """Read a built encoder's card without looking at its files."""
        card: Card = json.loads((self.folder(version) / CARD).read_text(encoding="utf-8"))
        return card

    def verified(self, version: str) -> Card:
        """Read a built encoder's card and check every file it lists.

        Raises:
            ModelHashError: the card or a file is not what was built.
        """
        card = self._sound_card(version)
        if card is None:
            raise ModelHashError(
                f"the cached files of {version} are not what was built (wrong hash or incomplete); "
                "pull or add the encoder again and they are replaced"
            )
        return card

    def _sound_card(self, version: str) -> Card | None:
        folder = self.folder(version)
        try:
            card = self.card(version)
            sound = version_of(card["name"], card["identity"]) == version and all(
                sha256_of(folder / name) == sha256 for name, sha256 in card["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return card if sound else None

    def made(self, name: str, card: Card, write: Callable[[Path], None]) -> str:
        """Make an entry by letting `write` fill a fresh folder; return its version.

        `card` holds at least "identity"; "name", "version" and "files" (with hashes) are added. An
        entry that is already there and sound stays; a damaged one is replaced.
        """
        version = version_of(name, card["identity"])
        with self.lock(version), disk_errors():
            if self._sound_card(version) is not None:
                return version
            draft = self._root / "encoders" / f".draft-{version}"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            try:
                write(draft)
                files = {path.name: sha256_of(path) for path in sorted(draft.iterdir())}
                write_json(draft / CARD, {**card, "name": name, "version": version, "files": files})
                shutil.rmtree(self.folder(version), ignore_errors=True)
                draft.rename(self.folder(version))
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return version

    def named(self, name: str) -> str | None:
        """Return the version an added encoder's name stands for."""
        version = self._read(self._root / "names" / f"{checked_name(name)}.json").get("version")
        return str(version) if version else None

    def names(self) -> dict[str, str]:
        """Every added name with its version, where that is still there."""
        found = {path.stem: self.named(path.stem) for path in self._root.glob("names/*.json")}
        return {name: of for name, of in sorted(found.items()) if of and self.has(of)}

    def point(self, name: str, version: str) -> None:
        """Let a name stand for a version; older versions stay loadable by version."""
        with disk_errors():
            write_json(self._root / "names" / f"{checked_name(name)}.json", {"version": version})

    def choice(self, family: str) -> dict[str, Any]:
        """Return what was measured about a family's variants here (empty: nothing yet)."""
        return self._read(self._root / "choices" / f"{family}.json")

    def _read(self, path: Path) -> dict[str, Any]:
        """Read a small JSON object; what is missing or damaged reads as empty and is made anew."""
        try:
            shape = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return shape if isinstance(shape, dict) else {}

    def choose(self, family: str, choice: dict[str, Any]) -> None:
        """Keep what was measured about a family's variants."""
        with disk_errors():
            write_json(self._root / "choices" / f"{family}.json", choice)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the lock of one thing; another process making it waits and then finds it done.

        Raises:
            BusyError: someone else has held it for 15 minutes.
        """
        from filelock import FileLock, Timeout

        short = hashlib.sha256(key.encode()).hexdigest()[:16]
        with disk_errors():
            folder = self._root / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{short}.lock")
            try:
                lock.acquire(timeout=_LOCK_TIMEOUT_S)
            except Timeout as error:
                raise BusyError(
                    "another process has been preparing this model for 15 minutes; stop it or "
                    "wait, then try again",
                    retry_after_s=60.0,
                ) from error
        try:
            yield
        finally:
            lock.release()


def checked_name(name: str) -> str:
    """Return an encoder name that is safe as a file name.

    Raises:
        InvalidNameError: it is not 1-64 letters, digits, dots, dashes or underscores.
    """
    if not _NAME.fullmatch(name):
        raise InvalidNameError(
            "an encoder name is 1 to 64 letters, digits, '.', '-' or '_' and starts with a "
            f"letter or digit; this one has {len(name)} characters"
        )
    return name
