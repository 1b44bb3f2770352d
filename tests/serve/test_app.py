"""Every answer of the server, whatever went wrong, has one of two shapes."""

from __future__ import annotations

import io
import logging
import threading
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

import imprint
from imprint.serve.app import make_app
from imprint.serve.limits import Limits
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = "/v1/collections/intents"


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v2/models", "/v1/collections/", f"{HERE}/", f"{HERE}:teach", f"{HERE}/rollout"],
)
def test_an_unknown_address_is_a_problem(client: TestClient, path: str) -> None:
    problem_in(client.get(path), 404, "address_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", HERE, "DELETE, GET, HEAD, PATCH"),
        ("GET", f"{HERE}:classify", "POST"),
        ("GET", f"{HERE}/supports:import", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", f"{HERE}/supports", "GET, HEAD, POST"),
        ("BREW", "/v1/embeddings", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    refused = client.request(method, path)
    problem_in(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == allowed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"a": NaN}',
        b'{"a": 1e999999}'.replace(b"1e999999", b"Infinity"),
        b'{"a": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_malformed_json_is_a_problem(client: TestClient, body: bytes) -> None:
    sent = client.post(
        "/v1/collections", content=body, headers={"Content-Type": "application/json"}
    )
    problem_in(sent, 400, "malformed_request")


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("", 415, "request_media"),
        ("text/plain", 415, "request_media"),
        ("application/x-www-form-urlencoded", 415, "request_media"),
        ("multipart/form-data", 400, "malformed_request"),
        ("multipart/form-data; boundary=x", 400, "malformed_request"),
        ("multipart/form-data; boundary=" + "x" * 500, 400, "malformed_request"),
    ],
)
def test_bodies_of_other_kinds_are_problems(
    intents: TestClient, content_type: str, status: int, code: str
) -> None:
    sent = intents.post(
        f"{HERE}/supports", content=b"label=x", headers={"Content-Type": content_type}
    )
    problem_in(sent, status, code)


def test_a_form_that_was_cut_off_is_refused(intents: TestClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\nrefund\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    sent = intents.post(f"{HERE}/supports", content=body, headers=headers)
    problem_in(sent, 400, "malformed_request")


def test_a_form_field_sent_twice_is_refused(intents: TestClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\nrefund\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    sent = intents.post(f"{HERE}/supports", content=part * 2 + b"--x--\r\n", headers=headers)
    problem_in(sent, 422, "invalid_request")


def test_a_request_id_is_kept_when_it_is_harmless(anyone: TestClient) -> None:
    for given, kept in (("job-17.a", True), ("a b", False), ("x" * 65, False), ("", False)):
        found = anyone.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"]
        assert (found == given) is kept
        assert 1 <= len(found) <= 64


def test_a_bug_becomes_a_problem_and_its_log_holds_no_content(
    intents: TestClient,
    workspace: imprint.Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    marker = "planted-content"

    def broken(*_: object, **__: object) -> None:
        raise KeyError(marker)

    monkeypatch.setattr(imprint.Collection, "classify", broken)
    with caplog.at_level(logging.DEBUG):
        sent = intents.post(f"{HERE}:classify", json={"text": marker})
    problem = problem_in(sent, 500, "internal_error")
    assert marker not in sent.text
    assert marker not in caplog.text
    assert f"request={problem['request_id']} KeyError at broken" in caplog.text


def test_logs_hold_neither_content_nor_queries_nor_secrets(
    intents: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "imprint"):
        intents.post(f"{HERE}/supports", json={"label": "planted-label", "text": "planted text"})
        intents.get(f"{HERE}/supports", params={"label": "planted-label"})
        intents.delete(f"{HERE}/labels/planted-label")
        intents.get("/nowhere/planted")
    secret = intents.headers["authorization"].split()[1]
    lines = [one.getMessage() for one in caplog.records if one.name == "imprint.access"]
    assert len(lines) == 4
    assert "DELETE /v1/collections/{collection}/labels/{label} 200" in lines[2]
    assert "planted" not in caplog.text
    assert secret not in caplog.text


@pytest.fixture
def small(workspace: imprint.Workspace) -> Iterator[TestClient]:
    """A server that takes bodies of a kilobyte and works on one thing at a time."""
    workspace.collection("intents", modality="text")
    _, secret = workspace.create_key("k", ("teach", "classify"))
    limits = Limits(body_bytes=1000, held_bytes=1500, n_answering=1, n_waiting=0, work_s=5)
    with TestClient(make_app(workspace, limits)) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        yield client


def test_a_large_body_is_refused_whether_declared_or_not(small: TestClient) -> None:
    body = b'{"text": "' + b"x" * 2000 + b'"}'
    headers = {"Content-Type": "application/json"}
    declared = small.post(f"{HERE}:classify", content=body, headers=headers)
    problem_in(declared, 413, "request_too_large")

    def undeclared() -> Iterator[bytes]:
        yield body

    streamed = small.post(f"{HERE}:classify", content=undeclared(), headers=headers)
    problem_in(streamed, 413, "request_too_large")
    assert small.post(f"{HERE}:classify", json={"text": "fits"}).status_code == 200


def test_when_every_place_is_taken_the_next_is_told_to_come_back(
    small: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small.post(f"{HERE}:classify", json={"text": "the key is known now"}).is_success
    begun, go_on = threading.Event(), threading.Event()
    classify = imprint.Collection.classify

    def slow(*args: object, **kwargs: object) -> object:
        begun.set()
        assert go_on.wait(10)
        return classify(*args, **kwargs)

    monkeypatch.setattr(imprint.Collection, "classify", slow)
    statuses: list[int] = []
    first = threading.Thread(
        target=lambda: statuses.append(
            small.post(f"{HERE}:classify", json={"text": "first"}).status_code
        )
    )
    first.start()
    assert begun.wait(10)
    refused = small.post(f"{HERE}:classify", json={"text": "second"})
    problem_in(refused, 429, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    assert small.get("/livez").status_code == 200
    # Teaching has a lane of its own.
    taught = small.post(f"{HERE}/supports", json={"label": "a", "text": "third"})
    assert taught.status_code == 201
    go_on.set()
    first.join()
    assert statuses == [200]


def test_work_that_takes_too_long_is_given_up_on(
    workspace: imprint.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.collection("intents", modality="text")
    _, secret = workspace.create_key("k", ("classify",))
    go_on = threading.Event()

    def stuck(*_: object, **__: object) -> object:
        go_on.wait(10)
        raise imprint.errors.DecodeError("too late for anyone to hear")

    monkeypatch.setattr(imprint.Collection, "classify", stuck)
    headers = {"Authorization": f"Bearer {secret}"}
    with TestClient(make_app(workspace, Limits(work_s=0.05)), headers=headers) as client:
        late = client.post(f"{HERE}:classify", json={"text": "words"})
        problem_in(late, 503, "timed_out")
        go_on.set()


def test_closing_the_application_finishes_and_closes_the_workspace(
    workspace: imprint.Workspace, holder: Callable[..., TestClient]
) -> None:
    assert holder().get("/v1/collections").status_code == 200
    with imprint.open(settings=workspace.settings) as own:
        with TestClient(make_app(own, close_workspace=True)) as client:
            assert client.get("/livez").status_code == 200
        with pytest.raises(imprint.errors.ImprintError):
            own.collections()


def test_bytes_that_are_no_text_do_not_reach_the_log(
    anyone: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("imprint.access")
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "imprint.access"):
            anyone.get("/livez%0A2026 forged line", headers={"X-Request-ID": "a\tb"})
    finally:
        logger.removeHandler(handler)
    assert len(stream.getvalue().splitlines()) == 1
