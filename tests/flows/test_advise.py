"""Advice names sources that stand for what the classes do not cover yet."""

from __future__ import annotations

import pytest

from flows.words import TOPICS, variants
from imprint import errors


def test_a_topic_nobody_taught_is_advised_first(tickets):
    tickets.forget("invoice")
    known = [text for topic in ("refund", "login") for text in variants(topic, 12)]
    unlabeled = [*known, *variants("invoice", 12)]
    first, *_ = tickets.advise(unlabeled, n=3)
    assert first.position >= len(known)
    assert 0 < first.worth <= 1
    assert first.candidates
    assert first.because
    assert first.to_json()["position"] == first.position


def test_each_suggestion_covers_what_the_ones_before_left(tickets):
    texts = [text for topic in TOPICS for text in variants(topic, 20)]
    advice = tickets.advise(texts, n=8)
    worths = [one.worth for one in advice]
    assert worths == sorted(worths, reverse=True)
    assert len({one.position for one in advice}) == 8


def test_what_is_taught_or_cannot_be_read_is_passed_over(tickets):
    advice = tickets.advise([TOPICS["refund"], "", "a fresh text"], n=5)
    assert [one.position for one in advice] == [2]


def test_advice_for_an_empty_collection_says_so(opened, encoder):
    collection = opened(None).collection("new", modality="text", encoder=encoder)
    (one,) = collection.advise(["some text"])
    assert one.because == "nothing is taught yet"


def test_a_number_out_of_range_is_refused(tickets):
    with pytest.raises(errors.InvalidOptionError):
        tickets.advise(["x"], n=0)
