"""Verbs of the audit trail: list, verify, export."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.browse import columns
from imprint.cli.session import CORRUPT, OK, verb, verbs

if TYPE_CHECKING:
    from imprint.cli.session import Session


@verbs("audit")
def audit_verb() -> None:
    r"""List, verify and export the audit trail: who did what when, in a chain of hashes.

    \b
    Example:
      imprint audit verify
    """


@verb("list")
@click.option("--tenant", help="Only rows of this tenant.")
@click.option("--after", default=0, show_default=True, help="Only rows after this number.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
def list_audit(session: Session, *, tenant: str | None, after: int, limit: int) -> None:
    r"""List audit rows, oldest first.

    \b
    Example:
      imprint audit list --tenant default --after 100
    """
    from itertools import islice

    with session.workspace(create=False) as workspace:
        rows = list(islice(workspace.trail.rows(tenant, after), limit))
    header = ["row", "at", "tenant", "actor", "verb", "collection"]
    shown = [[str(row[k] or "") for k in ("audit_id", *header[1:])] for row in rows]
    session.show({"audit": rows}, columns(shown, header) if rows else "no rows")


@verb("verify")
@click.option("--anchor", metavar="ROWS:HASH", help="An earlier anchor the chain must go through.")
def verify_audit(session: Session, *, anchor: str | None) -> int:
    r"""Follow the chain of hashes; exit code 8 when a row was changed, removed, moved or put in.

    Keep the printed anchor where nobody who can write this workspace can reach it: given back with
    --anchor it finds even a whole chain made anew, or an older copy put in place of this one.

    \b
    Example:
      imprint audit verify
    """
    with session.workspace(create=False) as workspace:
        report = workspace.trail.verify(anchor)
    session.show(asdict(report) | {"problems": _problems(report)}, _told(report))
    return OK if report.ok else CORRUPT


@verb("export")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=False))
@click.option("--tenant", help="Only rows of this tenant.")
@click.option("--after", default=0, show_default=True, help="Only rows after this number.")
def export_audit(session: Session, *, file: Any, tenant: str | None, after: int) -> None:
    r"""Write audit rows to FILE as JSON lines, with what is needed to check their hashes.

    FILE may be - for standard output (not together with --json).

    \b
    Example:
      imprint audit export trail.jsonl
    """
    n_rows = 0
    with session.workspace(create=False) as workspace:
        for row in workspace.trail.rows(tenant, after):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n_rows += 1
        anchor = workspace.trail.anchor()
    if session.json or file.name != "<stdout>":
        session.show({"n_rows": n_rows, "anchor": anchor}, f"{n_rows} rows; anchor {anchor}")


def _problems(report: Any) -> list[dict[str, Any]]:
    return [problem._asdict() for problem in report.problems]


def _told(report: Any) -> str:
    sealed = "sealed with the master key" if report.sealed else "not sealed (no master key)"
    lines = [f"{report.n_rows} rows, {report.n_erased} of erased tenants, {sealed}"]
    lines += [f"row {p.audit_id or 'head'}: {p.problem}" for p in report.problems]
    lines.append(f"whole; anchor {report.anchor}" if report.ok else "THE TRAIL IS BROKEN")
    return "\n".join(lines)


for _command in (list_audit, verify_audit, export_audit):
    audit_verb.add_command(_command)
