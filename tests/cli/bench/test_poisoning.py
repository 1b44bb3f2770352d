"""The verb that attacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FEW = ("--attack", "flip", "--n-way", "3", "--shots", "1", "--draws", "1")


@pytest.fixture
def labelled(home) -> str:
    topics = ("refund money back", "parcel late courier", "password login locked")
    lines = [
        json.dumps({"text": f"{topic} case {i}", "label": topic.split()[0]})
        for topic in topics
        for i in range(8)
    ]
    Path("t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "t.jsonl"


def test_material_is_attacked_and_a_page_is_written(told, labelled) -> None:
    report = told("bench", "poisoning", "--data", labelled, "--html", "p.html", *FEW)
    assert [row["attack"] for row in report["attacks"]] == ["flip"]
    assert report["n_way"] == 3
    assert "<html" in Path("p.html").read_text("utf-8")


def test_the_supports_of_a_collection_are_attacked_and_stay_as_they_are(run, told, labelled):
    assert run("import", "tickets", labelled).exit_code == 0
    before = told("labels", "tickets")
    told("bench", "poisoning", "--collection", "tickets", *FEW)
    assert told("labels", "tickets") == before


@pytest.mark.parametrize(
    "words", [(), ("--data", "t.jsonl", "--collection", "x"), ("--data", "t.jsonl", "--shots", "a")]
)
def test_what_cannot_be_run_is_explained(told, labelled, words) -> None:
    assert told("bench", "poisoning", *words, code=3)["error"]["code"] == "invalid_option"
