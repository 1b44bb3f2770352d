"""What comes over the wire before there is a request: slow, huge, broken, smuggled."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serve.real_server import RealServer

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = {"head_s": 0.5, "body_s": 0.5, "n_connections": 40}
PIECE = b"GET /livez HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    home = tmp_path_factory.mktemp("server") / "home"
    with RealServer(home, options={"limits": LIMITS}) as running:
        yield running


def spoken(server: RealServer, *pieces: bytes, wait_s: float = 5.0) -> bytes:
    """Send pieces, give everything the server says until it closes or is silent."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), wait_s) as connection:
        for piece in pieces:
            connection.sendall(piece)
        said = b""
        try:
            while part := connection.recv(65_536):
                said += part
        except (TimeoutError, ConnectionResetError):
            return said or b"<open>"
    return said


def heard(connection: socket.socket) -> bytes:
    """One whole answer of /livez."""
    said = b""
    while not said.endswith(b"}"):
        said += connection.recv(65_536)
    return said


def problem_of(said: bytes) -> dict[str, Any]:
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    assert re.search(rb"\r\nserver:", head, re.IGNORECASE) is None
    shape = dict(json.loads(body))
    assert f"x-request-id: {shape['request_id']}".encode() in head.lower()
    return shape


def alive(server: RealServer) -> bool:
    return httpx.get(f"{server.address}/livez").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"NOT HTTP AT ALL\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",  # no Host
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 200_000,
        PIECE + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)) + b"\r\n",
        # Two lengths, or a length and chunks: where smuggling begins.
        b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\x0b\r\n\r\nabc",
        b"POST /livez HTTP/1.1\r\nHost : a\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_what_is_no_http_is_refused_as_a_problem(server: RealServer, sent: bytes) -> None:
    shape = problem_of(spoken(server, sent))
    assert (shape["status"], shape["code"]) == (400, "malformed_request")
    assert alive(server)


def test_a_length_beside_chunks_does_not_let_a_second_request_through(server: RealServer) -> None:
    smuggled = b"GET /v1/collections HTTP/1.1\r\nHost: a\r\n\r\n"
    sent = (
        b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
    )
    said = spoken(server, sent, wait_s=2)
    # The chunks count (RFC 9112 section 6.3); what follows is a request of its own, without a key.
    assert said.count(b"HTTP/1.1 ") <= 2
    assert b'"collections"' not in said
    assert alive(server)


def test_a_head_that_trickles_is_cut_off(server: RealServer) -> None:
    shape = problem_of(spoken(server, b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: "))
    assert (shape["status"], shape["code"]) == (408, "slow_request")


def test_a_connection_that_says_nothing_is_closed(server: RealServer) -> None:
    assert spoken(server) == b""


def test_a_slow_head_after_a_good_request_is_cut_off_too(server: RealServer) -> None:
    good = PIECE + b"\r\n"
    said = spoken(server, good, b"GET /livez HTTP/1.1\r\nX-Slow: ")
    assert said.startswith(b"HTTP/1.1 200")
    assert b"408" in said.partition(b"alive")[2]


def test_a_body_that_trickles_is_given_up_on(server: RealServer) -> None:
    head = (
        f"POST /v1/collections HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.secret}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    ).encode()
    shape = problem_of(spoken(server, head, b'{"name": '))
    assert (shape["status"], shape["code"]) == (408, "slow_request")


def test_chunks_that_are_none_end_the_connection(server: RealServer) -> None:
    head = (
        f"POST /v1/collections HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.secret}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    said = spoken(server, head, b"zz\r\nnot a chunk\r\n0\r\n\r\n")
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408"))
    assert alive(server)


def test_requests_one_behind_the_other_are_answered_in_turn(server: RealServer) -> None:
    said = spoken(server, (PIECE + b"\r\n") * 3, wait_s=2)
    assert said.count(b"HTTP/1.1 200") == 3


def test_a_kept_open_connection_may_be_silent_longer_than_a_head_may_take(
    server: RealServer,
) -> None:
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(PIECE + b"\r\n")
        assert heard(connection).startswith(b"HTTP/1.1 200")
        connection.settimeout(3 * LIMITS["head_s"])
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        connection.sendall(PIECE + b"\r\n")
        assert heard(connection).startswith(b"HTTP/1.1 200")


def test_too_many_connections_are_closed_and_the_others_go_on(server: RealServer) -> None:
    host, port = server.address.removeprefix("http://").split(":")
    first = socket.create_connection((host, int(port)), 5)
    first.sendall(PIECE + b"\r\n")
    assert heard(first).startswith(b"HTTP/1.1 200")
    others = [socket.create_connection((host, int(port)), 5) for _ in range(60)]
    closed = 0
    for one in others:
        one.settimeout(0.02)
        try:
            closed += one.recv(1) == b""
        except ConnectionResetError:
            closed += 1
        except TimeoutError:
            pass
    assert closed >= 10
    first.sendall(PIECE + b"\r\n")
    assert heard(first).startswith(b"HTTP/1.1 200")
    for one in (first, *others):
        one.close()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PUT", "BREW"])
def test_methods_that_are_none_of_ours_are_told_which_are(server: RealServer, method: str) -> None:
    target = b"/livez"
    said = spoken(
        server, method.encode() + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", wait_s=2
    )
    head = said.partition(b"\r\n\r\n")[0].lower()
    assert b" 405 " in head.splitlines()[0]
    assert b"allow: get, head" in head


def test_head_has_the_headers_of_get_and_no_body(server: RealServer) -> None:
    said = spoken(server, b"HEAD /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""


def test_an_upgrade_is_not_followed(server: RealServer) -> None:
    said = spoken(
        server,
        b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        wait_s=2,
    )
    assert said.startswith(b"HTTP/1.1 200")
