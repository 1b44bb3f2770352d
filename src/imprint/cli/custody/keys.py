"""Verbs of encryption: make and replace the master key, encrypt, rotate data keys."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imprint.cli.session import BUSY, EPILOG, OK, Progress, help_of, verb

if TYPE_CHECKING:
    from imprint.cli.session import Session

FILE = click.Path(dir_okay=False, path_type=Path)


def _master() -> None:
    r"""Make and replace the master key that wraps every data key.

    \b
    Example:
      imprint keys master create /etc/imprint/master.key
    """


master_verb = click.Group(
    "master",
    callback=_master,
    help=help_of(_master),
    short_help="Make and replace the master key.",
    epilog=EPILOG,
)


@verb("create")
@click.argument("file", type=FILE)
def create_master(session: Session, *, file: Path) -> None:
    r"""Make a master key in a new FILE that only you may read. It never overwrites one.

    Keep it apart from the workspace and its backups, and keep a copy in a safe place: without it
    nothing that is encrypted can be read again.

    \b
    Example:
      imprint keys master create /etc/imprint/master.key
    """
    from imprint.flows.custody.operator import create_master_key

    key_id = create_master_key(file)
    session.note("Name it with IMPRINT_MASTER_KEY_FILE or master_key_file, and keep a safe copy.")
    session.show({"master_key": key_id}, key_id)


@verb("rotate")
@click.option("--to", "file", type=FILE, required=True, help="File of the new master key.")
def rotate_master(session: Session, *, file: Path) -> None:
    r"""Wrap every data key with another master key. No row is touched; it takes a moment.

    Start every process with the new key afterwards, and the old one as old_master_key_file until
    the last of them was started anew. Backups made before still open with the old key only.

    \b
    Example:
      imprint keys master rotate --to /etc/imprint/master-2.key
    """
    with session.workspace(create=False) as workspace:
        key_id, n_keys = workspace.operator.replace_master_key(file)
    session.show({"master_key": key_id, "n_keys": n_keys}, f"{n_keys} keys wrapped by {key_id}")


for _command in (create_master, rotate_master):
    master_verb.add_command(_command)


@verb("encrypt")
@click.option("--tenant", help="Only this tenant; all of them without.")
@click.option("--rotate", is_flag=True, help="Make new data keys first and destroy the old ones.")
def encrypt_verb(session: Session, *, tenant: str | None, rotate: bool) -> int:
    r"""Encrypt what was stored before there was a master key, or change the data keys.

    The workspace can be used meanwhile. What is interrupted goes on when the command is run again.

    \b
    Example:
      imprint encrypt
    """
    with session.workspace(create=False) as workspace, Progress("rows encrypted") as bar:
        done = workspace.operator.encrypt(tenant, rotate=rotate, heard=bar.at)
    lines = [f"{one.tenant}: {sum(one.n_rows.values())} rows encrypted" for one in done]
    if not all(one.finished for one in done):
        lines.append("not finished: rows were written meanwhile; run it again")
    session.show({"tenants": [asdict(one) for one in done]}, "\n".join(lines) or "nothing to do")
    return OK if all(one.finished for one in done) else BUSY
