"""Classify, verify and feedback over HTTP."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from imprint.serve.schemas.check import COMPONENTS, faults_of
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    import imprint

HERE = "/v1/collections/intents"


def test_an_answer_has_its_documented_shape_and_is_the_librarys(
    intents: TestClient, workspace: imprint.Workspace
) -> None:
    answer = intents.post(f"{HERE}:classify", json={"text": "money back please"}).json()
    assert faults_of(answer, COMPONENTS["Answer"]) == []
    same = workspace.collection("intents").classify("money back please").to_json()
    assert {**answer, "id": ""} == {**same, "id": ""}
    assert answer["label"] == "refund"


def test_an_empty_collection_answers_unknown(client: TestClient) -> None:
    client.post("/v1/collections", json={"name": "new", "modality": "text"})
    answer = client.post("/v1/collections/new:classify", json={"text": "anything"})
    assert answer.status_code == 200
    assert (answer.json()["decision"], answer.json()["label"]) == ("unknown", None)


def test_many_are_answered_in_order_with_errors_in_their_places(intents: TestClient) -> None:
    uri = "data:text/plain;base64," + base64.b64encode(b"hello good morning").decode()
    inputs = ["give me my money back", "", {"data": uri}, {"text": "hello good morning"}]
    many = intents.post(f"{HERE}:classify", json={"inputs": inputs, "top_k": 1})
    assert many.status_code == 200
    assert faults_of(many.json(), COMPONENTS["Answers"]) == []
    first, refused, third, fourth = many.json()["answers"]
    assert [one["label"] for one in (first, third, fourth)] == ["refund", "greeting", "greeting"]
    assert refused["error"]["code"] == "empty_sample"
    assert len(first["candidates"]) == 1


def test_inputs_of_a_call_inform_each_other_when_asked_to(intents) -> None:
    inputs = ["give me my money back", "hello good morning", "money back please"]
    asked = {"inputs": inputs, "transductive": True}
    found = intents.post(f"{HERE}:classify", json=asked).json()["answers"]
    assert [one["transductive"] for one in found] == [True] * 3
    alone = intents.post(f"{HERE}:classify", json={"inputs": inputs}).json()["answers"]
    assert [one["transductive"] for one in alone] == [False] * 3


def test_a_query_can_be_sent_as_a_form(intents: TestClient) -> None:
    parts = {"text": (None, "hello good morning"), "top_k": (None, "1")}
    answer = intents.post(f"{HERE}:classify", files=parts).json()
    assert answer["label"] == "greeting"
    assert len(answer["candidates"]) == 1


@pytest.mark.parametrize(
    ("shape", "pointer"),
    [
        ({"text": "a", "top_k": 0}, "/top_k"),
        ({"text": "a", "top_k": 101}, "/top_k"),
        ({"text": "a", "top_k": "5"}, "/top_k"),
        ({"text": "a", "top_k": True}, "/top_k"),
        ({"text": "a", "min_sequence": -1}, "/min_sequence"),
        ({"text": 3}, "/text"),
        ({}, ""),
        ([], ""),
        ({"inputs": []}, "/inputs"),
        ({"inputs": ["a"] * 1025}, "/inputs"),
        ({"inputs": [{"txt": "a"}]}, "/inputs/0/txt"),
        ({"inputs": ["a"], "text": "a"}, "/text"),
        ({"data": "data:text/plain,plain"}, "/data"),
        ({"data": "https://example.org/cat.jpg"}, "/data"),
    ],
)
def test_a_wrong_query_is_refused_where_it_is_wrong(
    intents: TestClient, shape: object, pointer: str
) -> None:
    problem = problem_in(intents.post(f"{HERE}:classify", json=shape), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == pointer


def test_a_write_not_seen_yet_is_worth_another_try(intents: TestClient) -> None:
    refused = intents.post(f"{HERE}:classify", json={"text": "a", "min_sequence": 1000})
    problem_in(refused, 503, "sequence_not_reached")
    assert int(refused.headers["retry-after"]) >= 1


def test_verify_says_with_what_threshold(intents: TestClient) -> None:
    verified = intents.post(f"{HERE}/labels/refund:verify", json={"text": "money back"})
    assert verified.status_code == 200
    assert faults_of(verified.json(), COMPONENTS["Verification"]) == []
    absent = intents.post(f"{HERE}/labels/nothing:verify", json={"text": "money back"})
    problem_in(absent, 404, "label_not_found")


def test_feedback_is_stored_for_the_answers_collection(
    intents: TestClient, workspace: imprint.Workspace
) -> None:
    answer = intents.post(f"{HERE}:classify", json={"text": "good morning"}).json()
    path = f"/v1/answers/{answer['id']}/feedback"
    stored = intents.post(path, json={"label": None})
    said = stored.json()
    assert (said["answer_id"], said["label"], said["was_right"]) == (answer["id"], None, False)
    row = workspace.store_view.collection("intents")
    found = workspace.store_view.feedback(row.collection_id)
    assert [(one[0], one[1]) for one in found] == [(answer["id"], None)]


def test_feedback_on_anothers_answer_reads_like_none(
    intents: TestClient, holder: Callable[..., TestClient]
) -> None:
    answer = intents.post(f"{HERE}:classify", json={"text": "good morning"}).json()
    other = holder(tenant="other")
    theirs = other.post(f"/v1/answers/{answer['id']}/feedback", json={"label": None})
    nobodys = other.post("/v1/answers/a_nothing/feedback", json={"label": None})
    problem_in(theirs, 404, "answer_not_found")
    assert theirs.json()["detail"] == nobodys.json()["detail"]


def test_feedback_needs_a_label_or_null(intents: TestClient) -> None:
    problem_in(intents.post("/v1/answers/a_x/feedback", json={}), 422, "invalid_request")
