"""One connection, before there is a request: the time its head may take, and what cannot be read.

uvicorn's own protocol over h11 waits for the head of a request for as long as it likes and answers
what it cannot parse with a line of text. This one gives a head `head_s` seconds from its first byte
(and a new connection the same time to say anything), and refuses as problem documents.
"""

from __future__ import annotations

import hashlib
import secrets
import ssl
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from imprint.errors import ImprintError, MalformedRequestError, SlowRequestError
from imprint.serve.problems import problem_response

if TYPE_CHECKING:
    import asyncio

# In `scope["state"]`: the SHA-256 of the client's certificate, once TLS has verified it.
CLIENT_CERTIFICATE = "imprint_client_certificate"
# The line and all headers together; h11 stops reading there.
MOST_HEAD_BYTES = 32 * 1024


class Connection(H11Protocol):
    """A connection with a deadline for every head; `connection_class` sets the limits."""

    head_s = 10.0
    n_connections = 800

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.n_connections:
            # No answer: writing one to each of thousands is what an attacker would want.
            transport.close()
            return
        sha256 = _certificate_of(transport)
        if sha256 is not None:
            # The state is the application's; a copy is this connection's own.
            self.app_state = {**self.app_state, CLIENT_CERTIFICATE: sha256}
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; the first byte of a head starts its time, its last byte ends it."""
        if self.conn.their_state is h11.IDLE and self._deadline is None:
            self._await_head()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Go on to the next request; part of its head may have come with the last one."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._await_head()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - said in our words
        """Refuse what is no HTTP."""
        self._stop_waiting()
        self._refuse(MalformedRequestError("the request is not HTTP that can be read"))

    def _await_head(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.head_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return
        if self.conn.trailing_data[0]:
            text = f"the head of the request did not arrive within {self.head_s:g} s"
            self._refuse(SlowRequestError(text))
        else:
            self.transport.close()

    def _refuse(self, error: ImprintError) -> None:
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(_refusal(self.conn, error))
        self.transport.close()


def connection_class(head_s: float, n_connections: int) -> type[Connection]:
    """Make the protocol class of a server with these limits."""
    limits = {"head_s": head_s, "n_connections": n_connections}
    return type("LimitedConnection", (Connection,), limits)


def _refusal(connection: h11.Connection, error: ImprintError) -> bytes:
    request_id = secrets.token_hex(8)
    answer = problem_response(error, request_id)
    headers = [pair for pair in answer.raw_headers if pair[0] != b"connection"]
    headers += [
        (b"connection", b"close"),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    head = h11.Response(status_code=answer.status_code, headers=headers)
    parts = (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage())
    return b"".join(connection.send(part) or b"" for part in parts)


def _certificate_of(transport: asyncio.Transport) -> str | None:
    found = transport.get_extra_info("ssl_object")
    if not isinstance(found, ssl.SSLObject | ssl.SSLSocket):
        return None
    certificate = found.getpeercert(binary_form=True)
    return None if certificate is None else hashlib.sha256(certificate).hexdigest()
