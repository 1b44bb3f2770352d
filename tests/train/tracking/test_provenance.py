"""Hashes and the state of the code, compared with git and hashlib themselves."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import numpy as np

from imprint.train.tracking.provenance import (
    git_state,
    hash_of_arrays,
    hash_of_files,
    installed,
    sha256_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_state_of_the_code_is_gits(tmp_path: Path) -> None:
    assert git_state(tmp_path / "nowhere") == (None, False)
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("x = 1\n", "utf-8")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "results.json").write_text("{}", "utf-8")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "a.py").write_text("x = 2\n", "utf-8")
    assert git_state(tmp_path) == (commit, True)


def test_the_hash_of_a_folder_is_of_names_and_bytes_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "cats").mkdir(parents=True)
        (tmp_path / name / "cats" / "a.png").write_bytes(b"a")
        (tmp_path / name / "b.png").write_bytes(b"b")
    assert hash_of_files(tmp_path / "one") == hash_of_files(tmp_path / "two")
    (tmp_path / "two" / "b.png").rename(tmp_path / "two" / "c.png")
    assert hash_of_files(tmp_path / "one") != hash_of_files(tmp_path / "two")


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    assert hash_of_files(tmp_path / "a").endswith(sha256_of(tmp_path / "a"))


def test_arrays_of_other_values_shape_or_kind_hash_differently() -> None:
    one = np.arange(6)
    others = [one + 1, one.reshape(2, 3), one.astype(np.int16), np.arange(0)]
    hashes = {hash_of_arrays(array) for array in [one, *others]}
    assert len(hashes) == 5
    assert hash_of_arrays(one) == hash_of_arrays(np.arange(12)[::2] // 2)


def test_only_what_is_installed_has_a_version() -> None:
    assert set(installed(["numpy", "no-such-distribution"])) == {"numpy"}
