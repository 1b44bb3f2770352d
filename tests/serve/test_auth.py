"""Keys: all ways of not having one read the same, and a revoked one stops within a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from imprint.errors import InvalidKeyError, MissingScopeError
from imprint.serve.auth import SCOPES, Caller, KeyRing
from imprint.serve.routes import ENDPOINTS
from imprint.store.ports import KeyRow
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    import imprint

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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

    def key(self, secret: str) -> KeyRow:
        self.n_asked += 1
        if secret not in self.valid:
            raise InvalidKeyError("no")
        return KeyRow("k1", "default", "one", ("teach",), NOW, None, None)


def test_a_key_is_remembered_for_less_than_a_second() -> None:
    desk = Desk()
    ring = KeyRing(desk.key, clock=lambda: desk.now_s)
    assert ring.remembered("Bearer imp_secret_one") is None
    ring.look_up("Bearer imp_secret_one")
    desk.valid.clear()
    assert ring.remembered("bearer imp_secret_one") is not None
    desk.now_s = 0.99
    assert ring.remembered("Bearer imp_secret_one") is None
    with pytest.raises(InvalidKeyError):
        ring.look_up("Bearer imp_secret_one")
    with pytest.raises(InvalidKeyError):
        ring.remembered("Bearer imp_secret_one")
    assert desk.n_asked == 2


def test_a_flood_of_invented_keys_does_not_fill_memory() -> None:
    desk = Desk()
    ring = KeyRing(desk.key, clock=lambda: desk.now_s)
    for i in range(10_000):
        with pytest.raises(InvalidKeyError):
            ring.look_up(f"Bearer imp_invented_{i}")
    assert len(ring._seen) <= 4096
    assert ring.look_up("Bearer imp_secret_one").key_id == "k1"
