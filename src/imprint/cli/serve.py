"""Verbs of the server: serve and keys."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.browse import columns
from imprint.cli.session import EPILOG, verb, verbs
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.cli.session import Session

# As in serve.auth; a test holds them together.
SCOPES = ("teach", "classify", "read_raw", "review", "admin")
DEFAULT_SCOPES = ("teach", "classify")
NEEDED = ("starlette", "multipart", "prometheus_client", "uvicorn")


@verb("serve", epilog=f"{EPILOG} 0 also when it is stopped by a signal, in good order.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port; 0 takes a free one.")
@click.option("--tls-cert", metavar="FILE", help="Certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
@click.option("--allow-public", is_flag=True, help="Listen on a public address without TLS.")
def serve_verb(session: Session, *, host: str, port: int, **choices: Any) -> None:
    r"""Start the HTTP server; the first start makes a key and shows it once.

    \b
    Example:
      imprint serve --host 127.0.0.1 --port 8080
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InvalidOptionError(
            f"the server's packages are not installed ({', '.join(missing)} missing); "
            "pip install 'imprint[serve]'"
        )
    from imprint.serve.run import serve

    settings = session.settings()
    serve(settings.home, host, port, settings=settings, **choices)
    session.show({"host": host, "port": port, "stopped": True}, "stopped")


@verbs("keys")
def keys_verb() -> None:
    r"""Create, list and revoke the API keys of the server.

    \b
    Example:
      imprint keys create laptop
    """


@verb("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What the key may do; may be given several times. Without: teach and classify.",
)
@click.option("--tenant", default="default", show_default=True, help="Whose collections it opens.")
@click.option("--days", type=click.IntRange(1), help="Days until it expires; never without.")
def create_key(
    session: Session, *, name: str, scopes: tuple[str, ...], tenant: str, days: int | None
) -> None:
    r"""Create a key. Its secret is shown this once; only its hash is stored.

    \b
    Example:
      imprint keys create laptop --scope classify
    """
    with session.workspace() as workspace:
        until = None if days is None else workspace.clock() + timedelta(days=days)
        row, secret = workspace.create_key(name, scopes or DEFAULT_SCOPES, tenant=tenant, expires_at=until)
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
