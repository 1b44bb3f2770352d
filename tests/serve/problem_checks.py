"""What every refusal must look like, whatever refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imprint.serve.schemas.check import COMPONENTS, faults_of

if TYPE_CHECKING:
    import httpx


def problem_in(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a response is this problem, and give its document."""
    shape = response.json()
    assert (response.status_code, shape["code"]) == (status, code), shape
    assert response.headers["content-type"] == "application/problem+json"
    assert faults_of(shape, COMPONENTS["Problem"]) == []
    assert shape["status"] == status
    assert shape["request_id"] == response.headers["x-request-id"]
    return dict(shape)
