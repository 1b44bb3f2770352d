"""Limits from the command line, and what they stop."""

from __future__ import annotations


def test_a_limit_is_set_shown_held_and_taken_away(told, run, tickets) -> None:
    shown = told("tenant", "quota", "default", "--set", "supports=2", "--set", "bytes=1M")
    assert shown["used"]["supports"] == 2
    assert shown["limits"] == {"supports": 2, "bytes": 1_000_000}
    refused = told("teach", tickets, "angry", "this is not what I ordered", code=6)
    assert refused["error"]["code"] == "quota_exceeded"
    assert "1,000,000" in run("tenant", "quota", "default").stdout
    told("tenant", "quota", "default", "--clear", "supports")
    assert told("teach", tickets, "angry", "this is not what I ordered")["support_id"]


def test_a_default_holds_for_tenants_without_their_own(told, tickets, monkeypatch) -> None:
    monkeypatch.setenv("IMPRINT_QUOTAS", "supports=2 requests_per_minute=600")
    assert told("tenant", "quota", "default")["limits"] == {
        "supports": 2,
        "requests_per_minute": 600,
    }
    assert told("teach", tickets, "angry", "this is not what I ordered", code=6)["error"]["code"]
    told("tenant", "quota", "default", "--set", "supports=3")
    assert told("teach", tickets, "angry", "this is not what I ordered")["support_id"]


def test_a_limit_that_is_none_is_refused(told, monkeypatch) -> None:
    for words in (["--set", "stars=3"], ["--set", "supports"], ["--clear", "stars"]):
        told("teach", "c", "a", "some words here")
        assert told("tenant", "quota", "default", *words, code=3)["error"]["code"]
    monkeypatch.setenv("IMPRINT_QUOTAS", "supports=many")
    assert told("collections", "list", code=3)["error"]["code"] == "invalid_option"
