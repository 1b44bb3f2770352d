"""Every deliberate failure has a status, and the statuses say who can act."""

from __future__ import annotations

import json

import pytest

from imprint import errors
from imprint.serve.problems import MEANINGS, every_error, problem_of, problem_response, status_of
from imprint.serve.routes import ENDPOINTS
from imprint.serve.routes.docs import statuses_of
from imprint.serve.schemas.check import COMPONENTS, faults_of
from imprint.types import Check

FAMILIES = {
    errors.InvalidInputError: range(400, 429),
    errors.NotFoundError: range(404, 405),
    errors.ConflictError: range(409, 410),
    errors.DeniedError: range(401, 404),
    errors.BusyError: (429, 503),
    errors.CorruptError: range(500, 501),
}


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_every_error_has_the_status_of_its_family(kind: type[errors.ImprintError]) -> None:
    status = status_of(kind)
    assert status in MEANINGS
    for family, statuses in FAMILIES.items():
        if issubclass(kind, family):
            assert status in statuses


def test_codes_are_stable_words_of_their_own() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


def test_a_refused_sample_lists_every_check_and_a_hint_for_what_failed() -> None:
    checks = (
        Check("size", "pass", 10.0, 100.0, ""),
        Check("blur", "reject", 0.01, 0.2, "hold the camera still"),
    )
    shape = problem_of(errors.DecodeError("too blurred", checks), "r1")
    assert faults_of(shape, COMPONENTS["Problem"]) == []
    assert [check["name"] for check in shape["checks"]] == ["size", "blur"]
    assert [(one["code"], one["hint"]) for one in shape["errors"]] == [
        ("blur", "hold the camera still")
    ]


def test_busy_says_when_to_come_back() -> None:
    response = problem_response(errors.StorageFullError("full", retry_after_s=2.2), "r1")
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert json.loads(response.body)["code"] == "storage_full"


def test_every_status_an_endpoint_may_give_has_a_meaning() -> None:
    for endpoint in ENDPOINTS:
        assert set(statuses_of(endpoint)) <= set(MEANINGS)
