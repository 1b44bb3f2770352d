"""A full disk: nothing half-written, and everything goes on once there is room again."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, cast

import pytest

from imprint.errors import StorageFullError
from imprint.store import open_store
from store.samples import add, content, make, new_support, vector
from store.small_disk import mounted

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.store.ports import Store
    from imprint.store.workspace import SqlStore


def fill(store: Store, pets: str, size: int, at_once: int = 1) -> list[int]:
    """Teach until the disk is full; returns what was acknowledged."""
    tenant = store.tenant("acme")
    done: list[int] = []
    for start in range(0, 20_000, at_once):
        numbers = range(start, start + at_once)
        try:
            add(tenant, pets, *(new_support(number, size=size) for number in numbers))
        except StorageFullError:
            return done
        done += numbers
    pytest.fail("the disk never filled up")


def whole(store: Store, pets: str, acknowledged: list[int], size: int) -> None:
    """Everything acknowledged is there, and nothing else is."""
    tenant = store.tenant("acme")
    changes = tenant.changes(pets)
    assert [change.support_id for change in changes] == [f"s{n}" for n in acknowledged]
    assert tenant.sequence(pets) == len(acknowledged)
    for number, change in zip(acknowledged, changes, strict=True):
        assert change.vector.tobytes() == vector(number).tobytes()
        raw = tenant.raw(pets, change.support_id)
        assert raw is not None
        assert raw.content == content(number, size)
    report = store.check()
    assert report["ok"], report["problems"]
    assert report["n_orphans"] == 0


@pytest.mark.parametrize("at_once", [1, 40])
def test_a_full_database_keeps_what_was_acknowledged(tmp_path: Path, at_once: int) -> None:
    store = open_store(tmp_path / "w")
    pets = make(store.tenant("acme"))
    connections = cast("SqlStore", store).connections
    with connections.writing() as session:
        n_pages = session.native("PRAGMA page_count")[0][0]
    connections._writing_session().native(f"PRAGMA max_page_count={n_pages + 60}")
    acknowledged = fill(store, pets, 500, at_once)
    assert acknowledged or at_once > 1
    whole(store, pets, acknowledged, 500)
    connections._writing_session().native("PRAGMA max_page_count=100000")
    add(store.tenant("acme"), pets, new_support(99_999, size=500))
    whole(store, pets, [*acknowledged, 99_999], 500)
    store.close()


@pytest.mark.parametrize(("size", "at_once"), [(500, 1), (500, 64), (100_000, 1), (100_000, 5)])
def test_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path, size: int, at_once: int) -> None:
    with mounted(tmp_path / "disk", "3m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(500_000))
        store = open_store(disk / "w")
        pets = make(store.tenant("acme"))
        acknowledged = fill(store, pets, size, at_once)
        whole(store, pets, acknowledged, size)
        store.close()
        again = open_store(disk / "w")
        whole(again, pets, acknowledged, size)
        ballast.unlink()
        add(again.tenant("acme"), pets, new_support(99_999, size=size))
        whole(again, pets, [*acknowledged, 99_999], size)
        again.close()


def test_a_workspace_cannot_be_made_on_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "64k") as disk, pytest.raises(StorageFullError):
        open_store(disk / "w")


def test_a_limit_on_file_sizes_reads_as_a_full_disk(tmp_path: Path) -> None:
    program = f"""
import resource, sys
sys.path.insert(0, {str(__file__).rsplit("/store/", 1)[0]!r})
from imprint.errors import StorageFullError
from imprint.store import open_store
from store.samples import add, make, new_support
store = open_store({str(tmp_path / "w")!r})
tenant = store.tenant("acme")
pets = make(tenant)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
add(tenant, pets, new_support(1, size=70_000))
many = [new_support(number, size=3_000) for number in range(3, 300)]
for supports in ([new_support(2, size=700_000)], many):
    try:
        add(tenant, pets, *supports)
    except StorageFullError:
        print("full")
print(len(tenant.changes(pets)), store.check()["ok"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == ["full", "full", "1 True", ""]
