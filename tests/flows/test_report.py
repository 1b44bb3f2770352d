"""The report a collection gives of itself."""

from __future__ import annotations

from flows.words import TOPICS, variants


def test_a_report_covers_every_class_from_the_first_example_on(tickets):
    report = tickets.report()
    assert [one.label for one in report.classes] == list(TOPICS)
    assert report.expected is not None
    assert 0 <= report.expected.low <= report.expected.mean <= report.expected.high <= 1
    assert set(report.teach_next) <= set(TOPICS)
    assert report.to_json()["classes"][0]["expected"]["mean"] == report.classes[0].expected.mean
    assert "expected accuracy" in report.to_text()


def test_the_expected_accuracy_is_near_what_held_out_queries_show(tickets):
    for topic in TOPICS:
        for text in variants(topic, 9, seed=1):
            tickets.teach(topic, text)
    queries = [(topic, text) for topic in TOPICS for text in variants(topic, 40, seed=2)]
    found = tickets.classify_many([text for _, text in queries])
    right = [a.candidates[0].label == t for a, (t, _) in zip(found, queries, strict=True)]
    assert abs(tickets.report().expected.mean - sum(right) / len(right)) < 0.08


def test_a_support_that_looks_like_another_class_is_named(tickets):
    tickets.set_policy({"screening": "off"})
    for topic in TOPICS:
        for text in variants(topic, 5, seed=1):
            tickets.teach(topic, text)
    wrong = tickets.teach("login", "parcel courier late delivery tracking")
    named = {one.support_id: one.looks_like for one in tickets.report().misleading}
    assert named.get(wrong.support_id) == "delivery"


def test_near_duplicates_are_listed_and_contradictions_come_first(tickets):
    tickets.set_policy({"screening": "off"})
    tickets.teach("refund", "alpha beta gamma delta")
    tickets.teach("refund", "beta alpha gamma delta")
    tickets.teach("login", "Delta alpha beta gamma")
    first, *rest = tickets.report().duplicates
    assert {first.label, first.other_label} == {"refund", "login"}
    assert any(one.label == one.other_label == "refund" for one in rest)


def test_one_class_alone_is_reported_without_a_claim(opened, encoder):
    collection = opened(None).collection("one", modality="text", encoder=encoder)
    assert collection.report().classes == ()
    collection.teach("a", "alpha beta")
    report = collection.report()
    assert report.expected is None
    assert report.classes[0].expected.low == 0.0
