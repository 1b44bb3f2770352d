"""Verbs of whole tenants: list, erase."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.browse import columns
from imprint.cli.session import CORRUPT, OK, verb

if TYPE_CHECKING:
    from imprint.cli.session import Session


@verb("list")
def list_tenants(session: Session) -> None:
    r"""List tenants: encrypted, plain or erased. An erased one has no name any more.

    \b
    Example:
      imprint tenant list
    """
    with session.workspace(create=False) as workspace:
        tenants = workspace.operator.tenants()
    rows = [[str(one.number), one.name, _state(one)] for one in tenants]
    text = columns(rows, ["number", "tenant", "state"]) if rows else "no tenants yet"
    session.show({"tenants": tenants}, text)


@verb("erase")
@click.argument("name")
@click.option("--marker", "markers", multiple=True, help="Text to be searched for besides.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_tenant(session: Session, *, name: str, markers: tuple[str, ...], yes: bool) -> int:
    r"""Destroy a tenant: keys, rows, files, its part of every backup on record. Prove it.

    Afterwards every byte of workspace and backups is searched for what the tenant held; the proof
    says what was searched. Exit code 8 when something is left or a backup could not be reached.

    \b
    Example:
      imprint tenant erase acme --yes --json > proof.json
    """
    if not yes:
        click.confirm(f"Destroy everything of tenant {name}? There is no way back", abort=True)
    with session.workspace(create=False) as workspace:
        proof = workspace.operator.erase(name, [marker.encode() for marker in markers])
    session.show({**asdict(proof), "proven": proof.proven}, _told(proof))
    return OK if proof.proven else CORRUPT


@verb("export")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
def export_tenant(session: Session, *, name: str, folder: Path) -> None:
    r"""Write everything kept of a tenant to a new FOLDER: JSON lines and raw samples, readable.

    The reading is audited. What is written is not encrypted: look after it.

    \b
    Example:
      imprint tenant export acme acme-export
    """
    from imprint.flows.custody.export import export_tenant as exported

    with session.workspace(create=False) as workspace:
        counts = exported(workspace, name, folder)
    session.show(counts, f"{counts['n_supports']} supports, {counts['n_raw']} raw samples written")


def _state(tenant: Any) -> str:
    if tenant.erased_at is not None:
        return "erased"
    if tenant.n_keys == 0:
        return "plain"
    return "encrypted" if tenant.sealed_at is not None else "partly encrypted"


def _told(proof: Any) -> str:
    lines = [
        (
            f"{sum(proof.n_rows.values())} rows and {proof.n_keys_destroyed} keys destroyed, "
            f"{proof.n_audit_rows_blanked} audit rows blanked"
        ),
        (
            f"searched {proof.n_files_searched} files, {proof.n_bytes_searched} bytes, for "
            f"{sum(proof.n_witnesses.values())} things it held"
        ),
    ]
    lines += [f"backup {copy['place']}: {copy['state']}" for copy in proof.backups]
    lines += [f"FOUND in {place}: {kind}" for place, kind in proof.remains]
    if not proof.rewritten:
        lines.append("the database could not be rewritten: a reader is in the way; close it")
    lines.append("proven: nothing is left" if proof.proven else "NOT PROVEN")
    return "\n".join(lines)
