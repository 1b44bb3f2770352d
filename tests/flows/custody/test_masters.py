"""Which master key the settings name, and what a workspace does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imprint
from imprint.errors import InvalidOptionError, MasterKeyMissingError
from imprint.flows.custody.masters import master_keys
from imprint.settings import Settings, read_settings
from imprint.store.sealing.masters.local import create_key_file

if TYPE_CHECKING:
    from pathlib import Path

KEY = "00" * 32


def test_without_a_name_there_is_no_master_key() -> None:
    assert master_keys(Settings()) == []


def test_each_way_of_naming_one_gives_it(tmp_path: Path) -> None:
    made = create_key_file(tmp_path / "m")
    environment = {"IMPRINT_MASTER_KEY_FILE": str(tmp_path / "m")}
    (found,) = master_keys(read_settings(environment))
    assert found.key_id == made.key_id
    (found,) = master_keys(read_settings({"IMPRINT_MASTER_KEY": KEY}))
    assert found.key_id.startswith("local:")
    arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
    (found,) = master_keys(read_settings({"IMPRINT_KMS_KEY": arn}))
    assert found.key_id == f"kms:{arn}"


def test_the_key_before_this_one_comes_second(tmp_path: Path) -> None:
    old = create_key_file(tmp_path / "old")
    masters = master_keys(Settings(master_key=KEY, old_master_key_file=tmp_path / "old"))
    assert [master.key_id for master in masters][1] == old.key_id


def test_two_master_keys_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="master_key_file and master_key"):
        master_keys(Settings(master_key=KEY, master_key_file=tmp_path / "m"))


def test_the_key_is_in_no_printout_of_the_settings() -> None:
    assert KEY not in repr(Settings(master_key=KEY))


def test_a_workspace_with_a_key_keeps_no_text_readable(tmp_path: Path) -> None:
    settings = Settings(text_encoder="toy-text", cache=tmp_path / "cache", master_key=KEY)
    marker = "nobody may read this sentence on the disk"
    with imprint.open(tmp_path / "w", settings=settings) as workspace:
        tickets = workspace.collection("tickets", "text")
        tickets.teach("refund", marker, metadata={"note": marker})
        tickets.teach("late", "where is my parcel")
        answer = tickets.classify(marker)
        assert answer.label == "refund"
        assert tickets.replay(answer.id).label == "refund"
    with imprint.open(tmp_path / "w", settings=settings) as workspace:
        assert workspace.collection("tickets").classify(marker).label == "refund"
        assert workspace.trail.verify().sealed
    for path in (tmp_path / "w").rglob("*"):
        assert path.is_dir() or marker.encode() not in path.read_bytes()
    with pytest.raises(MasterKeyMissingError):
        imprint.open(tmp_path / "w", settings=Settings(cache=tmp_path / "cache"))
