"""Verbs of what is kept for later: backup, restore, sweep."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import CORRUPT, OK, verb

if TYPE_CHECKING:
    from imprint.cli.session import Session

FOLDER = click.Path(file_okay=False, path_type=Path)


@verb("backup")
@click.argument("folder", type=FOLDER)
@click.option("--verify", "only_verify", is_flag=True, help="Check a backup, make none.")
def backup_verb(session: Session, *, folder: Path, only_verify: bool) -> int:
    r"""Copy the workspace to a new FOLDER while it is in use, and verify the copy.

    The master key is no part of a backup: keep a copy of it elsewhere. Exit code 8 when --verify
    finds damage.

    \b
    Example:
      imprint backup /backups/2026-03-14
      imprint backup --verify /backups/2026-03-14
    """
    if only_verify:
        from imprint.flows.custody.copies import verify_backup

        report = verify_backup(folder)
    else:
        with session.workspace(create=False) as workspace:
            report = workspace.operator.backup(folder)
    session.show(asdict(report), _told(report))
    return OK if report.ok else CORRUPT


@verb("restore")
@click.argument("folder", type=FOLDER)
def restore_verb(session: Session, *, folder: Path) -> None:
    r"""Make a workspace of the backup in FOLDER, in the new or empty folder named by --home.

    \b
    Example:
      imprint restore /backups/2026-03-14 --home imprint-restored
    """
    from imprint.flows.custody.copies import restore_backup

    report = restore_backup(folder, session.settings().home)
    session.show(asdict(report), f"restored {report.n_files} files as of {report.made_at}")


@verb("sweep")
@click.option(
    "--forgotten-days",
    "days",
    type=click.IntRange(0, 36_500),
    help="Retention of collections whose policy has no retention_days; without: kept.",
)
def sweep_verb(session: Session, *, days: int | None) -> None:
    r"""Take out what has expired and erase for good what was gone for long, of all tenants.

    A collection's `retention_days` says how long what was forgotten or has expired can be brought
    back. Run it daily.

    \b
    Example:
      imprint sweep --forgotten-days 30
    """
    from imprint.flows.custody.sweeping import sweep

    with session.workspace(create=False) as workspace:
        swept = sweep(workspace, None if days is None else timedelta(days=days))
    session.show(swept, f"{swept.n_expired} supports expired, {swept.n_erased} erased for good")


def _told(report: Any) -> str:
    lines = [f"{report.n_files} files, {report.n_bytes} bytes, made {report.made_at}"]
    if report.n_files_missing:
        lines.append(f"{report.n_files_missing} raw samples were lost before it was made")
    lines += [f"DAMAGED: {problem}" for problem in report.problems]
    lines.append("whole" if report.ok else "NOT WHOLE")
    return "\n".join(lines)
