"""Master keys, encryption and erasure from the command line."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "nobody may read this sentence on the disk"


def test_a_plain_workspace_is_encrypted_with_a_new_master_key(
    told, run, home: Path, tmp_path: Path, monkeypatch
) -> None:
    told("teach", "tickets", "refund", "--text", MARKER)
    key = tmp_path / "master.key"
    made = told("keys", "master", "create", str(key))
    assert made["master_key"].startswith("local:")
    assert told("keys", "master", "create", str(key), code=5)["error"]["code"] == "conflict"
    assert told("encrypt", code=6)["error"]["code"] == "master_key_missing"
    monkeypatch.setenv("IMPRINT_MASTER_KEY_FILE", str(key))
    (done,) = told("encrypt")["tenants"]
    assert (done["finished"], done["n_rows"]["supports"]) == (True, 1)
    assert MARKER.encode() not in b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
    (done,) = told("encrypt", "--rotate")["tenants"]
    assert (done["rotated"], done["n_old_keys"]) == (True, 1)
    assert told("classify", "tickets", "--text", MARKER)["label"] == "refund"
    assert "encrypted" in run("tenant", "list").stdout
    newer = tmp_path / "newer.key"
    told("keys", "master", "create", str(newer))
    assert told("keys", "master", "rotate", "--to", str(newer))["n_keys"] == 3
    assert told("labels", "tickets", code=6)["error"]["code"] == "master_key_wrong"
    monkeypatch.setenv("IMPRINT_MASTER_KEY_FILE", str(newer))
    words = ("keys", "master", "rotate", "--to", str(newer))
    assert told(*words, code=3)["error"]["code"] == "invalid_option"
    assert told("labels", "tickets")["labels"][0]["label"] == "refund"
    key.chmod(0o644)
    monkeypatch.setenv("IMPRINT_MASTER_KEY_FILE", str(key))
    assert told("labels", "tickets", code=6)["error"]["code"] == "unsafe_key_file"


def test_a_tenant_is_erased_and_the_proof_says_what_was_searched(told, run, home: Path) -> None:
    told("teach", "tickets", "refund", "--text", MARKER)
    assert run("tenant", "erase", "default", given="n\n").exit_code == 130
    proof = told("tenant", "erase", "default", "--yes", "--marker", MARKER)
    assert proof["proven"]
    assert proof["n_witnesses"]["marker"] == 1
    assert proof["remains"] == []
    assert MARKER.encode() not in b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
    (state,) = told("tenant", "list")["tenants"]
    assert state["erased_at"] is not None
    assert told("tenant", "erase", "default", "--yes", code=4)["error"]["code"] == "not_found"
    assert told("audit", "verify")["ok"]


def test_what_an_erasure_leaves_behind_exits_8(told, run, home: Path) -> None:
    told("teach", "tickets", "refund", "--text", MARKER)
    connection = sqlite3.connect(home / "imprint.sqlite")
    (home / "copy.txt").write_text(MARKER)
    connection.close()
    proof = told("tenant", "erase", "default", "--yes", code=8)
    assert not proof["proven"]
    assert ["copy.txt", "raw sample"] in proof["remains"]
