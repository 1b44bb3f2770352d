"""Supports and labels over HTTP."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    import imprint

HERE = "/v1/collections/intents"


def a_png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def pets(client: TestClient) -> TestClient:
    client.post("/v1/collections", json={"name": "pets", "modality": "image"})
    return client


def test_a_taught_support_answers_at_once(intents: TestClient) -> None:
    taught = intents.post(f"{HERE}/supports", json={"label": "parcel", "text": "where is my box"})
    assert taught.status_code == 201
    receipt = taught.json()
    query = {"text": "where is my box", "min_sequence": receipt["sequence"]}
    answer = intents.post(f"{HERE}:classify", json=query).json()
    assert answer["evidence"][0]["support_id"] == receipt["support_id"]
    assert intents.get(taught.headers["location"]).json()["label"] == "parcel"


def test_the_same_sample_twice_is_one_support(intents: TestClient) -> None:
    shape = {"label": "refund", "text": "give me my money back"}
    first, again = (intents.post(f"{HERE}/supports", json=shape) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["support_id"] == again.json()["support_id"]
    assert first.json()["sequence"] == again.json()["sequence"]
    assert len(intents.get(f"{HERE}/supports").json()["items"]) == 2


def test_the_same_sample_under_another_label_is_a_conflict(intents: TestClient) -> None:
    shape = {"label": "other", "text": "give me my money back"}
    problem_in(intents.post(f"{HERE}/supports", json=shape), 409, "label_conflict")


def test_a_text_can_be_sent_as_json_as_a_form_field_or_as_a_file(intents: TestClient) -> None:
    def ways() -> list[str]:
        path = f"{HERE}/supports"
        text, raw = "the very same words", b"the very same words"
        uri = "data:text/plain;base64," + base64.b64encode(raw).decode()
        file = {"file": ("a.txt", raw, "text/plain")}
        return [
            intents.post(path, json={"label": "same", "text": text}).json()["support_id"],
            intents.post(path, json={"label": "same", "data": uri}).json()["support_id"],
            intents.post(path, data={"label": "same"}, files=file).json()["support_id"],
            intents.post(path, files={"label": (None, "same"), "text": (None, text)}).json()[
                "support_id"
            ],
        ]

    assert len(set(ways())) == 1


def test_an_image_comes_back_byte_for_byte(pets: TestClient) -> None:
    content = a_png(1)
    taught = pets.post(
        "/v1/collections/pets/supports",
        data={"label": "cat", "metadata": '{"by": "me"}'},
        files={"file": ("cat.png", content, "image/png")},
    )
    assert taught.status_code == 201
    raw = pets.get(taught.headers["location"] + "/raw")
    assert raw.content == content
    assert raw.headers["content-type"] == "image/png"
    assert raw.headers["content-disposition"] == "attachment"
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert pets.get(taught.headers["location"]).json()["metadata"] == {"by": "me"}


def test_reading_raw_needs_its_scope_and_is_audited(
    intents: TestClient, holder: Callable[..., TestClient], workspace: imprint.Workspace
) -> None:
    support = intents.get(f"{HERE}/supports").json()["items"][0]["support_id"]
    path = f"{HERE}/supports/{support}/raw"
    problem_in(holder("teach", "classify", "admin").get(path), 403, "missing_scope")
    assert holder("read_raw").get(path).text == "give me my money back"
    assert [row.verb for row in workspace.audit(limit=1000)].count("read_raw") == 1


def test_a_collection_of_embeddings_has_no_raw_samples(client: TestClient) -> None:
    policy = {"keep_raw": False}
    client.post("/v1/collections", json={"name": "p", "modality": "text", "policy": policy})
    taught = client.post("/v1/collections/p/supports", json={"label": "a", "text": "secret"})
    problem_in(client.get(taught.headers["location"] + "/raw"), 404, "not_found")


def test_text_for_images_never_becomes_a_path(pets: TestClient) -> None:
    shape = {"label": "cat", "text": __file__}
    problem_in(pets.post("/v1/collections/pets/supports", json=shape), 422, "modality_mismatch")
    for many in ([__file__], [{"text": __file__}]):
        answers = pets.post("/v1/collections/pets:classify", json={"inputs": many}).json()
        assert answers["answers"][0]["error"]["code"] == "modality_mismatch"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "empty_sample"),
        (a_png(2)[:200], 422, "decode_failed"),
        (b"%PDF-1.7 not an image", 415, "unsupported_media"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media"),
    ],
)
def test_a_bad_image_is_refused_with_checks_and_a_hint(
    pets: TestClient, content: bytes, status: int, code: str
) -> None:
    refused = pets.post(
        "/v1/collections/pets/supports",
        data={"label": "cat"},
        files={"file": ("cat.jpg", content, "image/jpeg")},
    )
    problem = problem_in(refused, status, code)
    assert problem["checks"][-1]["hint"]
    assert problem["errors"][-1]["hint"]
    assert pets.get("/v1/collections/pets").json()["n_supports"] == 0


@pytest.mark.parametrize(
    ("label", "text", "code"),
    [
        ("x", "", "empty_sample"),
        ("x", "  \n\t ", "empty_sample"),
        ("x", "bell \x07", "decode_failed"),
        ("", "hello", "invalid_label"),
        ("two\nlines", "hello", "invalid_label"),
        ("../x", "hello", "invalid_label"),
        ("x" * 1_000_000, "hello", "invalid_label"),
    ],
)
def test_bad_text_and_bad_labels_are_refused(
    intents: TestClient, label: str, text: str, code: str
) -> None:
    refused = intents.post(f"{HERE}/supports", json={"label": label, "text": text})
    problem_in(refused, 422, code)
    assert intents.get(HERE).json()["n_supports"] == 2


@pytest.mark.parametrize("text", ["🦊🦊 fox", "مرحبا بالعالم", "שלום עולם", "日本語のテキスト"])
def test_text_in_any_script_works(intents: TestClient, text: str) -> None:
    taught = intents.post(f"{HERE}/supports", json={"label": text, "text": text})
    assert taught.status_code == 201
    answer = intents.post(f"{HERE}:classify", json={"text": text}).json()
    assert answer["evidence"][0]["label"] == text
    assert intents.request("DELETE", f"{HERE}/labels/{text}").json()["n_removed"] == 1


def test_a_megabyte_of_text_is_too_large(intents: TestClient) -> None:
    shape = {"label": "x", "text": "word " * 200_000}
    problem_in(intents.post(f"{HERE}/supports", json=shape), 413, "sample_too_large")


def test_an_idempotency_key_gives_the_first_receipt_again(intents: TestClient) -> None:
    shape = {"label": "x", "text": "a sample under a key"}
    key = {"Idempotency-Key": "job-1"}
    first, again = (
        intents.post(f"{HERE}/supports", json=shape, headers=key).json() for _ in range(2)
    )
    assert first == again
    other = {"label": "x", "text": "another sample under that key"}
    replayed = intents.post(f"{HERE}/supports", json=other, headers=key)
    problem_in(replayed, 409, "idempotency_conflict")


@pytest.mark.parametrize("key", ["", "two words", "k" * 201])
def test_a_bad_idempotency_key_is_refused(intents: TestClient, key: str) -> None:
    shape = {"label": "x", "text": "words"}
    refused = intents.post(f"{HERE}/supports", json=shape, headers={"Idempotency-Key": key})
    problem = problem_in(refused, 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/header/Idempotency-Key"


@pytest.mark.parametrize("field", ["Label", "support_id", "state", "tenant"])
def test_an_unknown_field_is_refused_by_name(intents: TestClient, field: str) -> None:
    shape = {"label": "x", "text": "words", field: "x"}
    problem = problem_in(intents.post(f"{HERE}/supports", json=shape), 422, "invalid_request")
    assert [one["pointer"] for one in problem["errors"]] == [f"/{field}"]
    as_form = intents.post(f"{HERE}/supports", files={k: (None, v) for k, v in shape.items()})
    problem_in(as_form, 422, "invalid_request")


def test_text_and_data_together_are_refused(intents: TestClient) -> None:
    shape = {"label": "x", "text": "a", "data": "data:text/plain;base64,YQ=="}
    problem = problem_in(intents.post(f"{HERE}/supports", json=shape), 422, "invalid_request")
    assert problem["errors"][0]["code"] == "one_source"


@pytest.mark.parametrize("metadata", ["[]", "{", '{"a": NaN}', '{"k": "' + "v" * 20_000 + '"}'])
def test_bad_metadata_is_refused(intents: TestClient, metadata: str) -> None:
    parts = {"label": (None, "x"), "text": (None, "words"), "metadata": (None, metadata)}
    problem = problem_in(intents.post(f"{HERE}/supports", files=parts), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/metadata"


def test_supports_are_filtered_and_paged_in_teaching_order(intents: TestClient) -> None:
    for i in range(5):
        shape = {"label": "number", "text": f"number {i}"}
        intents.post(f"{HERE}/supports", json=shape)
    every = [one["support_id"] for one in intents.get(f"{HERE}/supports").json()["items"]]
    assert len(every) == 7
    seen: list[str] = []
    query = {"limit": "2", "label": "number"}
    while True:
        page = intents.get(f"{HERE}/supports", params=query).json()
        seen += [one["support_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == every[2:]
    quarantined = intents.get(f"{HERE}/supports", params={"state": "quarantined"})
    assert quarantined.json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1&limit=2",
        "state=odd",
        "cursor=%21",
        "cursor=abc",
        "lable=x",
    ],
)
def test_a_bad_query_is_refused_by_name(intents: TestClient, query: str) -> None:
    problem = problem_in(intents.get(f"{HERE}/supports?{query}"), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/query/" + query.split("=", maxsplit=1)[0]


def test_a_forgotten_support_answers_no_more(intents: TestClient) -> None:
    support = intents.get(f"{HERE}/supports").json()["items"][0]
    path = f"{HERE}/supports/{support['support_id']}"
    assert intents.delete(path).json()["n_removed"] == 1
    problem_in(intents.delete(path), 404, "support_not_found")
    problem_in(intents.get(path), 404, "support_not_found")
    answer = intents.post(f"{HERE}:classify", json={"text": "give me my money back"}).json()
    assert support["label"] not in [one["label"] for one in answer["candidates"]]


def test_a_forgotten_label_takes_all_its_supports(intents: TestClient) -> None:
    intents.post(f"{HERE}/supports", json={"label": "refund", "text": "pay me back"})
    assert intents.delete(f"{HERE}/labels/refund").json()["n_removed"] == 2
    problem_in(intents.delete(f"{HERE}/labels/refund"), 404, "label_not_found")
    assert intents.get(f"{HERE}/labels").json()["items"] == [{"label": "greeting", "n_supports": 1}]


@pytest.mark.parametrize("label", ["a:b", "x:verify", "a b", "50%", "q?&#"])
def test_labels_with_signs_can_be_addressed(intents: TestClient, label: str) -> None:
    from urllib.parse import quote

    intents.post(f"{HERE}/supports", json={"label": label, "text": f"about {label}"})
    place = f"{HERE}/labels/{quote(label, safe='')}"
    verified = intents.post(f"{place}:verify", json={"text": f"about {label}"})
    assert verified.json()["accepted"] is True
    assert intents.delete(place).json()["n_removed"] == 1


def test_labels_are_paged(intents: TestClient) -> None:
    first = intents.get(f"{HERE}/labels", params={"limit": 1}).json()
    rest = intents.get(f"{HERE}/labels", params={"cursor": first["next_cursor"]}).json()
    assert [one["label"] for one in first["items"] + rest["items"]] == ["greeting", "refund"]
    assert rest["next_cursor"] is None
