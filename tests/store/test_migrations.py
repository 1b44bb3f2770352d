"""Migrations lead to the very tables the metadata describes, in one transaction."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import zlib
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from imprint.errors import ReadOnlyError
from imprint.store import open_store
from imprint.store.schema import migrations, tables
from store.samples import NOW, add, new_support, vector

if TYPE_CHECKING:
    from pathlib import Path


def described(connection: Connection) -> dict[str, list[str]]:
    """What SQLite says of each table, index and trigger, clause by clause in any order."""
    rows = connection.execute(
        text(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
        )
    )
    outside_parentheses = r",(?![^(]*\))"
    found = {}
    for name, sql in rows:
        head, _, body = re.sub(r'[\s"]+', "", sql).lower().partition("(")
        found[name] = [head, *sorted(re.split(outside_parentheses, body.replace("))", ")")))]
    found.pop("alembic_version", None)  # alembic makes its own table in its own words
    return found


def test_migrations_and_metadata_describe_the_same_tables() -> None:
    made, migrated = create_engine("sqlite://"), create_engine("sqlite://")
    with made.begin() as one, migrated.begin() as other:
        tables.metadata.create_all(one)
        migrations.upgrade(other)
        assert described(one) == described(other)
        context = MigrationContext.configure(other, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert (
            other.execute(text("SELECT version_num FROM alembic_version")).scalar() == tables.HEAD
        )
    made.dispose()
    migrated.dispose()


def test_every_migration_is_known_to_the_version_look_up() -> None:
    (place,) = migrations.__path__
    revisions = [step.revision for step in ScriptDirectory(place).walk_revisions()]
    assert tuple(reversed(revisions)) == tables.REVISIONS


def test_a_migration_that_fails_leaves_the_database_as_it_was() -> None:
    engine = create_engine("sqlite://", connect_args={"isolation_level": None})
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE feedback (x)")  # in the way of the real one
        before = described(connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match="feedback"):
            migrations.upgrade(connection)
        connection.exec_driver_sql("ROLLBACK")
        assert described(connection) == before
    engine.dispose()


def test_an_older_workspace_is_upgraded_when_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "w"
    open_store(folder).close()
    with sqlite3.connect(folder / "imprint.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    upgraded = []

    def upgrade(connection: Connection) -> None:
        upgraded.append(True)
        connection.execute(tables.version.update().values(version_num=tables.HEAD))

    monkeypatch.setattr(tables, "REVISIONS", ("0000", *tables.REVISIONS))
    monkeypatch.setattr(migrations, "upgrade", upgrade)
    with pytest.raises(ReadOnlyError, match="upgraded"):
        open_store(folder, read_only=True)
    open_store(folder).close()
    open_store(folder).close()
    assert upgraded == [True]


def test_the_audit_trail_can_only_grow(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    store.create_key("acme", "k", [], now=NOW)
    store.close()
    connection = sqlite3.connect(tmp_path / "w" / "imprint.sqlite")
    for attempt in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(attempt)
    connection.close()


def test_a_workspace_of_the_first_schema_keeps_its_rows_and_gets_a_chain(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    engine = create_engine(f"sqlite:///{folder / 'imprint.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        migrations.upgrade(connection, target="0001")
        for statement in FIRST_ROWS:
            connection.exec_driver_sql(statement)
        connection.execute(
            text("INSERT INTO embeddings VALUES (1, 1, 'toy@1', :crc, :vector)"),
            {"crc": zlib.crc32(vector(1).tobytes()), "vector": vector(1).tobytes()},
        )
    engine.dispose()
    store = open_store(folder)
    tenant = store.tenant("acme")
    (change,) = tenant.changes("id of pets")
    assert (change.support_id, change.label) == ("s1", "cat")
    assert change.vector.tobytes() == vector(1).tobytes()
    raw = tenant.raw("id of pets", "s1")
    assert raw is not None
    assert raw.content == b"miaow"
    report = store.trail.verify()
    assert report.ok, report.problems
    assert report.n_rows == 2
    add(tenant, "id of pets", new_support(2))
    again = store.trail.verify(report.anchor)
    assert again.ok, again.problems
    assert again.n_rows == 3
    assert store.check()["ok"]
    store.close()


SHA256 = hashlib.sha256(b"miaow").hexdigest()
FIRST_ROWS = (
    "INSERT INTO tenants VALUES (1, 'acme')",
    """INSERT INTO collections VALUES
    (1, 1, 'id of pets', 'pets', 'text', 'toy', 'toy@1', 8, '{}', 1, 5)""",
    """INSERT INTO supports VALUES
    (1, 1, 1, NULL, 's1', 'cat', 'active', 'h1', 6, 'ann', 'test', 'text/plain', 5, '{}', NULL)""",
    f"INSERT INTO raws VALUES (1, 1, 1, '{SHA256}', CAST('miaow' AS BLOB))",  # noqa: S608
    "INSERT INTO audit VALUES (1, 1, 5, 'ann', 'create', 'pets', '{}')",
    """INSERT INTO audit VALUES (2, 1, 6, 'bö"b', 'teach', NULL, '{"n":"é"}')""",
)
