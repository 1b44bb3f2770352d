"""Alive and ready are different things."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

import imprint
from imprint.serve.app import make_app
from imprint.serve.routes.health import Readiness
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from imprint.settings import Settings


def ready_client(workspace: imprint.Workspace) -> TestClient:
    """A client whose server had its probe; no life cycle, so nothing else goes on."""
    app = make_app(workspace)
    app.state.service.readiness.probe()
    return TestClient(app)


def test_alive_needs_nothing_and_ready_needs_the_probe(workspace: imprint.Workspace) -> None:
    client = TestClient(make_app(workspace))
    assert client.get("/livez").json() == {"status": "alive"}
    refused = client.get("/readyz")
    problem_in(refused, 503, "not_ready")
    assert int(refused.headers["retry-after"]) >= 1


def test_the_probe_goes_through_a_worker_and_makes_it_ready(workspace: imprint.Workspace) -> None:
    app = make_app(workspace)
    threads: list[str] = []
    probe = app.state.service.readiness.probe
    done = threading.Event()

    def noted() -> None:
        threads.append(threading.current_thread().name)
        probe()
        done.set()

    app.state.service.readiness.probe = noted
    with TestClient(app) as client:
        assert done.wait(10)
        assert client.get("/readyz").json() == {"status": "ready"}
    assert threads[0].startswith("imprint-answer")


def test_not_ready_when_the_store_stops_answering(settings: Settings) -> None:
    workspace = imprint.open(settings=settings)
    client = ready_client(workspace)
    assert client.get("/readyz").status_code == 200
    workspace.close()
    problem_in(client.get("/readyz"), 503, "not_ready")
    assert client.get("/livez").status_code == 200


def test_without_any_encoder_it_says_why_it_is_not_ready(settings: Settings) -> None:
    without = replace(settings, text_encoder="", image_encoder="")
    with imprint.open(settings=without) as workspace:
        readiness = Readiness(workspace)
        with pytest.raises(imprint.errors.EncoderNotFoundError):
            readiness.probe()
        with pytest.raises(imprint.errors.NotReadyError, match="encoder_not_found"):
            readiness.check()


def test_an_image_encoder_is_enough(settings: Settings) -> None:
    with imprint.open(settings=replace(settings, text_encoder="")) as workspace:
        assert ready_client(workspace).get("/readyz").status_code == 200
