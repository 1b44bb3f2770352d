"""Master keys in files and in the environment."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest

from imprint.errors import (
    ConflictError,
    InvalidOptionError,
    MasterKeyMissingError,
    MasterKeyWrongError,
    UnsafeKeyFileError,
)
from imprint.store.sealing.masters.local import (
    LocalMasterKey,
    create_key_file,
    parsed_key,
    read_key_file,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = {"imprint:tenant": "1", "imprint:purpose": "seal"}


def test_a_created_file_is_its_owners_and_gives_the_same_key(tmp_path: Path) -> None:
    made = create_key_file(tmp_path / "keys" / "master.key")
    assert (tmp_path / "keys" / "master.key").stat().st_mode & 0o777 == 0o600
    read = read_key_file(tmp_path / "keys" / "master.key")
    assert read.key_id == made.key_id
    assert read.unwrap(made.wrap(b"k" * 32, CONTEXT), CONTEXT) == b"k" * 32


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    create_key_file(tmp_path / "master.key")
    before = (tmp_path / "master.key").read_bytes()
    with pytest.raises(ConflictError):
        create_key_file(tmp_path / "master.key")
    assert (tmp_path / "master.key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    create_key_file(tmp_path / "master.key")
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(UnsafeKeyFileError, match="600"):
        read_key_file(tmp_path / "master.key")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyMissingError):
        read_key_file(tmp_path / "nothing")
    with pytest.raises(MasterKeyMissingError):
        read_key_file(tmp_path)


@pytest.mark.parametrize("words", [b"", b"short", b"\xff" * 44, b"z" * 64, b"A" * 44, b"a" * 63])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, words: bytes) -> None:
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    path.write_bytes(words)
    with pytest.raises(InvalidOptionError) as caught:
        read_key_file(path)
    assert words.decode("latin-1") not in str(caught.value) or not words


def test_both_spellings_of_a_key_are_the_same_key() -> None:
    key = os.urandom(32)
    spelled = {parsed_key(key.hex()).key_id, parsed_key(f" {key.hex().upper()}\n").key_id}
    spelled.add(parsed_key(base64.b64encode(key).decode()).key_id)
    assert len(spelled) == 1


def test_a_wrapped_key_serves_its_context_and_master_only() -> None:
    master = LocalMasterKey(os.urandom(32))
    wrapped = master.wrap(b"k" * 32, CONTEXT)
    for other, context in (
        (master, CONTEXT | {"imprint:tenant": "2"}),
        (LocalMasterKey(os.urandom(32)), CONTEXT),
    ):
        with pytest.raises(MasterKeyWrongError):
            other.unwrap(wrapped, context)
    for damaged in (b"", wrapped[:20], wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with pytest.raises(MasterKeyWrongError):
            master.unwrap(damaged, CONTEXT)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="16"):
        LocalMasterKey(bytes(16))
