"""Everything kept of one tenant, handed out to whom it belongs: readable files in one folder."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imprint.errors import ConflictError, NotFoundError
from imprint.types import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.flows.workspace import Workspace
    from imprint.store.ports import CollectionRow

PAGE = 500


def export_tenant(workspace: Workspace, name: str, to: Path) -> dict[str, int]:
    """Write a tenant's collections, supports, raw samples, corrections, keys and audit rows.

    `tenant.json` holds collections and keys, `supports.jsonl` one support a line with its vector,
    `raw/` the raw samples by support id, `feedback.jsonl` and `audit.jsonl` one row a line. The
    reading of raw samples is audited, one row per collection. The folder appears when it is whole.

    Raises:
        NotFoundError: there is no such tenant.
        ConflictError: something is there already.
    """
    if name not in {one.name for one in workspace.operator.tenants() if one.erased_at is None}:
        raise NotFoundError("there is no tenant of this name; `imprint tenant list` names them")
    if to.exists():
        raise ConflictError("there is something in that place already; an export needs a new name")
    half = to.with_name(f".{to.name}.{uuid.uuid4().hex}.part")
    (half / "raw").mkdir(mode=0o700, parents=True)
    half.chmod(0o700)
    try:
        counts = _written(workspace.tenant(name), name, half)
        half.rename(to)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    return counts


def _written(mine: Workspace, name: str, folder: Path) -> dict[str, int]:
    rows = mine.store_view.collections()
    api_keys = mine.keys()
    keys = [as_json(key) for key in api_keys if key.tenant == name]
    facts = {"tenant": name, "collections": [as_json(row) for row in rows], "keys": keys}
    (folder / "tenant.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
    n_supports = _lines(
        folder / "supports.jsonl", (one for row in rows for one in _supports(mine, row, folder))
    )
    n_feedback = _lines(
        folder / "feedback.jsonl", (one for row in rows for one in _feedback(mine, row))
    )
    n_audit = _lines(folder / "audit.jsonl", mine.trail.rows(name))
    return {
        "n_collections": len(rows),
        "n_supports": n_supports,
        "n_raw": len(list((folder / "raw").iterdir())),
        "n_feedback": n_feedback,
        "n_audit_rows": n_audit,
    }


def _supports(mine: Workspace, row: CollectionRow, folder: Path) -> Iterator[dict[str, Any]]:
    view = mine.store_view
    vectors = {one.support_id: one.vector for one in view.changes(row.collection_id)}
    # One row for all of them, written before the first is read.
    with mine.writing("export_raw", row.name, {"n_supports": len(vectors)}):
        pass
    after: str | None = None
    while page := view.supports(row.collection_id, limit=PAGE, after=after):
        for support in page:
            after = support.support_id
            raw = view.raw(row.collection_id, after)
            named = f"{row.collection_id}-{after}".replace(os.sep, "_")
            if raw is not None:
                (folder / "raw" / named).write_bytes(raw.content)
            vector = vectors.get(after)
            yield {
                "collection": row.name,
                **as_json(asdict(support)),
                "raw": f"raw/{named}" if raw is not None else None,
                "vector": None if vector is None else [float(x) for x in vector],
            }


def _feedback(mine: Workspace, row: CollectionRow) -> Iterator[dict[str, Any]]:
    for answer_id, label, at in mine.store_view.feedback(row.collection_id):
        yield {"collection": row.name, "answer": answer_id, "label": label, "at": at.isoformat()}


def _lines(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    n_rows = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n_rows += 1
    return n_rows
