"""The verb that starts the server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import EPILOG, verb
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.cli.session import Session

NEEDED = ("starlette", "multipart", "prometheus_client", "uvicorn")


@verb("serve", epilog=f"{EPILOG} 0 also when it is stopped by a signal, in good order.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port; 0 takes a free one.")
@click.option("--tls-cert", metavar="FILE", help="Certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
@click.option(
    "--tls-client-ca", metavar="FILE", help="Who signs the clients that may connect (PEM)."
)
@click.option("--access", metavar="FILE", help="What tokens and client certificates open (TOML).")
@click.option("--allow-public", is_flag=True, help="Listen on a public address without TLS.")
def serve_verb(
    session: Session, *, host: str, port: int, access: str | None, **choices: Any
) -> None:
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

    settings = session.settings(access=access)
    serve(settings.home, host, port, settings=settings, **choices)
    session.show({"host": host, "port": port, "stopped": True}, "stopped")
