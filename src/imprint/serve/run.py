"""Starting and stopping the server: what it refuses, what it prints once, how it ends."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import signal
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from imprint.errors import InvalidOptionError, PortInUseError, UnsafeBindError
from imprint.serve.auth import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imprint.flows.workspace import Workspace
    from imprint.serve.limits import Limits
    from imprint.settings import Settings

_GRACE_S = 20
_KEEP_ALIVE_S = 30


def serve(  # noqa: PLR0913 - one flag of the command line each
    home: str | Path | None,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    tls_cert: str | Path | None = None,
    tls_key: str | Path | None = None,
    tls_client_ca: str | Path | None = None,
    allow_public: bool = False,
    settings: Settings | None = None,
    limits: Limits | None = None,
    out: TextIO | None = None,
) -> None:
    """Serve a workspace until SIGTERM or SIGINT; a port of 0 takes a free one and says which.

    On the first start of a workspace a key for tenant "default" is made and printed once to `out`
    (standard error), with a command to try. With `tls_client_ca` only clients whose certificate one
    of these authorities has signed can connect at all. `settings.access` names the file that says
    what tokens and certificates open. Stopping finishes the requests under way, flushes the
    prediction log and closes the store.

    Raises:
        UnsafeBindError: a public address without TLS and without `allow_public`.
        PortInUseError: another program listens there.
        InvalidOptionError: the address, the TLS files or the access file cannot be used.
    """
    import uvicorn

    from imprint.flows.workspace import open_workspace
    from imprint.serve.access.rules import read_rules
    from imprint.serve.app import make_app
    from imprint.serve.connection import MOST_HEAD_BYTES, connection_class
    from imprint.serve.limits import Limits
    from imprint.settings import read_settings
    from imprint.store.quota.rates import RateBook

    out = out or sys.stderr
    limits = limits or Limits()
    settings = settings or read_settings()
    _check_tls(tls_cert, tls_key, tls_client_ca)
    if settings.access is not None:
        read_rules(settings.access)
    _check_address(host, tls=tls_cert is not None, allow_public=allow_public)
    with contextlib.closing(_listen(host, port)) as listener:
        address = _address(host, listener.getsockname()[1], tls=tls_cert is not None)
        workspace = open_workspace(home, actor="server", settings=settings)
        _greet(workspace, address, out)
        _start_logs()
        rates = RateBook(None if home is None else Path(home) / "rates.sqlite")
        app = make_app(workspace, limits, access=settings.access, rates=rates, close_workspace=True)
        config = uvicorn.Config(
            app,
            http=connection_class(limits.head_s, limits.n_connections),
            ws="none",
            h11_max_incomplete_event_size=MOST_HEAD_BYTES,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
            ssl_ca_certs=None if tls_client_ca is None else str(tls_client_ca),
            ssl_cert_reqs=ssl.CERT_NONE if tls_client_ca is None else ssl.CERT_REQUIRED,
        )
        with _signals_end_quietly():
            uvicorn.Server(config).run(sockets=[listener])


def _check_tls(
    cert: str | Path | None, key: str | Path | None, client_ca: str | Path | None
) -> None:
    if (cert is None) != (key is None):
        raise InvalidOptionError("TLS needs both a certificate and its key; give both or neither")
    if client_ca is not None and cert is None:
        raise InvalidOptionError("asking clients for certificates needs TLS; give --tls-cert too")
    if cert is None or key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError):
        raise InvalidOptionError(
            "the TLS certificate and key cannot be read, or do not belong together"
        ) from None
    if client_ca is None:
        return
    try:
        context.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError):
        raise InvalidOptionError("the file of client authorities cannot be read") from None


def _check_address(host: str, *, tls: bool, allow_public: bool) -> None:
    if tls or allow_public or _is_loopback(host):
        return
    raise UnsafeBindError(
        f"{host or 'that address'} can be reached from other machines and keys would travel in "
        "the clear; give --tls-cert and --tls-key, or --allow-public behind a proxy that does TLS"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The event loop sends small answers at once (TCP_NODELAY) only where the protocol is named;
    # without it every answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} is taken by another program; stop it or choose another with --port"
            ) from None
        raise InvalidOptionError(
            f"cannot listen on {host} port {port}; check the address, and that the port is within "
            "0 .. 65535 and allowed to you"
        ) from None
    return listener


def _address(host: str, port: int, *, tls: bool) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def _greet(workspace: Workspace, address: str, out: TextIO) -> None:
    lines = [f"Imprint serves {address} (documentation at {address}/docs)"]
    if workspace.keys():
        lines.append("Keys: `imprint keys list`, `imprint keys create NAME`")
    else:
        _, secret = workspace.create_key("first", SCOPES, tenant="default")
        lines += [
            "A first key was made, for everything in tenant default. It is shown this once:",
            f"  {secret}",
            "Try it:",
            f"  curl {address}/v1/collections -H 'Authorization: Bearer {secret}' \\",
            "    -H 'Content-Type: application/json' \\",
            """    -d '{"name": "intents", "modality": "text"}'""",
        ]
    if workspace.operator.keys().master_key is None:
        lines.append(
            "Encryption at rest is off: what is taught lies readable on this disk. To turn it on: "
            "`imprint keys master create FILE`, IMPRINT_MASTER_KEY_FILE=FILE, `imprint encrypt`"
        )
    print("\n".join(lines), file=out, flush=True)


def _start_logs() -> None:
    """Log to standard error unless the program that called us logs already."""
    for name, level in (("imprint", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        if logger.handlers or logging.getLogger().handlers:
            continue
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """After its graceful end the server raises the signal again; by then it has done its work."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
