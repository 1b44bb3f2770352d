"""Holding, releasing and going back over HTTP, and who may."""

from __future__ import annotations

import pytest

SUPPORTS = "/v1/collections/intents/supports"
COPY = {"label": "refund", "text": "Hello good morning"}


@pytest.fixture
def held(intents):
    """A copy of a greeting, taught as a refund."""
    answer = intents.post(SUPPORTS, json=COPY)
    assert answer.status_code == 202
    return answer.json()


def test_a_held_support_answers_202_and_is_listed_with_its_checks(intents, held):
    assert held["state"] == "quarantined"
    assert intents.get(SUPPORTS, params={"state": "quarantined"}).json()["items"]
    (item,) = intents.get("/v1/collections/intents/quarantine").json()["items"]
    assert item["support"]["support_id"] == held["support_id"]
    assert "label_conflict" in {check["name"] for check in item["checks"]}


def test_a_reviewer_releases_holds_relabels_and_rejects(intents, held):
    place = f"{SUPPORTS}/{held['support_id']}"
    assert intents.post(f"{place}:release").json()["state"] == "active"
    assert intents.post(f"{place}:quarantine").json()["state"] == "quarantined"
    moved = intents.post(f"{place}:relabel", json={"label": "greeting"}).json()
    assert (moved["label"], moved["state"]) == ("greeting", "active")
    assert intents.post(f"{place}:reject", json={}).json()["n_removed"] == 1
    assert intents.get(place).status_code == 404


def test_going_back_brings_back_what_was_rejected(intents, held):
    before = held["sequence"]
    intents.post(f"{SUPPORTS}/{held['support_id']}:reject", json={})
    back = intents.post("/v1/collections/intents:revert", json={"sequence": before}).json()
    assert back["n_restored"] == 1
    refused = intents.post("/v1/collections/intents:revert", json={"sequence": 10_000})
    assert refused.status_code == 422


def test_a_dry_run_stores_nothing(intents):
    seen = intents.post(f"{SUPPORTS}:validate", json=COPY)
    assert (seen.status_code, seen.json()["state"]) == (200, "quarantined")
    assert len(intents.get(SUPPORTS).json()["items"]) == 2


def test_only_a_reviewer_may_decide_and_only_a_teacher_may_teach_from_answers(
    intents, held, holder
):
    place = f"{SUPPORTS}/{held['support_id']}"
    teacher, reader = holder("teach"), holder("classify")
    assert teacher.post(f"{place}:release").status_code == 403
    assert teacher.get("/v1/collections/intents/quarantine").status_code == 403
    assert holder("review").post(f"{place}:release").status_code == 200
    answer = intents.post("/v1/collections/intents:classify", json={"text": "good day"}).json()
    wanted = f"/v1/answers/{answer['id']}:teach"
    assert reader.post(wanted, json={"label": "refund"}).status_code == 403


def test_feedback_names_what_misled_and_can_be_taught(intents):
    answer = intents.post("/v1/collections/intents:classify", json={"text": "hello good"}).json()
    said = intents.post(f"/v1/answers/{answer['id']}/feedback", json={"label": "refund"}).json()
    assert said["was_right"] is False
    assert said["misled_by"]["label"] == "greeting"
    taught = intents.post(f"/v1/answers/{answer['id']}:teach", json={"label": "salute"})
    assert taught.status_code in {201, 202}
    assert taught.json()["receipt"]["label"] == "salute"
    report = intents.get("/v1/collections/intents/report").json()
    assert report["live"]["n_answers"] == 1
