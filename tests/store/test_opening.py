"""Folders that are a workspace, become one, or are refused."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imprint.errors import (
    InvalidOptionError,
    NewerWorkspaceError,
    NotFoundError,
    ReadOnlyError,
    WorkspaceCorruptError,
    WorkspaceLockedError,
)
from imprint.store import open_store
from imprint.store.schema import tables
from store.samples import NOW, add, make, new_support
from store.small_disk import mounted, unwritable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_workspace_says_what_it_is(tmp_path: Path) -> None:
    open_store(tmp_path / "deep" / "w").close()
    card = json.loads((tmp_path / "deep" / "w" / "workspace.json").read_bytes())
    assert (card["kind"], card["schema"]) == ("workspace.v1", tables.HEAD)
    assert (tmp_path / "deep" / "w" / "imprint.sqlite").exists()


def test_a_new_workspace_is_its_owners_only(tmp_path: Path) -> None:
    open_store(tmp_path / "w").close()
    assert (tmp_path / "w").stat().st_mode & 0o077 == 0


def test_what_was_stored_is_there_after_reopening(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    pets = make(store.tenant("acme"))
    add(store.tenant("acme"), pets, new_support(1), new_support(2, size=100_000))
    store.close()
    again = open_store(str(tmp_path / "w"))
    tenant = again.tenant("acme")
    assert [change.support_id for change in tenant.changes(pets)] == ["s1", "s2"]
    assert tenant.raw(pets, "s2") is not None
    again.close()


def test_names_with_special_characters_are_fine_as_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%20é"
    store = open_store(folder)
    make(store.tenant("acme"))
    store.close()
    assert (folder / "imprint.sqlite").stat().st_size > 0
    open_store(folder, read_only=True).close()


def test_a_database_server_is_refused_for_now() -> None:
    with pytest.raises(InvalidOptionError, match="folder"):
        open_store("postgresql://host/name")


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("hello")
    with pytest.raises(InvalidOptionError):
        open_store(tmp_path / "f")


def test_an_empty_log_of_answers_is_refused() -> None:
    with pytest.raises(InvalidOptionError):
        open_store(None, answer_cap=0)


def test_reading_needs_something_to_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_store(tmp_path / "w", read_only=True)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused_untouched(tmp_path: Path, *, read_only: bool) -> None:
    open_store(tmp_path / "w").close()
    with sqlite3.connect(tmp_path / "w" / "imprint.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = (tmp_path / "w" / "imprint.sqlite").read_bytes()
    with pytest.raises(NewerWorkspaceError, match="9999"):
        open_store(tmp_path / "w", read_only=read_only)
    assert (tmp_path / "w" / "imprint.sqlite").read_bytes() == before


def test_a_newer_kind_of_workspace_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path / "w").close()
    (tmp_path / "w" / "workspace.json").write_text('{"kind": "workspace.v2"}')
    with pytest.raises(NewerWorkspaceError, match=r"workspace\.v2"):
        open_store(tmp_path / "w")


@pytest.mark.parametrize("words", ["", "{", "[]", "{}", "null"])
def test_an_unreadable_card_is_refused_with_the_way_out(tmp_path: Path, words: str) -> None:
    open_store(tmp_path / "w").close()
    card = tmp_path / "w" / "workspace.json"
    card.write_text(words)
    with pytest.raises(WorkspaceCorruptError, match="delete"):
        open_store(tmp_path / "w")
    card.unlink()
    open_store(tmp_path / "w").close()
    assert json.loads(card.read_bytes())["kind"] == "workspace.v1"


def test_someone_elses_database_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    database = tmp_path / "w" / "imprint.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(WorkspaceCorruptError):
        open_store(tmp_path / "w")
    assert database.read_bytes() == before


def test_a_reader_sees_a_live_writer_and_cannot_write(tmp_path: Path) -> None:
    writer = open_store(tmp_path / "w")
    pets = make(writer.tenant("acme"))
    reader = open_store(tmp_path / "w", read_only=True)
    add(writer.tenant("acme"), pets, new_support(1))
    tenant = reader.tenant("acme")
    assert tenant.sequence(pets) == 1
    assert len(tenant.changes(pets)) == 1
    with pytest.raises(ReadOnlyError):
        add(tenant, pets, new_support(2))
    with pytest.raises(ReadOnlyError):
        reader.create_key("acme", "k", [], now=NOW)
    report = reader.check()
    assert report["ok"]
    assert report["read_only"]
    reader.close()
    writer.close()


def test_a_folder_that_cannot_be_written_opens_for_reading(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "8m") as disk:
        store = open_store(disk / "w")
        pets = make(store.tenant("acme"))
        add(store.tenant("acme"), pets, new_support(1), new_support(2, size=100_000))
        store.close()
        with unwritable(disk):
            reader = open_store(disk / "w")
            tenant = reader.tenant("acme")
            assert len(tenant.changes(pets)) == 2
            assert tenant.raw(pets, "s2") is not None
            with pytest.raises(ReadOnlyError):
                add(tenant, pets, new_support(3))
            assert reader.check()["ok"]
            reader.close()
            with pytest.raises(ReadOnlyError):
                open_store(disk / "another")


def test_a_folder_of_raw_samples_that_turns_read_only_refuses_writes(tmp_path: Path) -> None:
    # A file open for writing keeps a mount from turning read-only, so the database is elsewhere.
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    with mounted(tmp_path / "w" / "blobs", "8m") as disk:
        with unwritable(disk), pytest.raises(ReadOnlyError):
            add(tenant, pets, new_support(1, size=100_000))
        assert tenant.changes(pets) == []
        assert add(tenant, pets, new_support(1, size=100_000)) == [1]
    store.close()


def test_a_folder_that_vanishes_is_said_to_have_vanished(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    (tmp_path / "w" / "blobs").write_text("not a folder")
    with pytest.raises(WorkspaceCorruptError):
        add(tenant, pets, new_support(1, size=100_000))
    assert tenant.changes(pets) == []
    store.close()


def test_a_lock_held_too_long_is_said_to_be_held(tmp_path: Path) -> None:
    first = open_store(tmp_path / "w")
    pets = make(first.tenant("acme"))
    second = open_store(tmp_path / "w", busy_timeout_s=0.05)
    with first.tenant("acme").transaction("teach", actor="ann", now=NOW) as transaction:
        transaction.add_supports(pets, [new_support(1)])
        with pytest.raises(WorkspaceLockedError) as caught:
            add(second.tenant("acme"), pets, new_support(2))
        assert caught.value.retry_after_s > 0
        assert second.tenant("acme").changes(pets) == []
    add(second.tenant("acme"), pets, new_support(2))
    assert len(first.tenant("acme").changes(pets)) == 2
    first.close()
    second.close()


def test_opening_loads_sqlalchemy_and_not_alembic(tmp_path: Path) -> None:
    program = f"""
import sys
from imprint.store import open_store
assert "sqlalchemy" not in sys.modules
for _ in range(2):
    open_store({str(tmp_path / "w")!r}).close()
assert "sqlalchemy" in sys.modules and "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
