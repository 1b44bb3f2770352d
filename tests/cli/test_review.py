"""Reviewing on the command line."""

from __future__ import annotations

import pytest

COPY = "WHERE is my parcel, it is late"


@pytest.fixture
def held(told, tickets) -> str:
    """A near copy of a late parcel, taught as a refund."""
    receipt = told("teach", tickets, "refund", COPY)
    assert receipt["state"] == "quarantined"
    return receipt["support_id"]


def test_what_is_held_is_listed_and_shown_with_reasons(told, run, tickets, held) -> None:
    (one,) = told("quarantine", "list", tickets)["held"]
    assert one["support"]["support_id"] == held
    assert "label_conflict" in run("quarantine", "show", tickets, held).stdout
    assert told("quarantine", "show", tickets, held)["checks"]
    assert held in run("quarantine", "list", tickets).stdout


def test_a_reviewer_decides_and_can_go_back(told, run, tickets, held) -> None:
    assert told("quarantine", "release", tickets, held)["state"] == "active"
    assert told("quarantine", "hold", tickets, held)["state"] == "quarantined"
    moved = told("quarantine", "relabel", tickets, held, "late")
    assert (moved["label"], moved["state"]) == ("late", "active")
    assert told("quarantine", "reject", tickets, held)["removed"] == 1
    assert run("quarantine", "show", tickets, held).exit_code == 4
    assert told("revert", tickets, str(moved["sequence"]))["n_restored"] == 1
    assert run("revert", tickets, "99").exit_code == 3
    assert "1 removed" in run("revert", tickets, "2").stdout


def test_a_dry_run_says_what_would_happen(told, run, tickets) -> None:
    assert told("validate", tickets, "refund", COPY)["state"] == "quarantined"
    assert "would be quarantined" in run("validate", tickets, "refund", COPY).stdout
    assert run("quarantine", "list", tickets).stdout.strip() == "nothing is held"


def test_a_corrected_query_can_be_taught(told, run, tickets) -> None:
    answer = told("classify", tickets, "warranty card stolen")
    done = told("feedback", tickets, answer["id"], "--label", "warranty", "--teach")
    assert done["receipt"]["label"] == "warranty"
    wrong = told("classify", tickets, "where is my parcel, it is late")
    said = run("feedback", tickets, wrong["id"], "--label", "refund").stdout
    assert "misled by late" in said
