"""Metrics: names keep the rule, and nothing in them belongs to anyone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from imprint.serve.metrics import Metrics, resident_bytes

if TYPE_CHECKING:
    from starlette.testclient import TestClient

HERE = "/v1/collections/intents"


def test_names_start_and_end_as_promised(intents: TestClient) -> None:
    intents.post(f"{HERE}:classify", json={"text": "hello"})
    page = intents.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(page.text))
    assert len(families) >= 12
    for line in page.text.splitlines():
        if line.startswith("# TYPE "):
            assert re.fullmatch(r"imprint_\w+_(seconds|bytes|total|ratio)", line.split()[2]), line


def test_no_series_carries_a_tenant_a_collection_or_a_label(intents: TestClient) -> None:
    intents.post(f"{HERE}/supports", json={"label": "planted-label", "text": "planted text"})
    intents.get("/planted-address")
    intents.request("PLANTED", HERE)
    page = intents.get("/metrics").text
    assert "planted" not in page.lower()
    assert "intents" not in page
    assert "default" not in page


def test_what_happens_is_counted(intents: TestClient) -> None:
    answer = intents.post(f"{HERE}:classify", json={"text": "hello good morning"}).json()
    intents.post(f"{HERE}:classify", json={"text": ""})
    samples = {
        (sample.name, *sorted(sample.labels.values(), key=len, reverse=True)): sample.value
        for family in text_string_to_metric_families(intents.get("/metrics").text)
        for sample in family.samples
    }
    assert samples["imprint_supports_taught_total", "active"] == 2
    assert samples["imprint_answers_total", answer["decision"]] == 1
    assert samples["imprint_refusals_total", "empty_sample"] == 1
    route = "/v1/collections/{collection}:classify"
    assert samples["imprint_http_requests_total", route, "POST", "200"] == 1
    assert samples["imprint_work_seconds_count", "teach"] == 3
    assert samples["imprint_resident_bytes",] > 1e6


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.taught("active")
    assert 'imprint_supports_taught_total{state="active"} 1.0' in one.page().decode()
    assert 'state="active"' not in other.page().decode()


def test_memory_is_measured_in_bytes() -> None:
    assert 1e6 < resident_bytes() < 1e12
