"""Damaged pages, embeddings and files: an error that says so, never a wrong answer."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from imprint.errors import BlobMissingError, ImprintError, WorkspaceCorruptError
from imprint.store import open_store
from store.samples import add, content, make, new_support, remove, vector

if TYPE_CHECKING:
    from pathlib import Path

N_SUPPORTS = 120
DIM = 384


@pytest.fixture(scope="module")
def whole_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole") / "w"
    store = open_store(folder)
    tenant = store.tenant("acme")
    pets = make(tenant, dim=DIM)
    add(tenant, pets, *(new_support(n, vector=vector(n, DIM)) for n in range(N_SUPPORTS)))
    store.close()
    return (folder / "imprint.sqlite").read_bytes()


def put(folder: Path, database: bytes) -> Path:
    folder.mkdir()
    (folder / "imprint.sqlite").write_bytes(database)
    return folder


def vectors_read(folder: Path) -> list[bytes]:
    store = open_store(folder)
    try:
        return [change.vector.tobytes() for change in store.tenant("acme").changes("id of pets")]
    finally:
        store.close()


@pytest.mark.parametrize("database", [b"", b"SQLite", b"hello " * 2000, b"\0" * 8192])
def test_what_is_no_database_is_refused_or_made_new(tmp_path: Path, database: bytes) -> None:
    folder = put(tmp_path / "w", database)
    if not database:
        open_store(folder).close()
        return
    with pytest.raises(WorkspaceCorruptError):
        open_store(folder)
    assert (folder / "imprint.sqlite").read_bytes() == database


def test_a_database_cut_short_is_reported(tmp_path: Path, whole_bytes: bytes) -> None:
    folder = put(tmp_path / "w", whole_bytes[: len(whole_bytes) // 2 // 4096 * 4096])
    with pytest.raises(WorkspaceCorruptError):
        vectors_read(folder)


def test_damaged_pages_never_give_a_wrong_vector(tmp_path: Path, whole_bytes: bytes) -> None:
    expected = [vector(n, DIM).tobytes() for n in range(N_SUPPORTS)]
    rng = random.Random(20260314)
    n_noticed = 0
    for trial in range(60):
        damaged = bytearray(whole_bytes)
        page = rng.randrange(len(damaged) // 4096)
        at = page * 4096 + rng.randrange(4096 - 64)
        damaged[at : at + 64] = rng.randbytes(64)
        folder = put(tmp_path / f"w{trial}", bytes(damaged))
        try:
            assert vectors_read(folder) == expected
        except ImprintError:
            n_noticed += 1
        try:
            store = open_store(folder)
        except ImprintError:
            continue
        store.check()
        store.close()
    assert n_noticed > 20


def test_a_damaged_embedding_is_noticed_and_counted(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    pets = make(store.tenant("acme"))
    add(store.tenant("acme"), pets, *(new_support(n) for n in range(5)))
    store.close()
    with sqlite3.connect(tmp_path / "w" / "imprint.sqlite") as connection:
        connection.execute("UPDATE embeddings SET vector = zeroblob(32) WHERE added_sequence = 2")
        connection.execute("DELETE FROM embeddings WHERE added_sequence = 4")
    connection.close()
    again = open_store(tmp_path / "w")
    with pytest.raises(WorkspaceCorruptError):
        again.tenant("acme").changes(pets)
    report = again.check()
    assert not report["ok"]
    assert (report["n_damaged_embeddings"], report["n_without_embedding"]) == (1, 1)
    again.close()


def test_a_damaged_page_is_in_the_report(tmp_path: Path, whole_bytes: bytes) -> None:
    damaged = bytearray(whole_bytes)
    n_pages = len(damaged) // 4096
    for page in range(n_pages - 20, n_pages):
        damaged[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    store = open_store(put(tmp_path / "w", bytes(damaged)))
    report = store.check()
    assert (report["ok"], report["pages"]) == (False, "damaged")
    assert report["problems"]
    store.close()


def file_of(folder: Path) -> Path:
    (found,) = (folder / "blobs").glob("*/*/*")
    return found


@pytest.mark.parametrize("damage", ["gone", "cut", "changed", "a folder"])
def test_a_lost_file_costs_the_raw_sample_and_nothing_else(tmp_path: Path, damage: str) -> None:
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=100_000), new_support(2))
    file = file_of(tmp_path / "w")
    raw = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(raw[:-1])
    if damage == "changed":
        file.write_bytes(b"x" + raw[1:])
    if damage == "a folder":
        file.mkdir()
    with pytest.raises(BlobMissingError):
        tenant.raw(pets, "s1")
    assert len(tenant.changes(pets)) == 2
    assert tenant.support(pets, "s1").size_bytes == 100_000
    assert tenant.raw(pets, "s2") is not None
    if damage == "gone":
        assert store.check()["n_files_missing"] == 1
    if damage != "a folder":
        remove(tenant, pets, "s1", erase=True)
        add(tenant, pets, new_support(1, size=100_000, support_id="again"))
        assert tenant.raw(pets, "again") is not None
        assert store.check()["ok"]
    store.close()


def test_a_damaged_inline_sample_is_noticed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1))
    other = sqlite3.connect(tmp_path / "w" / "imprint.sqlite")
    with other:
        other.execute("UPDATE raws SET content = ?", (content(2),))
    other.close()
    with pytest.raises(BlobMissingError):
        tenant.raw(pets, "s1")
    store.close()
