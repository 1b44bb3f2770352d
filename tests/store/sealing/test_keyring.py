"""An encrypted workspace: nothing readable on disk, nothing to be moved about, keys needed."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from imprint.errors import (
    CorruptError,
    DuplicateSupportError,
    LabelConflictError,
    MasterKeyMissingError,
    MasterKeyWrongError,
    SealBrokenError,
    WorkspaceCorruptError,
)
from imprint.store import open_store
from imprint.store.ports import GenerationRow
from imprint.store.sealing.masters.local import LocalMasterKey
from imprint.types import RawItem
from store.samples import ENCODER, NOW, add, make, new_answer, new_support, vector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.ports import Store, TenantStore
    from imprint.store.workspace import SqlStore

MASTER = LocalMasterKey(bytes(range(32)))
MARKER = "the marker nobody may ever read"
RAW = MARKER.encode() * 3
LARGE = MARKER.encode() * 4000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "w", master_keys=[MASTER])
    yield opened
    opened.close()


def fill(tenant: TenantStore) -> str:
    """Put the marker wherever content may lie."""
    pets = make(tenant)
    secret: dict[str, Any] = {"metadata": {"note": MARKER}}
    add(
        tenant,
        pets,
        new_support(1, raw=RawItem(RAW), content_hash=hashlib.sha256(RAW).hexdigest(), **secret),
        new_support(2, raw=RawItem(LARGE), content_hash=hashlib.sha256(LARGE).hexdigest()),
    )
    answer = new_answer(5, pets, content_hash=hashlib.sha256(RAW).hexdigest())
    tenant.log_answers([replace(answer, detail={"note": MARKER})])
    with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
        transaction.remember_request("k", "f" * 64, {"note": MARKER})
        transaction.put_generation(pets, GenerationRow(1, ENCODER, 2, {"note": MARKER}, NOW))
    return pets


def on_disk(folder: Path) -> bytes:
    return b"\0".join(
        path.name.encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file()
    )


def test_nothing_that_was_taught_can_be_read_on_disk(store: Store, tmp_path: Path) -> None:
    tenant = store.tenant("acme")
    pets = fill(tenant)
    found = on_disk(tmp_path / "w")
    hashes = [hashlib.sha256(raw).hexdigest() for raw in (RAW, LARGE)]
    secrets = [MARKER.encode(), *(h.encode() for h in hashes), *map(bytes.fromhex, hashes)]
    secrets += [vector(number).tobytes() for number in (1, 2, 5)] + [b"f" * 64]
    assert [secret for secret in secrets if secret in found] == []
    assert {change.content_hash for change in tenant.changes(pets)} == set(hashes)
    raw = tenant.raw(pets, "s2")
    assert raw is not None
    assert raw.content == LARGE
    assert tenant.support(pets, "s1").metadata == {"note": MARKER}
    assert tenant.answer("a5").detail == {"note": MARKER}
    assert tenant.recall_request("k") == ("f" * 64, {"note": MARKER})
    assert store.check()["ok"]


def test_the_same_workspace_without_a_master_key_shows_why_one_is_wanted(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    fill(store.tenant("acme"))
    store.close()
    assert MARKER.encode() in on_disk(tmp_path / "w")


def test_a_lost_master_key_is_said_clearly_and_destroys_nothing(
    store: Store, tmp_path: Path
) -> None:
    pets = fill(store.tenant("acme"))
    store.close()
    before = on_disk(tmp_path / "w")
    with pytest.raises(MasterKeyMissingError, match="IMPRINT_MASTER_KEY_FILE"):
        open_store(tmp_path / "w")
    with pytest.raises(MasterKeyWrongError, match="local:"):
        open_store(tmp_path / "w", master_keys=[LocalMasterKey(os.urandom(32))])
    assert on_disk(tmp_path / "w") == before
    again = open_store(tmp_path / "w", master_keys=[LocalMasterKey(bytes(range(32)))])
    assert len(again.tenant("acme").changes(pets)) == 2
    again.close()


def test_several_master_keys_may_be_valid_at_once(store: Store, tmp_path: Path) -> None:
    pets = fill(store.tenant("acme"))
    newer = LocalMasterKey(os.urandom(32))
    again = open_store(tmp_path / "w", master_keys=[newer, MASTER])
    assert len(again.tenant("acme").changes(pets)) == 2
    make(again.tenant("globex"))
    again.close()
    with pytest.raises(MasterKeyWrongError):
        open_store(tmp_path / "w", master_keys=[MASTER])


@pytest.fixture
def tamper(tmp_path: Path, store: Store) -> Iterator[sqlite3.Connection]:
    """Two tenants with the same rows, in the hands of someone who can write the database."""
    for name in ("acme", "globex"):
        fill(store.tenant(name))
    connection = sqlite3.connect(tmp_path / "w" / "imprint.sqlite", isolation_level=None)
    yield connection
    connection.close()


def swap(tamper: sqlite3.Connection, table: str, columns: str, one: str, other: str) -> None:
    names = columns.split(", ")
    rows = [
        tamper.execute(f"SELECT {columns} FROM {table} WHERE {where}").fetchone()  # noqa: S608
        for where in (one, other)
    ]
    sets = ", ".join(f"{name} = ?" for name in names)
    for row, where in zip(rows, (other, one), strict=True):
        tamper.execute(f"UPDATE {table} SET {sets} WHERE {where}", row)  # noqa: S608


@pytest.mark.parametrize("other", ["collection = 1 AND added_sequence = 2", "collection = 2"])
def test_embeddings_cannot_be_swapped_between_rows_or_tenants(
    store: Store, tamper: sqlite3.Connection, other: str
) -> None:
    first = "collection = 1 AND added_sequence = 1"
    if other == "collection = 2":
        other += " AND added_sequence = 1"
    swap(tamper, "embeddings", "vector, checksum", first, other)
    with pytest.raises(CorruptError):
        store.tenant("acme").changes("id of pets")


def test_private_values_cannot_be_swapped(store: Store, tamper: sqlite3.Connection) -> None:
    tenant = store.tenant("acme")
    one, two = ("collection = 1 AND added_sequence = " + n for n in "12")
    swap(tamper, "supports", "sealed", one, two)
    with pytest.raises(SealBrokenError):
        tenant.support("id of pets", "s1")
    swap(tamper, "raws", "content", one, "collection = 2 AND added_sequence = 1")
    with pytest.raises(CorruptError):
        tenant.raw("id of pets", "s1")
    for table, ask in (
        ("answers", lambda: tenant.answer("a5")),
        ("requests", lambda: tenant.recall_request("k")),
    ):
        swap(tamper, table, "sealed", "tenant = 1", "tenant = 2")
        with pytest.raises(CorruptError):
            ask()
    swap(tamper, "generations", "sealed", "collection = 1", "collection = 2")
    with pytest.raises(CorruptError):
        tenant.generation("id of pets")


def test_a_file_cannot_stand_in_for_another_tenants(store: Store, tmp_path: Path) -> None:
    for name in ("acme", "globex"):
        fill(store.tenant(name))
    one, other = (p for p in (tmp_path / "w" / "blobs").rglob("*") if p.is_file())
    assert one.name != other.name
    one.write_bytes(other.read_bytes())
    refused = 0
    for name in ("acme", "globex"):
        try:
            store.tenant(name).raw("id of pets", "s2")
        except CorruptError:
            refused += 1
    assert refused == 1


def test_a_data_key_cannot_serve_another_tenant(
    store: Store, tamper: sqlite3.Connection, tmp_path: Path
) -> None:
    sealing = "purpose = 'seal' AND tenant = "
    swap(tamper, "data_keys", "wrapped", sealing + "1", sealing + "2")
    again = open_store(tmp_path / "w", master_keys=[MASTER])
    with pytest.raises(MasterKeyWrongError):
        again.tenant("acme").changes("id of pets")
    again.close()


def test_a_data_key_that_is_gone_is_said_to_be_gone(
    store: Store, tamper: sqlite3.Connection, tmp_path: Path
) -> None:
    tamper.execute("DELETE FROM data_keys WHERE tenant = 1 AND purpose = 'seal'")
    again = open_store(tmp_path / "w", master_keys=[MASTER])
    with pytest.raises(WorkspaceCorruptError, match="data key"):
        again.tenant("acme").changes("id of pets")
    assert len(again.tenant("globex").changes("id of pets")) == 2
    again.close()


def test_the_head_of_the_trail_is_sealed_by_the_master_key(
    store: Store, tamper: sqlite3.Connection
) -> None:
    report = store.trail.verify()
    assert report.ok, report.problems
    assert report.sealed
    for name in ("update", "delete"):
        tamper.execute(f"DROP TRIGGER audit_forbids_{name}")
    n_rows, last_id = tamper.execute("SELECT n_rows, last_id FROM audit_head").fetchone()
    tamper.execute("DELETE FROM audit WHERE id = ?", (last_id,))
    tamper.execute(
        "UPDATE audit_head SET n_rows = ?, last_id = ?,"
        " hash = (SELECT hash FROM audit WHERE id = ?)",
        (n_rows - 1, last_id - 1, last_id - 1),
    )
    cut = store.trail.verify()
    assert [problem.audit_id for problem in cut.problems] == [None]
    assert "sealed" in cut.problems[0].problem


def test_an_audit_key_taken_away_is_missed_not_replaced(
    store: Store, tamper: sqlite3.Connection, tmp_path: Path
) -> None:
    store.close()
    tamper.execute("DELETE FROM data_keys WHERE purpose = 'audit'")
    again = open_store(tmp_path / "w", master_keys=[MASTER])
    make(again.tenant("acme"), "later")
    assert not again.trail.verify().ok
    again.close()


def test_a_workspace_that_gets_a_master_key_later_holds_both_kinds_of_rows(
    tmp_path: Path,
) -> None:
    plain = open_store(tmp_path / "w")
    pets = make(plain.tenant("acme"))
    add(plain.tenant("acme"), pets, new_support(1), new_support(2, "dog", size=100_000))
    plain.tenant("acme").log_answers([new_answer(1, pets)])
    plain.close()
    store = open_store(tmp_path / "w", master_keys=[MASTER])
    tenant = store.tenant("acme")
    add(tenant, pets, new_support(3), new_support(4, size=100_000))
    assert [c.support_id for c in tenant.changes(pets)] == ["s1", "s2", "s3", "s4"]
    assert all(
        c.vector.tobytes() == vector(n).tobytes() for n, c in enumerate(tenant.changes(pets), 1)
    )
    with pytest.raises(DuplicateSupportError):
        add(tenant, pets, new_support(1, support_id="again"))
    with pytest.raises(LabelConflictError):
        add(tenant, pets, new_support(2, "cat", size=100_000, support_id="again"))
    for number in (1, 3):
        found = tenant.find_content(pets, new_support(number).content_hash)
        assert found is not None
        assert found.support_id == f"s{number}"
    assert tenant.raw(pets, "s2") is not None
    assert tenant.answer("a1").answer_id == "a1"
    assert store.check()["ok"]
    store.close()


def test_keys_of_an_undone_first_write_are_not_kept(store: Store) -> None:
    tenant = store.tenant("acme")

    def stumble() -> None:
        with tenant.transaction("teach", actor="ann", now=NOW):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stumble()
    keyring = cast("SqlStore", store).keyring
    assert not keyring._data_keys
    assert not keyring._hash_keys
    pets = make(store.tenant("globex"))
    add(store.tenant("globex"), pets, new_support(1))
    pets = make(tenant)
    add(tenant, pets, new_support(1))
    assert len(tenant.changes(pets)) == 1
