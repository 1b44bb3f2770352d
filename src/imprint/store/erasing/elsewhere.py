"""Erasing a tenant in the copies of the workspace that are on record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from imprint.errors import ImprintError, NotFoundError
from imprint.store.copies.manifest import read_manifest, write_manifest
from imprint.store.erasing.erase import erase_tenant
from imprint.store.erasing.witnesses import Witness, searched
from imprint.store.schema import copies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from imprint.store.workspace import SqlStore


def erased_elsewhere(
    store: SqlStore, name: str, witnesses: Sequence[Witness], *, actor: str, now: datetime
) -> list[dict[str, Any]]:
    """Erase the tenant in every copy on record; says of each what became of it.

    States: "erased" (nothing of the tenant is left in it), "gone" (the copy was deleted),
    "out of reach" (its disk is not here), "failed" (it could not be erased; `problem` says why),
    "left" (something was found after erasing).
    """
    with store.connections.reading() as session:
        rows = session.rows(copies.EVERY)
    told = []
    for number, _, place, _ in rows:
        folder = Path(place)
        one: dict[str, Any] = {"number": number, "place": place, "state": "out of reach"}
        if folder.is_dir():
            one |= _erased_in(store, folder, name, witnesses, actor, now)
            _note(store, number, one.pop("manifest_sha256", None))
        elif folder.parent.is_dir():
            one["state"] = "gone"
        told.append(one)
    return told


def _erased_in(
    store: SqlStore,
    folder: Path,
    name: str,
    witnesses: Sequence[Witness],
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    from imprint.store.opening import opened

    try:
        words = read_manifest(folder)
        copy = opened(
            folder,
            read_only=False,
            timeout_s=10.0,
            answer_cap=store.answer_cap,
            master_keys=store.keyring.masters,
        )
        try:
            proof, theirs = erase_tenant(copy, folder, name, actor=actor, now=now)
            remains = list(proof.remains)
            sought = [one for one in witnesses if one not in theirs]
        except NotFoundError:
            # Not in this copy (made before the tenant came, or erased in it already).
            remains, sought = [], []
        finally:
            copy.close()
        found = searched(folder, [one for one in sought if one.kind in {"key", "marker"}]).found
        remains += [(place, witness.kind) for place, witness in found]
        manifest = write_manifest(folder, words["made_at"], words.get("n_files_missing", 0))
    except ImprintError as failure:
        return {"state": "failed", "problem": str(failure)}
    return {
        "state": "left" if remains else "erased",
        "remains": remains,
        "manifest_sha256": manifest,
    }


def _note(store: SqlStore, number: int, manifest_sha256: str | None) -> None:
    if manifest_sha256 is not None:
        with store.connections.writing() as session:
            session.run(copies.CHANGED, {"copy": number, "new_sha256": manifest_sha256})
