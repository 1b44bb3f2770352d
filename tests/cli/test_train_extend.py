"""Generated and pseudo-labelled supports from the command line: made, told, marked, refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

WORDS = {
    "refund": "money back refund pay return cash account please",
    "late": "parcel late slow waiting delivery driver post when",
    "broken": "broken screen crack repair damage fix device glass",
}
needs_torch = pytest.mark.skipif(
    not importlib.util.find_spec("torch")
    or not importlib.util.find_spec("pytorch_metric_learning"),
    reason="the train extra is not installed",
)


def sentences(label, n, first=0):
    words = WORDS[label].split()
    return [" ".join(words[(i + j * (1 + i % 3)) % 8] for j in range(4)) for i in range(first, n)]


@pytest.fixture
def shop(run):
    """Two classes of six examples, one of a single one."""
    for label in ("refund", "late"):
        for text in dict.fromkeys(sentences(label, 8)):
            assert run("teach", "shop", label, text).exit_code == 0
    assert run("teach", "shop", "broken", sentences("broken", 1)[0]).exit_code == 0
    return "shop"


@pytest.mark.train
@needs_torch
def test_classes_with_one_example_get_generated_ones(told, shop):
    tried = told("train", "generate", shop, "--each", "4", "--dry-run")
    assert tried["n_made"] == 4
    assert tried["n_taught"] == 0
    assert set(tried["classes"]) <= {"broken"}
    done = told("train", "generate", shop, "--each", "4")
    assert done["n_kept"] == tried["n_kept"]
    assert done["n_taught"] + done["n_held"] == done["n_kept"]


@pytest.mark.train
@needs_torch
def test_a_collection_without_small_classes_is_refused(told, shop):
    error = told("train", "generate", shop, "--few", "0", code=3)["error"]
    assert "raise --few" in error["message"]


def test_generating_needs_the_train_extra(told, shop, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    error = told("train", "generate", shop, code=3)["error"]
    assert "pip install 'imprint[train]'" in error["message"]


def test_unlabeled_lines_join_only_where_asked_or_shown_to_pay(told, shop):
    lines = [line for label in ("refund", "late") for line in sentences(label, 24, first=8)]
    Path("inbox.txt").write_text("\n".join(lines), encoding="utf-8")
    told_ = told("train", "selftrain", shop, "inbox.txt")
    assert told_["held_out"]["n_held"] > 0
    assert told_["pays"] or told_["n_taught"] == 0
    done = told("train", "selftrain", shop, "inbox.txt", "--always")
    assert done["n_taught"] + done["n_held"] + done["n_refused"] == done["n_sure"]


def test_with_one_support_a_class_nothing_is_taught_unasked(told, run, tickets):
    Path("inbox.txt").write_text("give my money back please\nmy parcel is late\n", "utf-8")
    assert told("train", "selftrain", tickets, "inbox.txt")["pays"] is None
    plain = run("train", "selftrain", tickets, "inbox.txt")
    assert "nothing was taught" in plain.stdout


def test_a_pool_that_is_not_there_is_not_found(told, tickets):
    assert (
        told("train", "selftrain", tickets, "nowhere.txt", code=4)["error"]["code"] == "not_found"
    )
