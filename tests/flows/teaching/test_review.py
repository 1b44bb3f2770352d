"""Held supports: durable, listed, never answering, until a person decides."""

from __future__ import annotations

import pytest

from flows.words import TOPICS, variants
from imprint import errors


@pytest.fixture
def taught(tickets):
    """Six examples a topic: enough for the collection to know its own spread."""
    for topic in TOPICS:
        for text in variants(topic, 5, seed=1):
            tickets.teach(topic, text)
    return tickets


WRONG = "parcel courier late delivery tracking"


def test_the_first_examples_of_classes_are_never_held(tickets):
    assert [one.state for one in tickets.supports()] == ["active"] * len(TOPICS)


def test_a_wrong_label_is_held_with_every_check_listed(taught):
    receipt = taught.teach("login", WRONG)
    assert receipt.state == "quarantined"
    named = {check.name: check for check in receipt.checks}
    assert named["label"].verdict == "quarantine"
    assert named["label"].score > named["label"].limit
    assert "label" in named["label"].hint
    assert {"duplicate", "length", "near_duplicate", "outlier", "attractor"} <= set(named)


def test_a_held_support_never_answers_and_is_listed_with_its_reasons(taught):
    receipt = taught.teach("login", WRONG)
    answer = taught.classify(WRONG)
    assert receipt.support_id not in {one.support_id for one in answer.evidence}
    assert taught.labels()["login"] == 6
    (held,) = taught.quarantine()
    assert held.support.support_id == receipt.support_id
    assert "label" in {check.name for check in held.checks}
    assert [one.support_id for one in taught.supports(state="quarantined")] == [receipt.support_id]


def test_a_released_support_answers_at_once(taught):
    receipt = taught.teach("login", WRONG)
    released = taught.release(receipt.support_id)
    assert (released.support_id, released.state) == (receipt.support_id, "active")
    assert released.sequence == taught.sequence > receipt.sequence
    assert taught.classify(WRONG).evidence[0].support_id == receipt.support_id
    assert taught.quarantine() == []
    again = taught.release(receipt.support_id)
    assert (again.state, taught.sequence) == ("active", released.sequence)


def test_a_relabeled_support_answers_with_its_new_label(taught):
    receipt = taught.teach("login", WRONG)
    moved = taught.relabel(receipt.support_id, "delivery")
    assert (moved.label, moved.state) == ("delivery", "active")
    assert taught.classify(WRONG).label == "delivery"
    assert taught.labels()["delivery"] == 7
    back = taught.relabel(receipt.support_id, "login")
    assert "quarantine" in {check.verdict for check in back.checks}
    assert (taught.labels()["delivery"], taught.labels()["login"]) == (6, 7)


def test_an_active_support_can_be_held_by_hand(taught):
    (first,) = taught.supports(label="refund", limit=1)
    taught.hold(first.support_id)
    assert taught.labels()["refund"] == 5
    assert [one.checks for one in taught.quarantine()] == [()]


def test_a_rejected_support_is_gone_and_can_be_brought_back(taught):
    receipt = taught.teach("login", WRONG)
    before = taught.sequence
    taught.reject(receipt.support_id)
    with pytest.raises(errors.SupportNotFoundError):
        taught.support(receipt.support_id)
    assert taught.revert(before).n_restored == 1
    assert [one.support.support_id for one in taught.quarantine()] == [receipt.support_id]


def test_what_is_held_stays_held_in_the_next_process(opened, encoder):
    first = opened()
    collection = first.collection("t", modality="text", encoder=encoder)
    for topic, words in TOPICS.items():
        collection.teach(topic, words)
    held = collection.teach("login", TOPICS["refund"] + "!")
    assert held.state == "quarantined"
    first.close()
    again = opened().collection("t", encoder=encoder)
    assert [one.support.support_id for one in again.quarantine()] == [held.support_id]
    assert held.support_id not in {e.support_id for e in again.classify("refund!").evidence}


def test_the_same_held_sample_again_is_the_same_held_support(taught):
    receipt = taught.teach("login", WRONG)
    again = taught.teach("login", WRONG)
    assert (again.support_id, again.state) == (receipt.support_id, "quarantined")


def test_every_decision_is_one_audited_write(taught):
    workspace = taught._workspace
    receipt = taught.teach("login", WRONG)
    for act in (taught.release, taught.hold, lambda one: taught.relabel(one, "delivery")):
        act(receipt.support_id)
    taught.reject(receipt.support_id)
    verbs = [row.verb for row in workspace.store_view.audit(limit=1000)][-5:]
    assert verbs == ["teach", "release", "quarantine", "relabel", "reject"]


def test_a_batch_is_screened_in_order(tickets):
    pairs = [(topic, text) for topic in TOPICS for text in variants(topic, 5, seed=1)]
    outcomes = list(tickets.teach_many([*pairs, ("login", WRONG)]))
    assert [one.state for one in outcomes] == ["active"] * len(pairs) + ["quarantined"]


def test_a_sample_nothing_can_be_learned_from_is_refused_with_its_checks(opened):
    import numpy as np

    with_pictures = opened(None).collection("p", modality="image", encoder="toy-image")
    with pytest.raises(errors.InvalidInputError) as refused:
        with_pictures.teach("blank", np.full((64, 64, 3), 200, np.uint8))
    assert "reject" in {check.verdict for check in refused.value.checks}
    assert len(refused.value.checks) > 1
    (outcome,) = with_pictures.teach_many([("blank", np.full((64, 64, 3), 200, np.uint8))])
    assert isinstance(outcome, errors.InvalidInputError)


def test_screening_can_be_switched_off_and_made_strict(tickets):
    tickets.set_policy({"screening": "off"})
    receipt = tickets.teach("login", TOPICS["refund"] + "!")
    assert receipt.state == "active"
    assert {check.name for check in receipt.checks} == {"duplicate"}
    tickets.set_policy({"screening": "strict"})
    repeated = tickets.teach("invoice", TOPICS["invoice"].upper())
    assert "near_duplicate" in {c.name for c in repeated.checks if c.verdict == "warn"}
    assert repeated.state == "quarantined"


def test_limits_of_quality_are_the_owners(tickets):
    tickets.set_policy({"quality": {"text_letters": 30}})
    assert tickets.teach("refund", "money please").state == "quarantined"
    with pytest.raises(errors.InvalidOptionError):
        tickets.set_policy({"quality": {"text_colour": 1}})
    with pytest.raises(errors.InvalidOptionError):
        tickets.set_policy({"screening": "sometimes"})


def test_a_preview_stores_nothing_and_names_the_classes_that_would_lose(taught):
    sequence = taught.sequence
    seen = taught.validate("login", WRONG)
    assert (seen.state, taught.sequence) == ("quarantined", sequence)
    assert {check.name for check in seen.checks} >= {"label"}
    assert all(effect.label != "login" and effect.n_lost for effect in seen.effects)
    assert taught.validate("refund", variants("refund", 1, seed=9)[0]).state == "active"


def test_a_near_copy_under_a_new_label_is_held(tickets):
    receipt = tickets.teach("parcels", TOPICS["delivery"].upper())
    assert receipt.state == "quarantined"
    assert "label_conflict" in {c.name for c in receipt.checks if c.verdict == "quarantine"}
