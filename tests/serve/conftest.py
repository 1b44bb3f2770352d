"""An application over an in-memory workspace with toy encoders, and clients with keys to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

import imprint
from imprint.serve.app import make_app
from imprint.serve.auth import SCOPES
from imprint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", text_encoder="toy-text", image_encoder="toy-image")


@pytest.fixture
def workspace(settings: Settings) -> Iterator[imprint.Workspace]:
    with imprint.open(settings=settings) as opened:
        yield opened


@pytest.fixture
def anyone(workspace: imprint.Workspace) -> Iterator[TestClient]:
    """A client without a key."""
    with TestClient(make_app(workspace)) as client:
        yield client


@pytest.fixture
def holder(workspace: imprint.Workspace, anyone: TestClient) -> Callable[..., TestClient]:
    """Make a client with a key of a tenant and scopes, all of them when none is named."""

    def hold(*scopes: str, tenant: str = "default") -> TestClient:
        _, secret = workspace.create_key("test", scopes or SCOPES, tenant=tenant)
        client = TestClient(anyone.app)
        client.headers["Authorization"] = f"Bearer {secret}"
        return client

    return hold


@pytest.fixture
def client(holder: Callable[..., TestClient]) -> TestClient:
    """A client whose key may do everything."""
    return holder()


@pytest.fixture
def intents(client: TestClient) -> TestClient:
    """The same client, after a collection "intents" was taught two classes."""
    made = client.post("/v1/collections", json={"name": "intents", "modality": "text"})
    assert made.status_code == 201
    for label, text in (("refund", "give me my money back"), ("greeting", "hello good morning")):
        taught = client.post(
            "/v1/collections/intents/supports", json={"label": label, "text": text}
        )
        assert taught.status_code == 201
    return client
