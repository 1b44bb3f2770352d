"""Keys: all ways of not having one read the same, and a revoked one stops within a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from imprint.errors import InvalidKeyError, MissingScopeError
from imprint.serve.auth import CERTIFICATE, SCOPES, Caller, KeyRing, credential_of
from imprint.serve.routes import ENDPOINTS
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    import imprint


def test_no_wrong_malformed_expired_and_revoked_keys_read_the_same(
    anyone: TestClient, workspace: imprint.Workspace
) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    _, expired = workspace.create_key("old", ("classify",), expires_at=past)
    row, revoked = workspace.create_key("gone", ("classify",))
    workspace.revoke_key(row.key_id)
    headers = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer imp_wrong_but_long_enough"},
        {"Authorization": f"Basic {revoked}"},
        {"Authorization": f"Bearer {expired}"},
        {"Authorization": f"Bearer {revoked}"},
        {"Authorization": "Bearer " + "x" * 5000},
        {"Authorization": "Bearer k\u00e9y".encode("latin-1")},
    ]
    shapes = []
    for one in headers:
        refused = anyone.get("/v1/collections", headers=one)
        shape = problem_in(refused, 401, "invalid_key")
        assert refused.headers["www-authenticate"] == "Bearer"
        shapes.append({**shape, "request_id": ""})
    assert all(shape == shapes[0] for shape in shapes)


def test_every_call_under_v1_needs_a_key(anyone: TestClient) -> None:
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{", "").replace("}", "")
        refused = anyone.request(endpoint.method, path)
        assert (refused.status_code == 401) == path.startswith("/v1/"), path


@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.scopes], ids=lambda one: one.handler.__name__
)
def test_every_call_needs_its_scope(
    holder: Callable[..., TestClient], endpoint: ENDPOINTS[0].__class__
) -> None:
    path = endpoint.path.replace("{", "").replace("}", "")
    others = set(SCOPES) - set(endpoint.scopes or ())
    refused = holder(*sorted(others)).request(endpoint.method, path)
    problem_in(refused, 403, "missing_scope")
    for scope in endpoint.scopes or ():
        assert holder(scope).request(endpoint.method, path).status_code not in {401, 403}


def test_scopes_are_any_of() -> None:
    caller = Caller("k", "t", frozenset({"teach"}))
    caller.need(("teach", "classify"))
    with pytest.raises(MissingScopeError):
        caller.need(("admin",))


class Desk:
    """Counts look-ups; forgets keys on demand."""

    def __init__(self) -> None:
        self.n_asked = 0
        self.valid = {"imp_secret_one"}
        self.now_s = 0.0

    def find(self, credential: str) -> Caller:
        self.n_asked += 1
        if credential not in self.valid:
            raise InvalidKeyError("no")
        return Caller("k1", "default", frozenset({"teach"}))


def test_a_key_is_remembered_for_less_than_a_second() -> None:
    desk = Desk()
    ring = KeyRing(desk.find, clock=lambda: desk.now_s)
    assert ring.remembered("imp_secret_one") is None
    ring.look_up("imp_secret_one")
    desk.valid.clear()
    assert ring.remembered("imp_secret_one") is not None
    desk.now_s = 0.99
    assert ring.remembered("imp_secret_one") is None
    with pytest.raises(InvalidKeyError):
        ring.look_up("imp_secret_one")
    with pytest.raises(InvalidKeyError):
        ring.remembered("imp_secret_one")
    assert desk.n_asked == 2


def test_a_flood_of_invented_keys_does_not_fill_memory() -> None:
    desk = Desk()
    ring = KeyRing(desk.find, clock=lambda: desk.now_s)
    for i in range(10_000):
        with pytest.raises(InvalidKeyError):
            ring.look_up(f"imp_invented_{i}")
    assert len(ring._seen) <= 4096
    assert ring.look_up("imp_secret_one").key_id == "k1"


def test_a_bearer_credential_goes_before_a_certificate_and_no_header_can_name_one() -> None:
    assert credential_of("bearer  imp_secret_one ", "ab" * 32) == "imp_secret_one"
    assert credential_of(None, "ab" * 32) == CERTIFICATE + "ab" * 32
    for header in (f"Bearer {CERTIFICATE}{'ab' * 32}", "Basic dXNlcjpwYXNz", "", "Bearer short"):
        with pytest.raises(InvalidKeyError):
            credential_of(header, "ab" * 32)
    with pytest.raises(InvalidKeyError):
        credential_of(None, None)
