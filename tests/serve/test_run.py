"""Starting the server for real: what it refuses, prints once, and how it ends."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from imprint.errors import InvalidOptionError, PortInUseError, UnsafeBindError
from imprint.serve.run import _listen, serve
from serve.real_server import RealServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[RealServer]:
    with RealServer(home) as running:
        yield running


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_a_public_address_needs_tls_or_a_flag(home: Path, host: str) -> None:
    with pytest.raises(UnsafeBindError, match="allow-public"):
        serve(home, host, 0)
    assert not home.exists()


def test_a_port_in_use_is_named_before_anything_is_made(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port}"):
            serve(home, "127.0.0.1", port)
    assert not home.exists()


def test_small_answers_are_sent_at_once() -> None:
    with _listen("127.0.0.1", 0) as listener:
        # asyncio sets TCP_NODELAY only on sockets that name their protocol.
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_refused(home: Path, port: int) -> None:
    with pytest.raises(InvalidOptionError):
        serve(home, "127.0.0.1", port)


def test_tls_needs_both_files_and_they_must_be_readable(home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(InvalidOptionError, match="both"):
        serve(home, "0.0.0.0", 0, tls_cert=broken)  # noqa: S104
    with pytest.raises(InvalidOptionError, match="certificate"):
        serve(home, "0.0.0.0", 0, tls_cert=broken, tls_key=broken)  # noqa: S104


def test_the_first_start_makes_a_key_and_later_ones_do_not(home: Path) -> None:
    with RealServer(home) as first:
        assert first.secret is not None
        headers = {"Authorization": f"Bearer {first.secret}"}
        assert httpx.get(f"{first.address}/v1/collections", headers=headers).status_code == 200
        secret = first.secret
    with RealServer(home) as second:
        assert second.secret is None
        headers = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(f"{second.address}/v1/collections", headers=headers).status_code == 200


def test_sigterm_ends_it_gracefully_with_the_log_flushed(server: RealServer, home: Path) -> None:
    with server.client() as client:
        client.post("/v1/collections", json={"name": "a", "modality": "text"})
        client.post("/v1/collections/a/supports", json={"label": "x", "text": "some words"})
        answered = client.post("/v1/collections/a:classify", json={"text": "some words"})
        assert answered.status_code == 200, [answered.text, *server.printed]
        answer = answered.json()
    assert server.terminate() == 0
    with RealServer(home, secret=server.secret) as again, again.client() as client:
        stored = client.post(f"/v1/answers/{answer['id']}/feedback", json={"label": "x"})
        assert stored.status_code == 200


def test_a_slow_header_and_a_broken_request_line_do_not_stop_it(server: RealServer) -> None:
    address = server.address.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as broken:
        broken.sendall(b"NOT HTTP AT ALL\r\n\r\n")
        assert b" 400 " in broken.recv(1000)
    with socket.create_connection((address[0], int(address[1]))) as huge:
        huge.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 200_000)
        with io.BytesIO() as answer:
            answer.write(huge.recv(1000))
            assert b" 4" in answer.getvalue()[:15]
    assert httpx.get(f"{server.address}/livez").status_code == 200
