"""Imports over HTTP: NDJSON and zip, an outcome for every item."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from imprint.serve.app import make_app
from imprint.serve.limits import Limits
from imprint.serve.schemas.check import COMPONENTS, faults_of
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    import httpx

    import imprint

HERE = "/v1/collections/intents/supports:import"
LINES = {"Content-Type": "application/x-ndjson"}
ZIP = {"Content-Type": "application/zip"}


def lines(*shapes: object) -> bytes:
    return b"\n".join(json.dumps(shape).encode() for shape in shapes)


def a_zip(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def outcomes(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    shape = response.json()
    assert faults_of(shape, COMPONENTS["Imported"]) == []
    assert [one["index"] for one in shape["results"]] == list(range(len(shape["results"])))
    found = [
        one["error"]["code"] if "error" in one else one["receipt"]["label"]
        for one in shape["results"]
    ]
    assert shape["n_refused"] == sum("error" in one for one in shape["results"])
    return found


def test_good_lines_go_in_and_bad_ones_are_reported(intents: TestClient) -> None:
    body = lines(
        {"label": "a", "text": "first words"},
        {"label": "b", "text": "second words", "metadata": {"row": 2}},
        {"label": "b"},
        {"label": "", "text": "words"},
        {"label": "c", "text": ""},
        {"label": "c", "text": "first words"},
        {"label": "a", "text": "first words"},
    )
    body += b"\n{broken\n\n\xff\xfe\n" + lines({"label": "d", "text": "last words"})
    found = outcomes(intents.post(HERE, content=body, headers=LINES))
    assert found == [
        "a",
        "b",
        "invalid_request",
        "invalid_label",
        "empty_sample",
        "label_conflict",
        "a",
        "malformed_request",
        "malformed_request",
        "d",
    ]
    supports = intents.get("/v1/collections/intents/supports").json()["items"]
    assert [one["metadata"] for one in supports if one["label"] == "b"] == [{"row": 2}]
    assert len(supports) == 5


def test_an_import_sent_again_repeats_nothing(intents: TestClient) -> None:
    body = lines(*({"label": f"c{i % 7}", "text": f"sample number {i}"} for i in range(300)))
    first, again = (intents.post(HERE, content=body, headers=LINES).json() for _ in range(2))
    assert first["n_accepted"] == again["n_accepted"] == 300
    ids = [[one["receipt"]["support_id"] for one in run["results"]] for run in (first, again)]
    assert ids[0] == ids[1]
    assert intents.get("/v1/collections/intents").json()["n_supports"] == 302


def test_a_zip_holds_a_folder_for_each_class(intents: TestClient) -> None:
    body = a_zip(
        {
            "set/a/1.txt": b"first words",
            "set/b/1.txt": b"second words",
            "set/b/.hidden": b"clutter",
            "__MACOSX/b/1.txt": b"clutter",
            "alone.txt": b"no folder",
            "set/../1.txt": b"climbing words",
            "set/c/1.txt": b"\xff\xfe\x00",
        }
    )
    found = outcomes(intents.post(HERE, content=body, headers=ZIP))
    assert found == ["a", "b", "invalid_label", "invalid_label", "decode_failed"]


@pytest.mark.parametrize("body", [b"", b"PK", b"not a zip" * 100, a_zip({"a/b": b"c"})[:-10]])
def test_what_is_no_zip_is_refused(intents: TestClient, body: bytes) -> None:
    problem_in(intents.post(HERE, content=body, headers=ZIP), 400, "malformed_request")


def test_a_damaged_entry_does_not_stop_the_others(intents: TestClient) -> None:
    body = a_zip({"a/1.txt": b"some words that are long enough " * 4, "b/1.txt": b"other words"})
    damaged = body[:40] + bytes([body[40] ^ 0xFF]) + body[41:]
    assert outcomes(intents.post(HERE, content=damaged, headers=ZIP)) == ["decode_failed", "b"]


def test_another_content_type_is_refused(intents: TestClient) -> None:
    problem_in(intents.post(HERE, json={"label": "a", "text": "b"}), 415, "request_media")


def test_a_bomb_stops_at_the_limits(workspace: imprint.Workspace) -> None:
    workspace.collection("intents", modality="text")
    _, secret = workspace.create_key("k", ("teach",))
    limits = Limits(body_bytes=1000, import_bytes=20_000)
    headers = {**ZIP, "Authorization": f"Bearer {secret}"}
    with TestClient(make_app(workspace, limits), headers=headers) as client:
        one_large = a_zip({"a/1.txt": b"x" * 100_000, "b/1.txt": b"words"})
        assert outcomes(client.post(HERE, content=one_large)) == ["sample_too_large", "b"]
        many = a_zip({f"a/{i}.txt": b"%03d " % i * 240 for i in range(100)})
        problem_in(client.post(HERE, content=many), 413, "request_too_large")
        problem_in(client.post(HERE, content=b"P" * 20_001), 413, "request_too_large")
        problem_in(client.post(HERE, content=b"x" * 1500, headers=LINES), 413, "request_too_large")


def test_entries_refused_for_their_size_count_towards_the_bomb(
    workspace: imprint.Workspace,
) -> None:
    workspace.collection("intents", modality="text")
    _, secret = workspace.create_key("k", ("teach",))
    limits = Limits(body_bytes=1000, import_bytes=20_000)
    headers = {**ZIP, "Authorization": f"Bearer {secret}"}
    with TestClient(make_app(workspace, limits), headers=headers) as client:
        bomb = a_zip({f"a/{i}.txt": b"\x00" * 2000 for i in range(100)})
        problem_in(client.post(HERE, content=bomb), 413, "request_too_large")


def test_links_nested_archives_and_nameless_entries_are_no_samples(intents: TestClient) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        link = zipfile.ZipInfo("a/link.txt")
        link.external_attr = (0o120777) << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("a/inner.zip", a_zip({"b/1.txt": b"hidden words"}))
        made.writestr("a/fine.txt", "words that are fine")
    found = outcomes(intents.post(HERE, content=file.getvalue(), headers=ZIP))
    assert found[0] == "decode_failed"
    assert found[1] in {"decode_failed", "modality_mismatch", "unsupported_media"}
    assert found[2] == "a"
    # Found by fuzzing: an entry without a name broke the reader of the standard library.
    nameless = a_zip({"a": b"words", "b/1.txt": b"other words"}).replace(b"a", b"\x00", 2)
    answer = intents.post(HERE, content=nameless, headers=ZIP)
    assert answer.status_code in {200, 400}


@pytest.mark.parametrize(
    "picture",
    [
        b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg><text>&x;</text></svg>",
        b"%PDF-1.7 GIF89a",
        b"<html><script>alert(1)</script></html>",
        b"#!/bin/sh\necho",
    ],
)
def test_documents_that_can_do_something_are_no_images(client: TestClient, picture: bytes) -> None:
    client.post("/v1/collections", json={"name": "shapes", "modality": "image"})
    sent = client.post("/v1/collections/shapes:classify", files={"file": ("a.svg", picture)})
    assert sent.status_code in {415, 422}
    assert sent.json()["code"] in {"unsupported_media", "decode_failed", "modality_mismatch"}
