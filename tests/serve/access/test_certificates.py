"""Client certificates over real TLS: unsigned ones cannot connect, named ones need no key."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import warnings
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imprint.errors import InvalidOptionError
from imprint.serve.run import serve
from serve.real_server import RealServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime.now(dt.UTC)


class Authority:
    """Signs certificates and writes them, and itself, as PEM files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._built(self._name, self._key.public_key(), authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def signed(self, name: str) -> tuple[Path, Path, str]:
        """A certificate for this machine: its file, its key's file, its SHA-256."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._built(subject, key.public_key(), authority=False)
        cert, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert, secret, made.fingerprint(hashes.SHA256()).hex()

    def _built(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool
    ) -> x509.Certificate:
        local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(hours=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            builder = builder.add_extension(local, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "authority")


@pytest.fixture(scope="module")
def server(folder: Path, authority: Authority) -> Iterator[RealServer]:
    cert, key, _ = authority.signed("server")
    _, _, sha256 = authority.signed("camera")
    authority.signed("stranger")
    access = folder / "access.toml"
    access.write_text(
        f'[[certificate]]\nname = "camera"\nsha256 = "{sha256.upper()}"\n'
        'tenant = "acme"\nscopes = ["classify"]\n'
    )
    options = {"tls_cert": cert, "tls_key": key, "tls_client_ca": authority.file}
    settings = {
        "IMPRINT_TEXT_ENCODER": "toy-text",
        "IMPRINT_IMAGE_ENCODER": "toy-image",
        "IMPRINT_ACCESS": str(access),
    }
    with RealServer(folder / "home", settings=settings, options=options) as running:
        yield running


def client(server: RealServer, folder: Path, authority: Authority, name: str | None):
    context = ssl.create_default_context(cafile=str(authority.file))
    if name is not None:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return httpx.Client(base_url=server.address, verify=context, timeout=30)


def test_a_certificate_of_the_access_file_needs_no_key(
    server: RealServer, folder: Path, authority: Authority
) -> None:
    with client(server, folder, authority, "camera") as camera:
        assert camera.get("/v1/collections").json() == {"items": [], "next_cursor": None}
        shape = {"name": "mine", "modality": "text"}
        refused = camera.post("/v1/collections", json=shape)
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


def test_one_that_is_signed_but_not_named_needs_a_key(
    server: RealServer, folder: Path, authority: Authority
) -> None:
    with client(server, folder, authority, "stranger") as stranger:
        refused = stranger.get("/v1/collections")
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_key")
        headers = {"Authorization": f"Bearer {server.secret}"}
        assert stranger.get("/v1/collections", headers=headers).status_code == 200


def test_a_key_of_another_tenant_goes_before_the_certificate(
    server: RealServer, folder: Path, authority: Authority
) -> None:
    headers = {"Authorization": f"Bearer {server.secret}"}
    shape = {"name": "of-default", "modality": "text"}
    with client(server, folder, authority, "camera") as camera:
        assert camera.post("/v1/collections", json=shape, headers=headers).status_code == 201
        assert camera.get("/v1/collections").json()["items"] == []


@pytest.mark.parametrize("who", ["nobody", "forger"])
def test_who_is_not_signed_by_the_authority_cannot_connect(
    server: RealServer, folder: Path, authority: Authority, who: str
) -> None:
    name = None
    if who == "forger":
        Authority(folder, "other").signed(name := "forger")
    with client(server, folder, authority, name) as unknown, pytest.raises(httpx.TransportError):
        unknown.get("/livez")


def test_old_protocol_versions_are_not_spoken(server: RealServer) -> None:
    host, port = server.address.removeprefix("https://").split(":")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((host, int(port)), 30) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(plain)


def test_client_authorities_need_tls_and_a_file_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="tls-cert"):
        serve(tmp_path / "home", tls_client_ca=tmp_path / "none.pem")
    assert not (tmp_path / "home").exists()
