"""Keys change while the workspace is in use, stop anywhere, and go on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from imprint.errors import MasterKeyMissingError, MasterKeyWrongError
from imprint.store import open_store
from imprint.store.sealing import rotation
from imprint.store.sealing.masters.local import LocalMasterKey
from store.samples import NOW, add, content, make, new_support, vector
from store.sealing.test_keyring import MARKER, MASTER, fill, on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.ports import Store
    from imprint.store.sealing.rotation import Resealed

N = 60
SIZES = (20, 70_000, 500)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 7)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "w", master_keys=[MASTER])
    yield opened
    opened.close()


def taught(store: Store, name: str = "acme") -> str:
    tenant = store.tenant(name)
    pets = fill(tenant)
    add(tenant, pets, *(new_support(n, size=SIZES[n % 3]) for n in range(10, 10 + N)))
    return pets


def whole(store: Store, name: str = "acme") -> None:
    """Everything `taught` taught is there."""
    tenant, pets = store.tenant(name), "id of pets"
    changes = tenant.changes(pets)
    assert [c.support_id for c in changes[:2]] == ["s1", "s2"]
    assert len(changes) >= 2 + N
    for n, change in enumerate(changes[2 : 2 + N], 10):
        assert change.vector.tobytes() == vector(n).tobytes()
        assert change.content_hash == new_support(n, size=SIZES[n % 3]).content_hash
        raw = tenant.raw(pets, f"s{n}")
        assert raw is not None
        assert raw.content == content(n, SIZES[n % 3])
    assert tenant.support(pets, "s1").metadata == {"note": MARKER}
    assert tenant.answer("a5").detail == {"note": MARKER}
    assert tenant.recall_request("k") == ("f" * 64, {"note": MARKER})
    generation = tenant.generation(pets)
    assert generation is not None
    assert generation.parameters == {"note": MARKER}
    found = tenant.find_content(pets, new_support(11, size=SIZES[11 % 3]).content_hash)
    assert found is not None
    assert found.support_id == "s11"


def resealed(store: Store, *, rotate: bool, name: str = "acme", **others: object) -> Resealed:
    return store.custody.reseal(name, actor="ann", clock=lambda: NOW, rotate=rotate, **others)  # type: ignore[arg-type]


def keys_of(folder: Path) -> list[tuple[int, int, str]]:
    connection = sqlite3.connect(folder / "imprint.sqlite")
    rows = connection.execute("SELECT id, tenant, purpose FROM data_keys ORDER BY id").fetchall()
    connection.close()
    return rows


def test_a_rotation_seals_everything_anew_and_destroys_the_old_key(
    store: Store, tmp_path: Path
) -> None:
    taught(store)
    before = {row for row in keys_of(tmp_path / "w") if row[2] == "seal"}
    done = resealed(store, rotate=True)
    assert done.finished
    assert (done.rotated, done.n_old_keys) == (True, 1)
    assert done.n_rows == {
        "embeddings": N + 2,
        "supports": N + 2,
        "raws": N + 2,
        "generations": 1,
        "answers": 1,
        "requests": 1,
    }
    after = {row for row in keys_of(tmp_path / "w") if row[2] == "seal"}
    assert len(after) == 1
    assert not before & after
    whole(store)
    assert store.check()["ok"]
    assert store.trail.verify().ok
    again = open_store(tmp_path / "w", master_keys=[MASTER])
    whole(again)
    again.close()


def test_other_tenants_keep_their_keys(store: Store, tmp_path: Path) -> None:
    taught(store)
    taught(store, "globex")
    before = [row for row in keys_of(tmp_path / "w") if row[1] == 2]
    resealed(store, rotate=True)
    assert [row for row in keys_of(tmp_path / "w") if row[1] == 2] == before
    whole(store, "globex")


@pytest.mark.parametrize("stop_at", [0, 30, 70, 140, 186])
def test_an_interrupted_rotation_is_readable_and_goes_on(
    store: Store, tmp_path: Path, stop_at: int
) -> None:
    taught(store)

    def stop(n_done: int) -> None:
        if n_done >= stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resealed(store, rotate=True, heard=stop)
    whole(store)
    fresh = open_store(tmp_path / "w", master_keys=[MASTER])
    whole(fresh)
    add(fresh.tenant("acme"), "id of pets", new_support(500))
    assert len([row for row in keys_of(tmp_path / "w") if row[2] == "seal"]) == 2
    done = resealed(fresh, rotate=True)
    assert done.finished
    assert (done.rotated, done.n_old_keys) == (False, 1)
    assert sum(done.n_rows.values()) < 3 * (N + 2) + 3
    fresh.close()
    whole(store)
    assert len([row for row in keys_of(tmp_path / "w") if row[2] == "seal"]) == 1


def test_reading_and_teaching_go_on_during_a_rotation(store: Store, tmp_path: Path) -> None:
    taught(store)
    other = open_store(tmp_path / "w", master_keys=[MASTER])
    failures: list[BaseException] = []
    ended = threading.Event()

    def use() -> None:
        number = 1000
        try:
            while not ended.is_set():
                whole(other)
                add(other.tenant("acme"), "id of pets", new_support(number))
                number += 1
        except BaseException as failure:  # noqa: BLE001 - shown by the main thread
            failures.append(failure)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        for _ in range(3):
            assert resealed(store, rotate=True).finished
    finally:
        ended.set()
        thread.join()
    assert failures == []
    whole(store)
    other.close()
    assert store.check()["ok"]


@pytest.mark.parametrize("stop_at", [20, 100, 150])
def test_a_killed_rotation_loses_nothing(store: Store, tmp_path: Path, stop_at: int) -> None:
    taught(store)
    program = f"""
import os, sys
sys.path.insert(0, {str(__file__).rsplit("/store/", 1)[0]!r})
from imprint.store import open_store
from imprint.store.sealing import rotation
from store.sealing.test_keyring import MASTER
from store.samples import NOW
rotation.BATCH = 7
store = open_store({str(tmp_path / "w")!r}, master_keys=[MASTER])
store.custody.reseal("acme", actor="ann", clock=lambda: NOW, rotate=True,
                     heard=lambda n: n >= {stop_at} and os._exit(9))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 9, done.stderr.decode()
    whole(store)
    assert resealed(store, rotate=True).finished
    whole(store)
    assert store.check()["ok"]


def test_a_plain_workspace_is_encrypted_while_in_use(tmp_path: Path) -> None:
    plain = open_store(tmp_path / "w")
    taught(plain)
    plain.close()
    secrets = [MARKER.encode(), vector(12).tobytes(), content(12, 20)]
    secrets += [new_support(n, size=SIZES[n % 3]).content_hash.encode() for n in (12, 13, 14)]
    assert [s for s in secrets if s not in on_disk(tmp_path / "w")] == []
    store = open_store(tmp_path / "w", master_keys=[MASTER])
    assert store.custody.keys().n_with_plain_rows == 1
    add(store.tenant("acme"), "id of pets", new_support(900))
    done = resealed(store, rotate=False)
    assert done.finished
    whole(store)
    assert store.custody.keys().n_with_plain_rows == 0
    assert store.check()["n_orphans"] == 0
    assert [s for s in secrets if s in on_disk(tmp_path / "w")] == []
    assert sum(resealed(store, rotate=False).n_rows.values()) == 0
    store.close()


def test_a_lost_raw_sample_does_not_hold_up_a_rotation(store: Store, tmp_path: Path) -> None:
    taught(store)
    files = sorted(p for p in (tmp_path / "w" / "blobs").rglob("*") if p.is_file())
    files[0].unlink()
    files[1].write_bytes(b"damaged")
    assert resealed(store, rotate=True).finished


def test_without_a_master_key_nothing_can_be_sealed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    make(store.tenant("acme"))
    with pytest.raises(MasterKeyMissingError):
        resealed(store, rotate=False)
    with pytest.raises(MasterKeyMissingError):
        store.custody.rewrap(MASTER, actor="ann", clock=lambda: NOW)
    store.close()


def test_another_master_key_takes_over_and_the_old_one_no_longer_opens(
    store: Store, tmp_path: Path
) -> None:
    taught(store)
    newer = LocalMasterKey(os.urandom(32))
    assert store.custody.rewrap(newer, actor="ann", clock=lambda: NOW) == 3
    whole(store)  # this process has its keys already
    with pytest.raises(MasterKeyWrongError):
        open_store(tmp_path / "w", master_keys=[MASTER])
    again = open_store(tmp_path / "w", master_keys=[newer])
    whole(again)
    assert again.trail.verify().ok
    assert {row["verb"] for row in again.trail.rows()} >= {"rotate_master_key"}
    again.close()
