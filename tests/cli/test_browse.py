"""Looking at collections: list, create, drop, labels, supports, export."""

from __future__ import annotations

from pathlib import Path

import imprint


def test_collections_are_listed_with_their_facts(told, run, tickets) -> None:
    (facts,) = told("collections", "list")["collections"]
    assert (facts["name"], facts["n_labels"], facts["n_supports"]) == ("tickets", 2, 2)
    assert "toy-text@" in run("collections", "list").stdout


def test_a_collection_is_created_with_a_policy_once(told) -> None:
    words = ("collections", "create", "strict", "--modality", "text")
    facts = told(*words, "--policy", '{"false_accept_rate": 0.01}')
    assert facts["policy"]["false_accept_rate"] == 0.01
    assert told(*words, code=5)["error"]["code"] == "collection_exists"


def test_a_policy_that_cannot_be_read_is_refused(told) -> None:
    words = ("collections", "create", "x", "--modality", "text", "--policy")
    assert told(*words, "{", code=3)["error"]["code"] == "invalid_option"
    assert told(*words, '{"nonsense": 1}', code=3)["error"]["code"] == "invalid_option"


def test_dropping_asks_first(told, run, tickets) -> None:
    result = run("collections", "drop", "tickets", given="n\n")
    assert result.exit_code == 130
    assert told("collections", "drop", "tickets", "--yes") == {"dropped": "tickets"}
    assert told("collections", "drop", "tickets", "--yes", code=4)["error"]["code"] == "not_found"


def test_a_bad_name_is_refused(told) -> None:
    error = told("collections", "create", "../x", "--modality", "text", code=3)["error"]
    assert error["code"] == "invalid_name"


def test_labels_are_counted(told, run, tickets) -> None:
    assert told("labels", "tickets")["labels"] == [
        {"label": "refund", "n_supports": 1},
        {"label": "late", "n_supports": 1},
    ]
    assert "refund  1" in run("labels", "tickets").stdout


def test_supports_are_paged(told, run, tickets) -> None:
    first = told("supports", "tickets", "--limit", "1")
    assert [one["label"] for one in first["supports"]] == ["refund"]
    second = told("supports", "tickets", "--limit", "1", "--after", first["after"])
    assert [one["label"] for one in second["supports"]] == ["late"]
    assert "--after s_" in run("supports", "tickets", "--limit", "1").stderr
    assert told("supports", "tickets", "--limit", "0", code=3)["error"]["code"] == "invalid_option"


def test_an_exported_bundle_answers_the_same(told, tickets) -> None:
    written = told("export", "tickets", "tickets.imprint")
    assert written["size_bytes"] == Path("tickets.imprint").stat().st_size
    asked = "please give me the money"
    bundle = imprint.load("tickets.imprint").classify(asked)
    assert bundle.to_json()["candidates"] == told("classify", "tickets", asked)["candidates"]


def test_an_export_to_nowhere_is_refused(told, tickets) -> None:
    assert "error" in told("export", "tickets", "no/such/folder/x", code=3)
