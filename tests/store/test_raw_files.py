"""Files of raw samples: shared within a tenant, gone when erased, tidied after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from imprint.errors import BlobMissingError, SupportNotFoundError
from imprint.store import open_store
from imprint.types import RawItem
from store.samples import NOW, add, content, make, new_support, remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.workspace import SqlStore

LARGE = 100_000
MARKER = b"the marker nobody may ever find again"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = cast("SqlStore", open_store(tmp_path / "w"))
    yield opened
    opened.close()


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "w" / "blobs").rglob("*") if path.is_file()]


def test_equal_samples_of_a_tenant_share_a_file(store: SqlStore, tmp_path: Path) -> None:
    tenant, other = store.tenant("acme"), store.tenant("globex")
    pets, cars = make(tenant), make(tenant, "cars")
    for collection_id in (pets, cars):
        add(tenant, collection_id, new_support(1, size=LARGE))
    assert len(files(tmp_path)) == 1
    add(other, make(other), new_support(1, size=LARGE))
    assert len(files(tmp_path)) == 2
    remove(tenant, pets, "s1", erase=True)
    assert len(files(tmp_path)) == 2
    assert tenant.raw(cars, "s1") is not None
    remove(tenant, cars, "s1", erase=True)
    assert len(files(tmp_path)) == 1
    assert other.raw(other.collection("pets").collection_id, "s1") is not None


def test_forgetting_keeps_the_file_for_earlier_states(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE))
    remove(tenant, pets, "s1")
    assert len(files(tmp_path)) == 1
    assert store.check()["n_orphans"] == 0


def test_dropping_a_collection_removes_its_files(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets, cars = make(tenant), make(tenant, "cars")
    add(tenant, pets, new_support(1, size=LARGE), new_support(2, size=LARGE))
    add(tenant, cars, new_support(2, size=LARGE))
    with tenant.transaction("drop", actor="ann", now=NOW) as transaction:
        transaction.drop_collection(pets)
    assert [path.read_bytes() for path in files(tmp_path)] == [content(2, LARGE)]


def test_an_undone_write_leaves_no_file(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE))

    def teach_and_stumble() -> None:
        with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
            transaction.add_supports(pets, [new_support(2, size=LARGE)])
            assert len(files(tmp_path)) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach_and_stumble()
    assert [path.read_bytes() for path in files(tmp_path)] == [content(1, LARGE)]


def test_erased_bytes_are_nowhere_in_the_folder(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    small, large = (MARKER * n for n in (3, 5000))
    metadata = {"note": MARKER.decode()}
    add(
        tenant,
        pets,
        new_support(1, raw=RawItem(small), metadata=metadata),
        new_support(2, raw=RawItem(large)),
    )
    found = new_support(1).vector.tobytes()
    everything = b"".join(path.read_bytes() for path in (tmp_path / "w").rglob("*.*"))
    assert MARKER in everything
    assert found in everything
    remove(tenant, pets, "s1", "s2", erase=True)
    for path in (tmp_path / "w").rglob("*"):
        if path.is_file():
            assert MARKER not in path.read_bytes()
            assert found not in path.read_bytes()


def test_files_left_by_a_crash_are_found_and_removed(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE))
    (used,) = files(tmp_path)
    for name in ("ab" * 32, "cd" * 32 + ".123.part"):
        used.with_name(name).write_bytes(b"left behind")
    report = store.check()
    assert report["ok"]
    assert (report["n_orphans"], report["n_orphans_removed"]) == (2, 2)
    assert files(tmp_path) == [used]
    assert store.check()["n_orphans"] == 0


def test_removals_a_crash_prevented_are_made_up_for_on_opening(
    store: SqlStore, tmp_path: Path
) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE), new_support(2, size=LARGE))
    store.files = None  # as if killed between the commit and the unlinking
    remove(tenant, pets, "s1", erase=True)
    assert len(files(tmp_path)) == 2
    open_store(tmp_path / "w").close()
    assert [path.read_bytes() for path in files(tmp_path)] == [content(2, LARGE)]


def test_a_sample_doomed_and_taught_again_is_kept(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE))
    kept, store.files = store.files, None
    remove(tenant, pets, "s1", erase=True)
    store.files = kept
    add(tenant, pets, new_support(1, size=LARGE, support_id="again"))
    assert store.sweep() == 0
    assert tenant.raw(pets, "again") is not None
    assert len(files(tmp_path)) == 1


def test_a_file_that_cannot_be_removed_does_not_undo_the_erasing(
    store: SqlStore, tmp_path: Path
) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE))
    (used,) = files(tmp_path)
    used.unlink()
    used.mkdir()  # cannot be unlinked
    remove(tenant, pets, "s1", erase=True)
    with pytest.raises(SupportNotFoundError):
        tenant.raw(pets, "s1")
    used.rmdir()
    assert store.check()["ok"]


def test_damage_is_healed_by_teaching_the_sample_again(store: SqlStore, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(1, size=LARGE))
    (used,) = files(tmp_path)
    used.write_bytes(b"damaged")
    with pytest.raises(BlobMissingError):
        tenant.raw(pets, "s1")
    remove(tenant, pets, "s1")
    add(tenant, pets, new_support(1, size=LARGE, support_id="again"))
    assert tenant.raw(pets, "again") is not None
