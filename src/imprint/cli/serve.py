"""Verbs of the server: serve and keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from imprint.cli.browse import columns
from imprint.cli.session import verb, verbs

if TYPE_CHECKING:
    from imprint.cli.session import Session

SCOPES = ("teach", "classify", "read", "admin")


@verbs("keys")
def keys_verb() -> None:
    r"""Create, list and revoke the API keys of the server.

    \b
    Example:
      imprint keys create laptop
    """


@verb("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="May be given several times; all without.")
@click.option("--tenant", default="default", show_default=True, help="Whose collections it opens.")
def create_key(session: Session, *, name: str, scopes: tuple[str, ...], tenant: str) -> None:
    r"""Create a key. Its secret is shown this once; only its hash is stored.

    \b
    Example:
      imprint keys create laptop --scope classify
    """
    with session.workspace() as workspace:
        row, secret = workspace.create_key(name, scopes or SCOPES, tenant=tenant)
    session.note("This is the only time the secret is shown. Keep it like a password.")
    session.show({**asdict(row), "secret": secret}, secret)


@verb("list")
def list_keys(session: Session) -> None:
    r"""List keys without their secrets, newest first.

    \b
    Example:
      imprint keys list
    """
    with session.workspace(create=False) as workspace:
        rows = workspace.keys()
    shown = [
        [k.key_id, k.name, k.tenant, ",".join(k.scopes), "revoked" if k.revoked_at else "valid"]
        for k in rows
    ]
    text = columns(shown, ["key", "name", "tenant", "scopes", "state"]) if rows else "no keys yet"
    session.show({"keys": rows}, text)


@verb("revoke")
@click.argument("key_id")
def revoke_key(session: Session, *, key_id: str) -> None:
    r"""Make a key invalid from now on.

    \b
    Example:
      imprint keys revoke 0123456789ab
    """
    with session.workspace(create=False) as workspace:
        workspace.revoke_key(key_id)
    session.show({"revoked": key_id}, f"revoked {key_id}")


for _command in (create_key, list_keys, revoke_key):
    keys_verb.add_command(_command)
