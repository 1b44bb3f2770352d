"""Keys over HTTP: of the caller's own tenant, with no more power than the caller has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from starlette.testclient import TestClient

    import imprint

WAIT = "imprint.serve.auth._FRESH_S"


def test_a_key_is_made_used_listed_and_revoked(
    client: TestClient, anyone: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WAIT, -1.0)
    made = client.post("/v1/keys", json={"name": "camera-7", "expires_in_s": 3600})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    assert (key["scopes"], key["state"]) == (["teach", "classify"], "valid")
    headers = {"Authorization": f"Bearer {key['secret']}"}
    assert anyone.get("/v1/collections", headers=headers).status_code == 200
    listed = client.get("/v1/keys")
    assert key["secret"] not in listed.text
    assert key["key_id"] in [one["key_id"] for one in listed.json()["items"]]
    assert client.delete(f"/v1/keys/{key['key_id']}").json() == {"revoked": key["key_id"]}
    problem_in(anyone.get("/v1/collections", headers=headers), 401, "invalid_key")
    states = {one["key_id"]: one["state"] for one in client.get("/v1/keys").json()["items"]}
    assert states[key["key_id"]] == "revoked"


def test_no_key_hands_on_a_scope_it_lacks(
    holder: Callable[..., TestClient], workspace: imprint.Workspace
) -> None:
    admin = holder("admin", "classify")
    shape = {"name": "more", "scopes": ["classify", "read_raw"]}
    problem_in(admin.post("/v1/keys", json=shape), 403, "missing_scope")
    problem_in(admin.post("/v1/keys", json={"name": "more"}), 403, "missing_scope")
    assert admin.post("/v1/keys", json={**shape, "scopes": ["classify"]}).status_code == 201
    raw, _ = workspace.create_key("raw", ("read_raw",))
    problem_in(admin.post(f"/v1/keys/{raw.key_id}:rotate", json={}), 403, "missing_scope")


def test_a_key_is_rotated_with_an_overlap(client: TestClient, anyone: TestClient) -> None:
    old = client.post("/v1/keys", json={"name": "camera-7"}).json()
    new = client.post(f"/v1/keys/{old['key_id']}:rotate", json={"overlap_s": 600}).json()
    assert new["secret"] != old["secret"]
    for one in (old, new):
        headers = {"Authorization": f"Bearer {one['secret']}"}
        assert anyone.get("/v1/collections", headers=headers).status_code == 200
    rows = {one["key_id"]: one for one in client.get("/v1/keys").json()["items"]}
    assert rows[old["key_id"]]["expires_at"] is not None
    assert rows[new["key_id"]]["expires_at"] is None


def test_keys_of_another_tenant_are_as_good_as_none(
    holder: Callable[..., TestClient], workspace: imprint.Workspace
) -> None:
    theirs, secret = workspace.create_key("theirs", ("teach",), tenant="umbrella")
    admin = holder(tenant="acme")
    assert theirs.key_id not in admin.get("/v1/keys").text
    for name in (theirs.key_id, "000000000000"):
        problem_in(admin.delete(f"/v1/keys/{name}"), 404, "not_found")
        problem_in(admin.post(f"/v1/keys/{name}:rotate", json={}), 404, "not_found")
    assert workspace.key(secret).tenant == "umbrella"


def test_keys_come_in_pages_and_a_forged_cursor_is_refused(client: TestClient) -> None:
    for i in range(5):
        client.post("/v1/keys", json={"name": f"key-{i}"})
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = client.get("/v1/keys", params=query).json()
        seen += [one["key_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 6
    for cursor in ("00", "ff", b"nothing".hex()):
        refused = client.get("/v1/keys", params={"cursor": cursor})
        shape = problem_in(refused, 422, "invalid_request")
        assert shape["errors"][0]["code"] == "unknown_cursor"


def test_making_and_ending_keys_is_audited_by_who_did_it(
    client: TestClient, workspace: imprint.Workspace
) -> None:
    made = client.post("/v1/keys", json={"name": "camera-7"}).json()
    client.delete(f"/v1/keys/{made['key_id']}")
    by = {row.verb: row.actor for row in workspace.audit(limit=1000)}
    own = next(one for one in client.get("/v1/keys").json()["items"] if one["name"] == "test")
    assert by["create_key"] == own["key_id"]
    assert by["revoke_key"] == own["key_id"]
    assert made["secret"] not in str(workspace.audit(limit=1000))
