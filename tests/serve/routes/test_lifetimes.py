"""Expiry and age over HTTP: asked for by field, shown by the report, swept by the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    import imprint

HERE = "/v1/collections/intents"


class Ahead:
    """The wall clock, some time ahead."""

    by = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.fixture
def ahead(workspace: imprint.Workspace) -> Ahead:
    workspace.clock = Ahead()
    return workspace.clock


def test_a_support_taught_for_an_hour_is_gone_after_it(ahead: Ahead, intents: TestClient) -> None:
    body = {"label": "parcel", "text": "where is my box", "expires_in_s": 3600}
    taught = intents.post(f"{HERE}/supports", json=body)
    assert taught.status_code == 201
    place = taught.headers["Location"]
    assert intents.get(place).status_code == 200
    assert intents.get(HERE).json()["staleness"]["n_due_soon"] == 1
    ahead.by = timedelta(hours=1, seconds=1)
    answer = intents.post(f"{HERE}:classify", json={"text": "where is my box"}).json()
    assert "parcel" not in [one["label"] for one in answer["candidates"]]
    problem_in(intents.get(place), 404, "support_not_found")


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "3600", 10**12])
def test_a_senseless_lifetime_is_refused(intents: TestClient, seconds: object) -> None:
    body = {"label": "parcel", "text": "where is my box", "expires_in_s": seconds}
    assert intents.post(f"{HERE}/supports", json=body).status_code == 422


def test_the_server_sweeps_by_policy_and_shows_the_age_of_the_stalest_prototype(
    ahead: Ahead, workspace: imprint.Workspace, intents: TestClient
) -> None:
    policy = {"max_age_days": 30, "retention_days": 7}
    changed = intents.patch(HERE, json={"policy": policy})
    assert changed.status_code == 200, changed.text
    service = intents.app.state.service
    ahead.by = timedelta(days=12)
    service.make_round()
    page = intents.get("/metrics").text
    line = next(
        line for line in page.splitlines() if line.startswith("imprint_prototype_staleness_seconds")
    )
    assert float(line.split()[1]) == pytest.approx(12 * 86_400, abs=600)
    report = intents.get(f"{HERE}/report").json()
    assert report["staleness"]["ratio"] == pytest.approx(0.4, abs=0.01)
    ahead.by = timedelta(days=31)
    service.make_round()
    assert workspace.audit(limit=1000)[-1].verb == "expire"
    ahead.by = timedelta(days=39)
    service.make_round()
    last = workspace.audit(limit=1000)[-1]
    assert (last.verb, last.detail["reason"]) == ("sweep", "retention is over")
