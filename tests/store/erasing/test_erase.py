"""An erased tenant is nowhere, the others are untouched, and the trail can still be followed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from imprint.errors import CollectionNotFoundError, NotFoundError
from imprint.store import open_store
from imprint.store.erasing.erase import RATES
from imprint.store.quota.rates import RateBook
from imprint.store.schema import erasing
from imprint.store.sealing.masters.local import LocalMasterKey
from imprint.types import RawItem
from store.samples import NOW, add, make, new_support
from store.sealing.test_keyring import MARKER, fill, on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.erasing.erase import Proof
    from imprint.store.ports import Store

NAME = "a customer with a long name"


@pytest.fixture(params=["plain", "encrypted"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    masters = [LocalMasterKey(bytes(32))] if request.param == "encrypted" else []
    opened = open_store(tmp_path / "w", master_keys=masters)
    yield opened
    opened.close()


def erased(store: Store, name: str = NAME, markers: tuple[bytes, ...] = ()) -> Proof:
    return store.custody.erase(name, actor="ann", now=NOW, markers=markers)


def test_no_byte_of_an_erased_tenant_is_left(store: Store, tmp_path: Path) -> None:
    tenant = store.tenant(NAME)
    pets = fill(tenant)
    store.create_key(NAME, f"key {MARKER}", [], now=NOW)
    make(tenant, f"collection {MARKER}")
    add(tenant, pets, *(new_support(n, f"label {MARKER}", size=3000 * n) for n in range(5, 40)))
    proof = erased(store, markers=(MARKER.encode(),))
    assert proof.proven, (proof.remains, proof.backups)
    assert proof.n_rows["supports"] == 37
    assert proof.n_witnesses["raw sample"] >= 10
    assert proof.n_witnesses["marker"] == 1
    assert proof.n_files_searched >= 2
    found = on_disk(tmp_path / "w")
    for secret in (MARKER, NAME):
        assert secret.encode() not in found
    with pytest.raises(CollectionNotFoundError):
        tenant.collection("pets")
    report = store.check()
    assert report["ok"], report["problems"]
    assert report["n_orphans"] == 0


def test_the_search_would_have_found_what_was_left(store: Store, tmp_path: Path) -> None:
    fill(store.tenant(NAME))
    (tmp_path / "w" / "left behind.log").write_text(f"x {MARKER} y")
    proof = erased(store, markers=(MARKER.encode(),))
    assert not proof.proven
    assert ("left behind.log", "marker") in proof.remains


def test_the_other_tenants_keep_everything_even_the_same_samples(store: Store) -> None:
    for name in (NAME, "globex"):
        fill(store.tenant(name))
    other = store.tenant("globex")
    before = other.changes("id of pets")
    proof = erased(store)
    assert proof.proven, proof.remains
    after = other.changes("id of pets")
    assert [c.vector.tobytes() for c in after] == [c.vector.tobytes() for c in before]
    raw = other.raw("id of pets", "s2")
    assert raw is not None
    assert other.answer("a5").detail == {"note": MARKER}
    assert other.audit()[0].verb == "create"


def test_the_trail_can_still_be_followed_and_says_that_it_was_done(store: Store) -> None:
    fill(store.tenant(NAME))
    anchor = store.trail.anchor()
    fill(store.tenant("globex"))
    proof = erased(store)
    report = store.trail.verify(anchor)
    assert report.ok, report.problems
    assert report.n_erased == proof.n_audit_rows_blanked > 0
    rows = list(store.trail.rows())
    assert rows[-1]["verb"] == "tenant_erased"
    assert rows[-1]["actor"] == "ann"
    assert all(row["actor"] == "" for row in rows if row["verb"] == "erased")


def test_a_row_blanked_by_hand_is_still_found(store: Store, tmp_path: Path) -> None:
    fill(store.tenant(NAME))
    fill(store.tenant("globex"))
    erased(store)
    connection = sqlite3.connect(tmp_path / "w" / "imprint.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER audit_forbids_update")
    connection.execute(
        "UPDATE audit SET verb = 'erased', actor = '', digest = hash, salt = NULL WHERE id = ("
        " SELECT max(id) FROM audit WHERE tenant = 2)"
    )
    connection.close()
    assert not store.trail.verify().ok


def test_a_tenant_is_erased_once(store: Store) -> None:
    fill(store.tenant(NAME))
    erased(store)
    for name in (NAME, "nobody", "erased-1"):
        with pytest.raises(NotFoundError):
            erased(store, name)
    states = store.custody.tenants()
    assert [(state.name, state.n_keys) for state in states] == [("erased-1", 0)]
    assert states[0].erased_at == NOW


def test_the_name_can_be_used_again_by_who_still_has_the_workspace_open(
    store: Store, tmp_path: Path
) -> None:
    tenant = store.tenant(NAME)
    fill(tenant)
    erased(store)
    pets = make(tenant)
    add(tenant, pets, new_support(7, raw=RawItem(b"another life")))
    assert len(tenant.changes(pets)) == 1
    assert [state.name for state in store.custody.tenants()] == ["erased-1", NAME]
    assert store.trail.verify().ok


def test_every_table_of_tenants_is_emptied(store: Store) -> None:
    fill(store.tenant(NAME))
    number = store.custody.tenants()[0].number
    erased(store)
    with store.connections.reading() as session:  # type: ignore[attr-defined]
        for name, statement in erasing.COUNTS.items():
            assert session.one(statement, {"tenant": number}) == (0,), name
    assert {"supports", "embeddings", "raws", "answers", "requests", "keys", "data_keys"} <= set(
        erasing.COUNTS
    )


def test_a_workspace_in_memory_is_erased_too() -> None:
    store = open_store(None)
    fill(store.tenant(NAME))
    assert erased(store).n_rows["supports"] == 2
    store.close()


def test_counts_of_requests_are_forgotten_too(store: Store, tmp_path: Path) -> None:
    fill(store.tenant(NAME))
    book = RateBook(tmp_path / "w" / RATES)
    for name in (NAME, "globex"):
        book.take(name, 60, 1000, NOW.timestamp())
    assert NAME.encode() in on_disk(tmp_path / "w")
    assert erased(store).proven
    assert NAME.encode() not in on_disk(tmp_path / "w")
    book.close()
