# ruff: noqa: S608 - names of columns come from this file
"""Whoever changes the audit trail past the store is found out."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from imprint.errors import InvalidOptionError
from imprint.store import open_store
from imprint.store.schema.tables import AUDIT_TRIGGERS
from store.samples import NOW, add, make, new_support

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.ports import Store

N_TAUGHT = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace of two tenants with ten audit rows."""
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    make(store.tenant("globex"), "cars")
    for number in range(N_TAUGHT):
        add(tenant, pets, new_support(number))
    store.close()
    return tmp_path / "w"


@pytest.fixture
def tamper(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database in the hands of someone who can write files: triggers do not stop them."""
    connection = sqlite3.connect(folder / "imprint.sqlite", isolation_level=None)
    for verb in ("update", "delete"):
        connection.execute(f"DROP TRIGGER audit_forbids_{verb}")
    yield connection
    connection.close()


def verified(folder: Path, anchor: str | None = None) -> tuple[bool, list[int | None]]:
    store = open_store(folder)
    report = store.trail.verify(anchor)
    store.close()
    assert report.ok == (not report.problems)
    return report.ok, [problem.audit_id for problem in report.problems]


def test_an_untouched_trail_is_whole(folder: Path) -> None:
    assert verified(folder) == (True, [])


def test_an_empty_workspace_has_a_whole_trail(tmp_path: Path) -> None:
    assert verified(tmp_path / "new") == (True, [])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "eve"),
        ("verb", "other"),
        ("collection", "cars"),
        ("detail", '{"n":2}'),
        ("at", 1),
        ("tenant", 2),
        ("salt", b"0" * 16),
        ("salt", None),
        ("hash", b"0" * 32),
        ("hash", None),
    ],
)
def test_an_edited_row_is_found(
    folder: Path, tamper: sqlite3.Connection, column: str, value: object
) -> None:
    tamper.execute(f"UPDATE audit SET {column} = ? WHERE id = 5", (value,))
    ok, rows = verified(folder)
    assert not ok
    assert rows[0] in (5, 6)


@pytest.mark.parametrize("audit_id", range(1, N_TAUGHT + 3))
def test_a_removed_row_is_found(folder: Path, tamper: sqlite3.Connection, audit_id: int) -> None:
    tamper.execute("DELETE FROM audit WHERE id = ?", (audit_id,))
    assert not verified(folder)[0]


@pytest.mark.parametrize("first", [1, 2, 9])
def test_a_tail_cut_off_is_found(folder: Path, tamper: sqlite3.Connection, first: int) -> None:
    tamper.execute("DELETE FROM audit WHERE id >= ?", (first,))
    assert not verified(folder)[0]


def test_a_tail_cut_off_is_found_even_after_more_was_written(
    folder: Path, tamper: sqlite3.Connection
) -> None:
    tamper.execute("DELETE FROM audit WHERE id >= 9")
    tamper.execute(AUDIT_TRIGGERS[0])
    store = open_store(folder)
    make(store.tenant("acme"), "later")
    store.close()
    assert verified(folder) == (False, [11, None])


def test_taking_the_head_away_with_the_tail_stays_on_record(
    folder: Path, tamper: sqlite3.Connection
) -> None:
    tamper.execute("DELETE FROM audit WHERE id >= 9")
    tamper.execute("DELETE FROM audit_head")
    assert verified(folder) == (False, [None])
    store = open_store(folder)
    make(store.tenant("acme"), "later")
    make(store.tenant("acme"), "even later")
    store.close()
    assert verified(folder) == (False, [9])


def test_rows_in_another_order_are_found(folder: Path, tamper: sqlite3.Connection) -> None:
    for old, new in ((4, 99), (5, 4), (99, 5)):
        tamper.execute("UPDATE audit SET id = ? WHERE id = ?", (new, old))
    assert not verified(folder)[0]


def test_a_copy_of_a_row_put_in_is_found(folder: Path, tamper: sqlite3.Connection) -> None:
    tamper.execute(
        "INSERT INTO audit SELECT 11, tenant, at, actor, verb, collection, detail, salt, digest,"
        " hash FROM audit WHERE id = 10"
    )
    ok, rows = verified(folder)
    assert not ok
    assert rows == [11, None]


def test_a_blanked_row_of_a_living_tenant_is_found(
    folder: Path, tamper: sqlite3.Connection
) -> None:
    row = tamper.execute(
        "SELECT id, tenant, at, actor, verb, collection, detail, salt FROM audit WHERE id = 5"
    ).fetchone()
    digest = hashlib.sha256(row[7] + json.dumps(row[:7], separators=(",", ":")).encode()).digest()
    tamper.execute(
        "UPDATE audit SET actor='', verb='erased', collection=NULL, detail='{}', salt=NULL,"
        " digest=? WHERE id = 5",
        (digest,),
    )
    assert verified(folder) == (False, [5])


@pytest.mark.parametrize("seed", range(12))
def test_any_changed_byte_of_any_row_is_found(
    folder: Path, tamper: sqlite3.Connection, seed: int
) -> None:
    dice = random.Random(seed)
    columns = ["id", "tenant", "at", "actor", "verb", "detail", "salt", "hash"]
    column, audit_id = dice.choice(columns), dice.randint(1, N_TAUGHT + 2)
    (value,) = tamper.execute(f"SELECT {column} FROM audit WHERE id = ?", (audit_id,)).fetchone()
    other: object
    if isinstance(value, int):
        other = value ^ 1 << dice.randint(8, 30)
    elif isinstance(value, bytes):
        at = dice.randrange(len(value))
        other = value[:at] + bytes([value[at] ^ 1 << dice.randint(0, 7)]) + value[at + 1 :]
    else:
        other = value + " "
    tamper.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (other, audit_id))
    assert not verified(folder)[0]


def test_a_chain_made_anew_is_found_by_an_anchor_kept_elsewhere(
    folder: Path, tamper: sqlite3.Connection
) -> None:
    store = open_store(folder)
    anchor = store.trail.anchor()
    store.close()
    last = bytes(32)
    tamper.execute("UPDATE audit SET actor = 'eve' WHERE id = 5")
    for row in tamper.execute(
        "SELECT id, tenant, at, actor, verb, collection, detail, salt FROM audit ORDER BY id"
    ).fetchall():
        words = json.dumps(row[:7], separators=(",", ":"))
        last = hashlib.sha256(last + hashlib.sha256(row[7] + words.encode()).digest()).digest()
        tamper.execute("UPDATE audit SET hash = ? WHERE id = ?", (last, row[0]))
    tamper.execute("UPDATE audit_head SET hash = ?", (last,))
    assert verified(folder) == (True, [])
    assert verified(folder, anchor) == (False, [None])


def test_an_anchor_stays_good_while_the_trail_grows(folder: Path) -> None:
    store = open_store(folder)
    anchor = store.trail.anchor()
    make(store.tenant("acme"), "later")
    assert store.trail.verify(anchor).ok
    assert store.trail.verify(anchor.upper()).ok
    rows, _, value = anchor.partition(":")
    assert not store.trail.verify(f"{int(rows) + 5}:{value}").ok
    with pytest.raises(InvalidOptionError):
        store.trail.verify("yesterday")
    store.close()


def test_an_export_can_be_checked_without_imprint(folder: Path) -> None:
    store: Store = open_store(folder)
    lines = [json.dumps(row) for row in store.trail.rows()]
    anchor = store.trail.anchor()
    store.close()
    value = bytes(32)
    for line in lines:
        row = json.loads(line)
        detail = json.dumps(row["detail"], ensure_ascii=False, separators=(",", ":"))
        words = json.dumps(
            [
                row["audit_id"],
                row["tenant_number"],
                row["at_us"],
                row["actor"],
                row["verb"],
                row["collection"],
                detail,
            ],
            separators=(",", ":"),
        )
        digest = hashlib.sha256(bytes.fromhex(row["salt"]) + words.encode()).digest()
        value = hashlib.sha256(value + digest).digest()
        assert value.hex() == row["hash"]
    assert f"{len(lines)}:{value.hex()}" == anchor


def test_the_rows_of_one_tenant_can_be_had_alone(folder: Path) -> None:
    store = open_store(folder)
    assert [row["audit_id"] for row in store.trail.rows("globex")] == [2]
    assert len(list(store.trail.rows("acme", after=3))) == N_TAUGHT - 1
    assert list(store.trail.rows("nobody")) == []
    store.close()


def test_a_write_that_is_undone_leaves_the_chain_whole(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    make(tenant)

    def stumble() -> None:
        with tenant.transaction("teach", actor="ann", now=NOW):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stumble()
    make(tenant, "cars")
    report = store.trail.verify()
    assert report.ok
    assert report.n_rows == 2
    store.close()
