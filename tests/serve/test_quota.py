"""Limits of tenants over HTTP: what is refused says why, and workers count together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imprint
from imprint.settings import Settings
from serve.problem_checks import problem_in
from serve.real_server import RealServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

HERE = "/v1/collections/intents"


def limit(workspace: imprint.Workspace, **changes: int | None) -> None:
    workspace.quotas.change("default", changes, now=workspace.clock(), actor="test")


def test_a_full_tenant_is_told_so_and_can_still_ask_and_forget(
    intents: TestClient, workspace: imprint.Workspace
) -> None:
    limit(workspace, supports=2)
    shape = {"label": "angry", "text": "this is not what I ordered"}
    problem = problem_in(intents.post(f"{HERE}/supports", json=shape), 403, "quota_exceeded")
    assert "limit is 2" in problem["detail"]
    assert intents.post(f"{HERE}:classify", json={"text": "hello there"}).status_code == 200
    assert intents.delete(f"{HERE}/labels/greeting").status_code == 200
    assert intents.post(f"{HERE}/supports", json=shape).status_code == 201
    usage = intents.get("/v1/usage").json()
    assert usage["used"]["supports"] == usage["limits"]["supports"] == 2
    assert usage["limits"]["bytes"] is None


def test_an_import_takes_what_fits_and_says_what_did_not(
    intents: TestClient, workspace: imprint.Workspace
) -> None:
    limit(workspace, supports=5)
    lines = "\n".join(
        f'{{"label": "refund", "text": "money back for order number {i} please"}}' for i in range(6)
    )
    sent = intents.post(
        f"{HERE}/supports:import", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    done = sent.json()
    assert done["n_accepted"] == 3
    codes = [one["error"]["code"] for one in done["results"] if "error" in one]
    assert codes == ["quota_exceeded"] * 3


def test_asking_too_often_is_refused_with_the_time_to_wait(
    holder: Callable[..., TestClient], workspace: imprint.Workspace
) -> None:
    limit(workspace, requests_per_minute=5)
    client, other = holder(), holder(tenant="umbrella")
    statuses = [client.get("/v1/collections").status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = client.get("/v1/collections")
    assert "5 a minute" in problem_in(refused, 429, "rate_limited")["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    # Neither another tenant nor the calls without a key are stopped, nor is another key let in.
    assert other.get("/v1/collections").status_code == 200
    assert client.get("/livez").status_code == 200
    assert holder().get("/v1/collections").status_code == 429


def test_a_days_limit_says_when_the_next_day_begins(
    client: TestClient, workspace: imprint.Workspace
) -> None:
    limit(workspace, requests_per_day=3)
    for _ in range(3):
        assert client.get("/v1/collections").status_code == 200
    refused = client.get("/v1/collections")
    problem_in(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400


def test_two_workers_of_one_workspace_count_together(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with imprint.open(home, settings=Settings(text_encoder="toy-text")) as workspace:
        limit(workspace, requests_per_minute=20)
        _, secret = workspace.create_key("k", ("classify",))
    with RealServer(home, secret=secret) as one, RealServer(home, secret=secret) as two:
        statuses = []
        with one.client() as first, two.client() as second:
            for _ in range(20):
                statuses += [c.get("/v1/collections").status_code for c in (first, second)]
    # A few more than twenty when the test takes seconds: a minute's worth is given back evenly.
    assert 20 <= statuses.count(200) <= 30
    assert statuses.count(429) >= 10
