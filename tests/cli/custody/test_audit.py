"""The audit trail from the command line."""

from __future__ import annotations

import json
import sqlite3


def test_the_trail_is_listed_verified_and_exported(told, run, tickets, tmp_path) -> None:
    rows = told("audit", "list")["audit"]
    assert [row["verb"] for row in rows][:2] == ["create_collection", "teach"]
    assert rows[1]["actor"] == "cli"
    assert "create_collection" in run("audit", "list", "--limit", "1").stdout
    assert told("audit", "list", "--tenant", "nobody") == {"audit": []}
    report = told("audit", "verify")
    assert (report["ok"], report["n_rows"], report["problems"]) == (True, len(rows), [])
    assert "whole" in run("audit", "verify", "--anchor", report["anchor"]).stdout
    done = told("audit", "export", str(tmp_path / "trail.jsonl"))
    assert done == {"n_rows": len(rows), "anchor": report["anchor"]}
    lines = (tmp_path / "trail.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["verb"] for line in lines] == [row["verb"] for row in rows]
    printed = run("audit", "export", "-", "--after", str(len(rows) - 1)).stdout
    assert json.loads(printed)["audit_id"] == len(rows)


def test_a_broken_trail_exits_8(told, run, tickets, home) -> None:
    connection = sqlite3.connect(home / "imprint.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER audit_forbids_update")
    connection.execute("UPDATE audit SET actor = 'eve' WHERE id = 2")
    connection.close()
    report = told("audit", "verify", code=8)
    assert [problem["audit_id"] for problem in report["problems"]] == [2]
    assert "BROKEN" in run("audit", "verify").stdout
    assert told("audit", "verify", "--anchor", "x", code=3)["error"]["code"] == "invalid_option"
