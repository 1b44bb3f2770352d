"""A copy made while the workspace is taught is whole, or it is not there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from imprint.errors import (
    BackupCorruptError,
    ConflictError,
    InvalidOptionError,
    NotFoundError,
    StorageFullError,
)
from imprint.store import open_store
from imprint.store.copies.backup import restored
from imprint.store.copies.manifest import verified_backup
from imprint.store.sealing.masters.local import LocalMasterKey
from store.samples import NOW, add, content, make, new_support, vector
from store.sealing.test_keyring import MARKER, fill, on_disk
from store.small_disk import mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.ports import Store

SIZES = (20, 70_000, 500)


@pytest.fixture(params=["plain", "encrypted"])
def masters(request: pytest.FixtureRequest) -> list[LocalMasterKey]:
    return [LocalMasterKey(bytes(32))] if request.param == "encrypted" else []


@pytest.fixture
def store(tmp_path: Path, masters: list[LocalMasterKey]) -> Iterator[Store]:
    opened = open_store(tmp_path / "w", master_keys=masters)
    yield opened
    opened.close()


def taught(store: Store, n: int = 20) -> str:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, *(new_support(i, size=SIZES[i % 3]) for i in range(n)))
    return pets


def whole(store: Store) -> int:
    """Every support the copy knows has its vector and raw bytes; returns how many."""
    tenant = store.tenant("acme")
    changes = tenant.changes("id of pets")
    for change in changes:
        number = int(change.support_id[1:])
        assert change.vector.tobytes() == vector(number).tobytes()
        raw = tenant.raw("id of pets", change.support_id)
        assert raw is not None
        assert raw.content == content(number, SIZES[number % 3])
    assert tenant.sequence("id of pets") == len(changes)
    report = store.check()
    assert report["ok"], report["problems"]
    assert report["n_orphans"] == 0
    trail = store.trail.verify()
    assert trail.ok, trail.problems
    return len(changes)


def test_a_restored_copy_answers_as_the_original_did(
    store: Store, masters: list[LocalMasterKey], tmp_path: Path
) -> None:
    taught(store)
    report = store.custody.backup(tmp_path / "copy", actor="ann", now=NOW)
    assert report.ok
    assert report.n_files >= 3
    add(store.tenant("acme"), "id of pets", new_support(100))
    assert restored(tmp_path / "copy", tmp_path / "new").ok
    again = open_store(tmp_path / "new", master_keys=masters)
    assert whole(again) == 20
    add(again.tenant("acme"), "id of pets", new_support(200))
    again.close()
    assert verified_backup(tmp_path / "copy").ok
    assert store.trail.verify().ok
    assert [row["verb"] for row in store.trail.rows()][-2] == "backup"


def test_copies_made_while_teaching_and_erasing_goes_on_are_whole(
    store: Store, masters: list[LocalMasterKey], tmp_path: Path
) -> None:
    taught(store, 30)
    failures: list[BaseException] = []
    ended = threading.Event()

    def use() -> None:
        tenant, number = store.tenant("acme"), 1000
        try:
            while not ended.is_set():
                add(tenant, "id of pets", new_support(number, size=SIZES[number % 3]))
                number += 1
        except BaseException as failure:  # noqa: BLE001 - shown by the main thread
            failures.append(failure)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        for turn in range(3):
            store.custody.backup(tmp_path / f"copy{turn}", actor="ann", now=NOW)
    finally:
        ended.set()
        thread.join()
    assert failures == []
    counts = []
    for turn in range(3):
        restored(tmp_path / f"copy{turn}", tmp_path / f"new{turn}")
        again = open_store(tmp_path / f"new{turn}", master_keys=masters)
        counts.append(whole(again))
        again.close()
    assert counts == sorted(counts)
    assert counts[0] >= 30


def test_what_is_there_is_never_overwritten(store: Store, tmp_path: Path) -> None:
    taught(store)
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConflictError):
        store.custody.backup(tmp_path / "taken", actor="ann", now=NOW)
    with pytest.raises(InvalidOptionError):
        store.custody.backup(tmp_path / "w" / "copy", actor="ann", now=NOW)
    store.custody.backup(tmp_path / "copy", actor="ann", now=NOW)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "x").touch()
    with pytest.raises(ConflictError):
        restored(tmp_path / "copy", tmp_path / "home")
    (tmp_path / "home" / "x").unlink()
    assert restored(tmp_path / "copy", tmp_path / "home").ok
    memory = open_store(None)
    with pytest.raises(InvalidOptionError):
        memory.custody.backup(tmp_path / "other", actor="ann", now=NOW)
    memory.close()


@pytest.mark.parametrize("damage", ["database", "file", "missing", "extra", "manifest", "none"])
def test_a_damaged_copy_is_found_and_not_restored(
    store: Store, tmp_path: Path, damage: str
) -> None:
    taught(store)
    copy = tmp_path / "copy"
    store.custody.backup(copy, actor="ann", now=NOW)
    blob = next(path for path in (copy / "blobs").rglob("*") if path.is_file())
    if damage == "database":
        raw = bytearray((copy / "imprint.sqlite").read_bytes())
        raw[5000] ^= 1
        (copy / "imprint.sqlite").write_bytes(raw)
    elif damage == "file":
        blob.write_bytes(b"other")
    elif damage == "missing":
        blob.unlink()
    elif damage == "extra":
        (copy / "more").touch()
    elif damage == "manifest":
        (copy / "manifest.json").write_text("{}")
    else:
        shutil.rmtree(copy)
    with pytest.raises(NotFoundError if damage == "none" else BackupCorruptError):
        restored(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert list(tmp_path.glob(".*.part")) == []


def test_a_full_disk_leaves_no_half_copy(store: Store, tmp_path: Path) -> None:
    taught(store, 60)
    with mounted(tmp_path / "disk", "1m") as disk:
        with pytest.raises(StorageFullError):
            store.custody.backup(disk / "copy", actor="ann", now=NOW)
        assert list(disk.iterdir()) == []
    assert whole(store) == 60


def test_what_a_killed_copy_left_is_cleared_by_the_next(store: Store, tmp_path: Path) -> None:
    taught(store)
    program = f"""
import os, sys
sys.path.insert(0, {str(__file__).rsplit("/store/", 1)[0]!r})
from pathlib import Path
from imprint.store import open_store
from imprint.store.copies import backup
from imprint.store.sealing.masters.local import LocalMasterKey
from store.samples import NOW
backup.write_manifest = lambda *_: os._exit(9)
store = open_store({str(tmp_path / "w")!r}, master_keys=[LocalMasterKey(bytes(32))])
store.custody.backup(Path({str(tmp_path / "copy")!r}), actor="ann", now=NOW)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 9, done.stderr.decode()
    assert not (tmp_path / "copy").exists()
    assert len(list(tmp_path.glob(".copy.*.part"))) == 1
    assert store.custody.backup(tmp_path / "copy", actor="ann", now=NOW).ok
    assert list(tmp_path.glob(".copy.*.part")) == []


def test_a_raw_sample_lost_before_does_not_prevent_a_copy(store: Store, tmp_path: Path) -> None:
    taught(store)
    next(p for p in (tmp_path / "w" / "blobs").rglob("*") if p.is_file()).unlink()
    report = store.custody.backup(tmp_path / "copy", actor="ann", now=NOW)
    assert report.ok
    assert report.n_files_missing == 1


def test_an_erased_tenant_is_erased_in_the_copies_on_record(
    store: Store, masters: list[LocalMasterKey], tmp_path: Path
) -> None:
    fill(store.tenant("acme"))
    taught_before = store.tenant("globex")
    fill(taught_before)
    for name in ("one", "two"):
        store.custody.backup(tmp_path / name, actor="ann", now=NOW)
    shutil.rmtree(tmp_path / "two")
    before = on_disk(tmp_path / "one")
    proof = store.custody.erase("acme", actor="ann", now=NOW)
    assert [copy["state"] for copy in proof.backups] == ["erased", "gone"]
    assert proof.proven, proof.remains
    after = on_disk(tmp_path / "one")
    assert len(after) < len(before)
    if not masters:
        assert before.count(MARKER.encode()) > after.count(MARKER.encode())
    assert verified_backup(tmp_path / "one").ok
    restored(tmp_path / "one", tmp_path / "new")
    again = open_store(tmp_path / "new", master_keys=masters)
    assert [state.name for state in again.custody.tenants()] == ["erased-1", "globex"]
    assert len(again.tenant("globex").changes("id of pets")) == 2
    assert again.trail.verify().ok
    again.close()


def test_a_copy_out_of_reach_leaves_the_erasure_unproven(store: Store, tmp_path: Path) -> None:
    fill(store.tenant("acme"))
    (tmp_path / "disk").mkdir()
    store.custody.backup(tmp_path / "disk" / "copy", actor="ann", now=NOW)
    (tmp_path / "disk").rename(tmp_path / "elsewhere")
    proof = store.custody.erase("acme", actor="ann", now=NOW)
    assert [copy["state"] for copy in proof.backups] == ["out of reach"]
    assert not proof.proven
