"""Tokens of an identity provider: a right one opens its tenant, all wrong ones read the same."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from serve.problem_checks import problem_in

pytest.importorskip("jwt")
pytest.importorskip("cryptography")

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from imprint.errors import InvalidKeyError, NotReadyError
from imprint.serve.access.clock import SteadyClock
from imprint.serve.access.rules import read_rules
from imprint.serve.access.tokens import PublicKeys, TokenReader
from imprint.serve.app import make_app
from serve.access.issuer import Issuer, access_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import imprint


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as made:
        yield made


@pytest.fixture
def access(tmp_path: Path, issuer: Issuer) -> Path:
    place = tmp_path / "access.toml"
    place.write_text(access_file(issuer.address))
    return place


@pytest.fixture
def server(workspace: imprint.Workspace, access: Path) -> Iterator[TestClient]:
    with TestClient(make_app(workspace, access=access)) as client:
        yield client


def asked(server: TestClient, token: str, method: str = "GET", path: str = "/v1/collections"):
    return server.request(method, path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(("key_id", "algorithm"), [("rsa-1", "RS256"), ("ec-1", "ES256")])
def test_a_token_opens_its_tenant_with_its_scopes(
    server: TestClient, workspace: imprint.Workspace, issuer: Issuer, key_id: str, algorithm: str
) -> None:
    token = issuer.token(key_id, algorithm)
    headers = {"Authorization": f"Bearer {token}"}
    shape = {"name": "theirs", "modality": "text"}
    assert server.post("/v1/collections", json=shape, headers=headers).status_code == 201
    assert workspace.tenant("acme").collections() == ["theirs"]
    assert workspace.collections() == []
    problem_in(asked(server, token, "DELETE", "/v1/collections/theirs"), 403, "missing_scope")
    govern = issuer.token(key_id, algorithm, scope=["imprint.govern"])
    assert asked(server, govern, "DELETE", "/v1/collections/theirs").status_code == 200
    # The audit names the caller by a hash, never by the mail address in the token.
    (made, *_) = workspace.tenant("acme").audit()
    assert made.actor.startswith("oidc_")
    assert "somebody" not in json.dumps([row.actor for row in workspace.tenant("acme").audit()])


def test_keys_of_the_workspace_go_on_working(
    server: TestClient, workspace: imprint.Workspace
) -> None:
    _, secret = workspace.create_key("plain", ("classify",))
    assert asked(server, secret).status_code == 200


def forged(issuer: Issuer) -> dict[str, str]:
    """Every token that must not open anything."""
    now = int(time.time())
    good = issuer.token()
    head, body, signature = good.split(".")
    public = issuer.keys["rsa-1"].public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(good, options={"verify_signature": False})

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    hs = part({"alg": "HS256", "kid": "rsa-1"}) + "." + body
    mac = base64.urlsafe_b64encode(hmac.new(pem, hs.encode(), hashlib.sha256).digest())
    return {
        "expired": issuer.token(exp=now - 31),
        "not yet": issuer.token(nbf=now + 120),
        "made later": issuer.token(iat=now + 120),
        "no end": issuer.token(exp=None),
        "end is text": issuer.token(exp=str(now + 300)),
        "end is endless": issuer.token(exp=float("inf")),
        "short signature": f"{head}.{body}.AAAA",
        "other audience": issuer.token(aud="another-service"),
        "no audience": issuer.token(aud=None),
        "other issuer": issuer.token(iss="https://login.example.com/"),
        "no issuer": issuer.token(iss=None),
        "no subject": issuer.token(sub=None),
        "no tenant": issuer.token(tenant=None),
        "tenant is a list": issuer.token(tenant=["acme"]),
        "tenant is a path": issuer.token(tenant="../umbrella"),
        "no signature": f"{part({'alg': 'none'})}.{body}.",
        "public key as shared secret": f"{hs}.{mac.rstrip(b'=').decode()}",
        "another's signature": jwt.encode(claims, stranger, "RS256", headers={"kid": "rsa-1"}),
        "key in the head": jwt.encode(
            claims,
            stranger,
            "RS256",
            headers={
                "kid": "rsa-1",
                "jwk": jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True),
                "jku": "https://evil.example.org/keys.json",
            },
        ),
        "unknown key": jwt.encode(claims, stranger, "RS256", headers={"kid": "rsa-9"}),
        "algorithm not listed": issuer.token("rsa-1", "RS512"),
        "key of another kind": jwt.encode(
            claims, issuer.keys["ec-1"], "ES256", headers={"kid": "rsa-1"}
        ),
        "changed claims": f"{head}.{part({**claims, 'tenant': 'umbrella'})}.{signature}",
        "unknown critical part": jwt.encode(
            claims, issuer.keys["rsa-1"], "RS256", headers={"kid": "rsa-1", "crit": ["x"], "x": 1}
        ),
        "not base64": "..%%%.",
        "no parts": "a.b.c.........",
        "head is a list": f"{part([1])}.{body}.{signature}",  # type: ignore[arg-type]
    }


def test_every_forged_token_reads_the_same(server: TestClient, issuer: Issuer) -> None:
    shapes = {}
    for name, token in forged(issuer).items():
        answer = asked(server, token)
        assert answer.status_code == 401, (name, answer.text)
        shapes[name] = {**problem_in(answer, 401, "invalid_key"), "request_id": ""}
    assert all(shape == shapes["expired"] for shape in shapes.values())


def test_scopes_the_map_does_not_name_open_nothing(server: TestClient, issuer: Issuer) -> None:
    problem_in(asked(server, issuer.token(scope="teach admin openid")), 403, "missing_scope")
    problem_in(asked(server, issuer.token(scope=None)), 403, "missing_scope")
    problem_in(asked(server, issuer.token(scope={"teach": 1})), 403, "missing_scope")


class Published:
    """What the provider shows, and a clock that is set by hand."""

    def __init__(self, issuer: Issuer) -> None:
        self.keys = issuer.document()["keys"]
        self.now_s = 0.0
        self.n_asked = 0
        self.down = False

    def fetch(self, place: str) -> bytes:
        self.n_asked += 1
        if self.down:
            raise OSError("unreachable")
        return json.dumps({"keys": self.keys}).encode()


def test_a_rotated_key_is_fetched_and_a_withdrawn_one_ends(issuer: Issuer) -> None:
    page = Published(issuer)
    keys = PublicKeys("x", page.fetch, lambda: page.now_s)
    assert keys.find("rsa-1", "RS256")["kid"] == "rsa-1"
    page.keys = [{**page.keys[0], "kid": "rsa-2"}]
    page.now_s = 11
    assert keys.find("rsa-2", "RS256")["kid"] == "rsa-2"
    with pytest.raises(InvalidKeyError):
        keys.find("rsa-1", "RS256")
    assert page.n_asked == 2


def test_invented_key_ids_do_not_make_us_ask_each_time(issuer: Issuer) -> None:
    page = Published(issuer)
    keys = PublicKeys("x", page.fetch, lambda: page.now_s)
    for i in range(100):
        with pytest.raises(InvalidKeyError):
            keys.find(f"invented-{i}", "RS256")
    assert page.n_asked == 1


def test_a_provider_that_is_down_stops_nobody_it_let_in_before(issuer: Issuer) -> None:
    page = Published(issuer)
    keys = PublicKeys("x", page.fetch, lambda: page.now_s)
    keys.find("rsa-1", "RS256")
    page.down, page.now_s = True, 10_000.0
    assert keys.find("rsa-1", "RS256")["kid"] == "rsa-1"
    never = PublicKeys("x", page.fetch, lambda: page.now_s)
    with pytest.raises(NotReadyError):
        never.find("rsa-1", "RS256")


def test_encryption_keys_and_shared_secrets_in_the_set_are_passed_over(issuer: Issuer) -> None:
    page = Published(issuer)
    page.keys = [{**page.keys[0], "use": "enc"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa-1"}]
    keys = PublicKeys("x", page.fetch, lambda: page.now_s)
    with pytest.raises(InvalidKeyError):
        keys.find("rsa-1", "RS256")


def test_times_are_judged_by_the_clock_that_is_never_set_back(
    access: Path, issuer: Issuer, workspace: imprint.Workspace
) -> None:
    rules = read_rules(access).tokens
    assert rules is not None
    later = workspace.clock() + timedelta(hours=1)
    reader = TokenReader(rules, SteadyClock(workspace.clock, later))
    with pytest.raises(InvalidKeyError):
        reader.caller(issuer.token())
    assert TokenReader(rules, SteadyClock(workspace.clock)).caller(issuer.token()).tenant == "acme"


def test_keys_may_lie_in_a_file_beside_the_access_file(
    workspace: imprint.Workspace, tmp_path: Path, issuer: Issuer
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(issuer.document()))
    place = tmp_path / "access.toml"
    place.write_text(access_file("keys.json"))
    with TestClient(make_app(workspace, access=place)) as client:
        assert asked(client, issuer.token()).status_code == 200
