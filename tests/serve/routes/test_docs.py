"""The OpenAPI document says what the server does, and the page needs no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from imprint.serve.problems import every_error
from imprint.serve.routes import ENDPOINTS
from imprint.serve.schemas.check import COMPONENTS, faults_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from references(one)


def test_the_document_lists_every_route_and_points_nowhere_else(anyone: TestClient) -> None:
    document = anyone.get("/openapi.json").json()
    listed = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert listed == {(one.method, one.path) for one in ENDPOINTS}
    served = {
        (method, re.sub(r"\{(\w+)(:\w+)?\}", r"{\1}", route.path))
        for route in anyone.app.router.routes
        for method in route.methods - {"HEAD"}
    }
    assert served == listed
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in COMPONENTS


def test_every_operation_states_its_key_problems_and_id(anyone: TestClient) -> None:
    document = anyone.get("/openapi.json").json()
    ids: list[str] = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            ids.append(operation["operationId"])
            assert operation["summary"]
            assert (operation.get("security") == []) == (not path.startswith("/v1/"))
            if path.startswith("/v1/"):
                assert {"401", "403", "429", "503"} <= set(operation["responses"])
            if "requestBody" in operation:
                assert {"400", "413", "415", "422"} <= set(operation["responses"])
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.examples], ids=lambda one: one.handler.__name__
)
def test_every_example_keeps_its_own_schema(endpoint: Any) -> None:
    for example in endpoint.examples:
        schema = endpoint.takes[example.media_type]
        assert faults_of(example.value, schema) == []


def test_the_page_shows_every_call_and_code_and_loads_nothing(anyone: TestClient) -> None:
    page = anyone.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for endpoint in ENDPOINTS:
        assert f"{endpoint.method} {endpoint.path}" in page.text
    for error in every_error():
        assert f'id="{error.code}"' in page.text
    assert "<script" not in page.text
    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page.text) == []
