"""Generated supports: they move the class, are marked, and are never shown as evidence."""

from __future__ import annotations

import numpy as np
import pytest

from flows.words import TOPICS
from imprint.errors import VectorError


def nearby(collection, label, seed=0):
    taught = collection.taught()
    own = taught.vectors[taught.labels.index(label)]
    return own + 0.2 * np.random.default_rng(seed).normal(size=own.shape) / np.sqrt(len(own))


def test_a_generated_support_is_marked_and_moves_its_class(tickets):
    topic = next(iter(TOPICS))
    before = tickets.classify(TOPICS[topic])
    receipt = tickets.teach_generated(topic, nearby(tickets, topic), metadata={"method": "vae"})
    support = tickets.support(receipt.support_id)
    assert support.origin == "generated"
    assert support.metadata["generated"] is True
    assert support.metadata["method"] == "vae"
    assert support.support_id.startswith("g_")
    after = tickets.classify(TOPICS[topic])
    assert after.candidates != before.candidates


def test_a_generated_support_is_no_evidence_however_near_it_is(tickets):
    topic = next(iter(TOPICS))
    for seed in range(8):
        tickets.teach_generated(topic, nearby(tickets, topic, seed))
    answer = tickets.classify(TOPICS[topic])
    assert len(answer.evidence) == len(TOPICS)
    assert all(one.support_id.startswith("s_") for one in answer.evidence)


def test_a_sample_taught_as_generated_is_no_evidence_either(tickets):
    topic = next(iter(TOPICS))
    words = f"{TOPICS[topic]} again"
    receipt = tickets.teach(topic, words, origin="generated")
    shown = {one.support_id for one in tickets.classify(words).evidence}
    assert receipt.support_id not in shown


def test_what_was_generated_is_not_learned_from_again(tickets):
    topic = next(iter(TOPICS))
    before = tickets.taught()
    tickets.teach_generated(topic, nearby(tickets, topic))
    assert tickets.taught().support_ids == before.support_ids


def test_a_generated_vector_of_another_width_is_refused(tickets):
    with pytest.raises(VectorError, match="finite numbers"):
        tickets.teach_generated(next(iter(TOPICS)), np.ones(3))
