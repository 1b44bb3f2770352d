"""Collections over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

HERE = "/v1/collections/intents"


def test_a_collection_is_made_shown_and_listed(client: TestClient) -> None:
    made = client.post("/v1/collections", json={"name": "pets", "modality": "image"})
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/collections/pets"
    assert made.json()["encoder"] == "toy-image"
    assert client.get("/v1/collections/pets").json() == made.json()
    assert client.get("/v1/collections").json() == {"items": [made.json()], "next_cursor": None}


def test_making_a_collection_twice_is_a_conflict(intents: TestClient) -> None:
    again = intents.post("/v1/collections", json={"name": "intents", "modality": "text"})
    problem_in(again, 409, "collection_exists")


def test_collections_are_paged_by_name_without_gap_or_repeat(client: TestClient) -> None:
    for name in ("c", "a", "e", "b", "d"):
        client.post("/v1/collections", json={"name": name, "modality": "text"})
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = client.get("/v1/collections", params=query).json()
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == ["a", "b", "c", "d", "e"]


def test_a_policy_change_keeps_the_other_fields(intents: TestClient) -> None:
    changed = intents.patch(HERE, json={"policy": {"false_accept_rate": 0.01}})
    assert changed.status_code == 200
    policy = changed.json()["policy"]
    assert policy["false_accept_rate"] == 0.01
    assert policy["keep_raw"] is True
    intents.patch(HERE, json={"policy": {"keep_raw": False}})
    assert intents.get(HERE).json()["policy"]["false_accept_rate"] == 0.01


@pytest.mark.parametrize(
    ("policy", "pointer"),
    [
        ({"false_accept_rate": 0.9}, "/policy/false_accept_rate"),
        ({"far": 0.1}, "/policy/far"),
        ({"keep_raw": "no"}, "/policy/keep_raw"),
        ({}, "/policy"),
    ],
)
def test_a_wrong_policy_is_refused_by_name(
    intents: TestClient, policy: dict[str, object], pointer: str
) -> None:
    refused = intents.patch(HERE, json={"policy": policy})
    problem = problem_in(refused, 422, "invalid_request")
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


def test_a_dropped_collection_is_gone_and_its_name_free(intents: TestClient) -> None:
    assert intents.delete(HERE).json() == {"dropped": "intents"}
    problem_in(intents.get(HERE), 404, "collection_not_found")
    made = intents.post("/v1/collections", json={"name": "intents", "modality": "text"})
    assert made.json()["n_supports"] == 0


def test_an_unknown_encoder_is_not_found(client: TestClient) -> None:
    shape = {"name": "x", "modality": "text", "encoder": "no-such-encoder"}
    problem_in(client.post("/v1/collections", json=shape), 404, "encoder_not_found")


@pytest.mark.parametrize("encoder", ["../secrets", "/etc/passwd", "a b", ""])
def test_an_encoder_cannot_be_named_by_a_path(client: TestClient, encoder: str) -> None:
    shape = {"name": "x", "modality": "text", "encoder": encoder}
    problem_in(client.post("/v1/collections", json=shape), 422, "invalid_request")


def test_an_encoder_that_is_not_there_is_told(client: TestClient) -> None:
    shape = {"name": "x", "modality": "audio", "encoder": "nobody"}
    problem_in(client.post("/v1/collections", json=shape), 404, "encoder_not_found")


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "..", ".hidden", "x" * 65, "ä", "a b", "a\n"])
def test_a_bad_name_is_refused(client: TestClient, name: str) -> None:
    made = client.post("/v1/collections", json={"name": name, "modality": "text"})
    problem_in(made, 422, "invalid_request")


def test_tenants_do_not_see_each_other(
    intents: TestClient, holder: Callable[..., TestClient]
) -> None:
    other = holder(tenant="other")
    assert other.get("/v1/collections").json()["items"] == []
    absent = other.get("/v1/collections/never")
    hidden = other.get(HERE)
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["detail"] == absent.json()["detail"].replace("never", "intents")
    assert other.post("/v1/collections", json={"name": "intents", "modality": "text"}).is_success
    assert other.get(f"{HERE}/labels").json()["items"] == []
    assert len(intents.get(f"{HERE}/labels").json()["items"]) == 2


def test_the_tenant_cannot_be_named_in_the_body(client: TestClient) -> None:
    shape = {"name": "x", "modality": "text", "tenant": "other"}
    problem = problem_in(client.post("/v1/collections", json=shape), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/tenant"


def test_a_report_says_what_to_expect_before_any_query(intents: TestClient) -> None:
    for label, text in (("refund", "money back"), ("refund", "return it"), ("login", "password")):
        intents.post(f"{HERE}/supports", json={"label": label, "text": text})
    report = intents.get(f"{HERE}/report").json()
    assert {"refund", "login"} <= {one["label"] for one in report["classes"]}
    assert 0 <= report["expected"]["low"] <= report["expected"]["mean"] <= 1
    problem_in(intents.get("/v1/collections/nothing/report"), 404, "collection_not_found")
