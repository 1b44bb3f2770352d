"""Backup, verify and restore from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_a_workspace_is_backed_up_verified_and_restored(told, run, tickets, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert told("backup", str(copy))["ok"]
    assert told("backup", str(copy), code=5)["error"]["code"] == "conflict"
    assert "whole" in run("backup", "--verify", str(copy)).stdout
    new = ("--home", str(tmp_path / "new"))
    assert told("restore", str(copy), *new)["n_files"] >= 2
    assert told("labels", tickets, *new) == told("labels", tickets)
    assert told("restore", str(copy), *new, code=5)["error"]["code"] == "conflict"
    (copy / "workspace.json").write_text("x")
    assert not told("backup", "--verify", str(copy), code=8)["ok"]
    other = ("--home", str(tmp_path / "other"))
    assert told("restore", str(copy), *other, code=8)["error"]["code"] == "backup_corrupt"
    assert told("restore", str(tmp_path), *other, code=8)["error"]["code"] == "backup_corrupt"
    assert told("restore", str(tmp_path / "x"), *other, code=4)["error"]["code"] == "not_found"


def test_doctor_says_whether_what_is_kept_is_encrypted(told, tickets, monkeypatch) -> None:
    def found() -> tuple[str, str]:
        findings = told("doctor")["findings"]
        one = next(finding for finding in findings if finding["name"] == "encryption")
        return one["verdict"], one["found"]

    assert found() == ("ok", "off")
    told("keys", "create", "laptop")
    assert found()[0] == "warning"
    monkeypatch.setenv("IMPRINT_MASTER_KEY", "00" * 32)
    assert found() == ("warning", "1 tenants with plain rows, 0 old keys")
    told("encrypt")
    assert found() == ("ok", "on")


def test_what_was_forgotten_is_swept(told, tickets) -> None:
    told("forget", tickets, "--label", "refund")
    assert told("sweep", "--forgotten-days", "1") == {"n_expired": 0, "n_erased": 0}
    assert told("sweep", "--forgotten-days", "0") == {"n_expired": 0, "n_erased": 1}


def test_an_example_can_be_taught_for_a_time_and_the_report_tells_of_it(told, tickets) -> None:
    told("teach", tickets, "parcel", "where is my box", "--text", "--expires", "2d")
    age = told("report", tickets)["staleness"]
    assert age["n_due_soon"] == 1
    assert "parcel" in {one["label"] for one in age["classes"]}
    told("teach", tickets, "parcel", "another", "--text", "--expires", "2001-01-01", code=3)
