"""Bytes that only this tenant's rows and files hold, taken before erasing, to be searched after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from imprint.errors import ImprintError
from imprint.store.schema import erasing
from imprint.store.sealing.raws import raw_content
from imprint.store.sealing.reading import plain_support

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from imprint.store.sealing.keyring import Opener
    from imprint.store.session import Columns, Session
    from imprint.store.workspace import SqlStore

MOST = 160
SHORTEST_BYTES = 12
WINDOW_BYTES = 48
_CHUNK_BYTES = 8 * 1024 * 1024
_SAMPLED = 24


class Witness(NamedTuple):
    """Bytes to be looked for, and what they were taken from."""

    kind: str
    content: bytes


class Searched(NamedTuple):
    """What a search went through, and what it found: (file, kind of witness)."""

    n_files: int
    n_bytes: int
    found: list[tuple[str, Witness]]


def witnesses_of(
    store: SqlStore, session: Session, tenant: int, name: str, opener: Opener
) -> list[Witness]:
    """Windows of what the tenant stored, as stored and (where it can be opened) as taught."""
    found = dict.fromkeys(_all_of(store, session, tenant, name, opener))
    return [one for one in found if len(one.content) >= SHORTEST_BYTES][:MOST]


def _all_of(
    store: SqlStore, session: Session, tenant: int, name: str, opener: Opener
) -> Iterator[Witness]:
    mine = {"tenant": tenant, "limit": _SAMPLED}
    yield Witness("name", name.encode())
    for (wrapped,) in session.rows(erasing.WRAPPED, {"tenant": tenant}):
        yield Witness("key", wrapped)
    for (collection,) in session.rows(erasing.NAMES, {"tenant": tenant}):
        yield Witness("collection", collection.encode())
    for number, encoder_version, *columns in session.rows(erasing.SUPPORTS, mine):
        del encoder_version
        yield from _of_support(store, session, name, opener, number, tuple(columns))
    for vector, sealed in session.rows(erasing.ANSWERS, mine):
        yield Witness("answer", _window(vector))
        yield Witness("answer", _window(sealed or b""))


def _of_support(
    store: SqlStore, session: Session, name: str, opener: Opener, number: int, columns: Columns
) -> Iterator[Witness]:
    yield Witness("support", str(columns[0]).encode())
    yield Witness("label", str(columns[1] or "").encode())
    try:
        plain = plain_support(columns, opener, number)
        yield Witness("metadata", str(plain[-1]).encode())
        yield Witness("content hash", str(plain[3]).encode())
    except ImprintError:
        pass  # its key is gone already: what is stored still has to go
    at = {"number": number, "added": columns[4]}
    for (vector,) in session.rows(erasing.VECTORS, at):
        yield Witness("embedding", _window(vector))
    for row in session.rows(erasing.RAWS, at):
        yield Witness("raw sample", _window(row[1] or b""))
        try:
            content = raw_content(row, opener, number, store.files, name)
            yield Witness("raw sample", _window(content))
        except ImprintError:
            continue


def _window(content: bytes) -> bytes:
    """Some bytes from the middle: beginnings of files look alike."""
    start = max(0, len(content) // 2 - WINDOW_BYTES // 2)
    return content[start : start + WINDOW_BYTES]


def searched(folder: Path, witnesses: Iterable[Witness]) -> Searched:
    """Look for every witness in every byte of every file under a folder, and in file names."""
    wanted = list(witnesses)
    n_files = n_bytes = 0
    found: dict[tuple[str, Witness], None] = {}
    for path in sorted(folder.rglob("*")):
        shown = path.relative_to(folder).as_posix()
        for witness in wanted:
            if witness.content in os.fsencode(shown):
                found[shown, witness] = None
        if path.is_file():
            n_files += 1
            for chunk in _chunks(path, max((len(w.content) for w in wanted), default=0)):
                n_bytes += len(chunk)
                for witness in wanted:
                    if witness.content in chunk:
                        found[shown, witness] = None
    return Searched(n_files, n_bytes, list(found))


def _chunks(path: Path, overlap: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            kept = b""
            while chunk := file.read(_CHUNK_BYTES):
                yield kept + chunk
                kept = (kept + chunk)[-overlap:] if overlap else b""
    except FileNotFoundError:  # a log file that went away with its last reader
        return
