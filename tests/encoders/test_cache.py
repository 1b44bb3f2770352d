"""The model cache: whole entries or none, races, damage, a full disk."""

from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from imprint.encoders.weights.cache import CARD, ModelCache, checked_name
from imprint.encoders.weights.files import copy_verified, sha256_of, version_of
from imprint.errors import InvalidNameError, ModelHashError, ReadOnlyError, StorageFullError

CONTENT = b"weights"


def write(folder: Path) -> None:
    (folder / "model.bin").write_bytes(CONTENT)


def made(cache: ModelCache) -> str:
    return cache.made("toy", {"identity": {"a": 1}, "modality": "text"}, write)


def test_an_entry_is_named_by_what_decides_its_vectors(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    version = made(cache)
    assert version == version_of("toy", {"a": 1})
    assert version.startswith("toy@")
    assert len(version) == len("toy@") + 16
    assert cache.verified(version)["files"]["model.bin"] == sha256_of(
        cache.folder(version) / "model.bin"
    )
    assert cache.versions() == [version]


def test_the_hash_does_not_depend_on_the_order_of_fields() -> None:
    assert version_of("x", {"a": 1, "b": 2}) == version_of("x", {"b": 2, "a": 1})
    assert version_of("x", {"a": 1}) != version_of("x", {"a": 2})


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    version = made(cache)
    (cache.folder(version) / "model.bin").write_bytes(b"Weights")
    with pytest.raises(ModelHashError, match="replaced"):
        cache.verified(version)


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"identity": {"a": 2}, "name": "toy", "files": {}}']
)
def test_a_changed_card_is_noticed(tmp_path: Path, damage: str) -> None:
    cache = ModelCache(tmp_path)
    version = made(cache)
    (cache.folder(version) / CARD).write_text(damage)
    with pytest.raises(ModelHashError):
        cache.verified(version)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    version = made(cache)
    (cache.folder(version) / "model.bin").unlink()
    with pytest.raises(ModelHashError):
        cache.verified(version)


def test_what_a_killed_build_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    draft = tmp_path / "encoders" / f".draft-{version_of('toy', {'a': 1})}"
    draft.mkdir(parents=True)
    (draft / "half").write_bytes(b"x")
    version = made(cache)
    assert not draft.exists()
    assert set(cache.verified(version)["files"]) == {"model.bin"}


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)

    def fail(folder: Path) -> None:
        write(folder)
        raise OSError(errno.ENOSPC, "no room")

    with pytest.raises(StorageFullError, match="full"):
        cache.made("toy", {"identity": {"a": 1}}, fail)
    assert cache.versions() == []
    assert list((tmp_path / "encoders").iterdir()) == []


def test_a_read_only_cache_is_told_as_such(tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(errno.EROFS, "read-only")

    with pytest.raises(ReadOnlyError, match="IMPRINT_CACHE"):
        ModelCache(tmp_path).made("toy", {"identity": {}}, refuse)


RACER = """
import sys
from pathlib import Path
from imprint.encoders.weights.cache import ModelCache
root, mark = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
def write(folder):
    with mark.open("a") as f:
        f.write("built\\n")
    (folder / "model.bin").write_bytes(b"weights")
print(ModelCache(root).made("toy", {"identity": {"a": 1}}, write))
"""


def test_two_processes_that_build_at_once_build_once(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = [sys.executable, "-c", RACER, str(tmp_path / "cache"), str(mark)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    versions = {racer.communicate("go\n")[0].strip() for racer in racers}
    assert versions == {version_of("toy", {"a": 1})}
    assert mark.read_text() == "built\n"


def test_names_point_at_versions_and_choices_are_kept(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    assert cache.named("mine") is None
    cache.point("mine", "mine@0")
    version = made(cache)
    cache.point("mine", version)
    assert cache.named("mine") == version
    assert cache.names() == {"mine": version}
    assert cache.choice("family") == {}
    cache.choose("family", {"variant": "int8"})
    assert cache.choice("family") == {"variant": "int8"}


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "a b", "a@b"])
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError):
        checked_name(name)


def test_a_damaged_name_or_choice_reads_as_none(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    for folder in ("names", "choices"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.json").write_text("[")
    assert cache.named("mine") is None
    assert cache.choice("mine") == {}


def test_a_name_whose_files_are_gone_is_not_listed(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    cache.point("mine", "mine@0123456789abcdef")
    assert cache.names() == {}


def test_a_copy_with_another_hash_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelHashError, match="SHA-256"):
        copy_verified(io.BytesIO(CONTENT), tmp_path / "x", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_card_is_json_people_can_read(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    card = json.loads((cache.folder(made(cache)) / CARD).read_text())
    assert card["name"] == "toy"
    assert card["modality"] == "text"
