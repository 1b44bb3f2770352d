"""Everything kept of a tenant can be handed out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tenant_gets_everything_that_is_kept_of_it(told, run, tickets, tmp_path: Path) -> None:
    to = tmp_path / "export"
    counts = told("tenant", "export", "default", str(to))
    assert (counts["n_collections"], counts["n_supports"], counts["n_raw"]) == (1, 2, 2)
    lines = [json.loads(line) for line in (to / "supports.jsonl").read_text().splitlines()]
    assert {line["label"] for line in lines} == {"refund", "late"}
    assert all((to / line["raw"]).read_bytes() for line in lines)
    assert abs(sum(x * x for x in lines[0]["vector"]) - 1) < 1e-5
    assert (to / "tenant.json").stat().st_size
    assert to.stat().st_mode & 0o077 == 0
    assert told("tenant", "export", "default", str(to), code=5)["error"]["code"] == "conflict"
    assert told("tenant", "export", "nobody", str(to / "x"), code=4)["error"]["code"] == "not_found"
    assert "export_raw" in [row["verb"] for row in told("audit", "list")["audit"]]
    assert list(tmp_path.glob(".*.part")) == []
