"""Where the tenant may hold no more, a class makes room by its policy, and says so."""

from __future__ import annotations

import pytest

from flows.words import TOPICS, variants
from imprint import errors


@pytest.fixture
def crowded(opened, encoder):
    """A collection of five supports whose tenant may hold five."""

    def made(eviction):
        workspace = opened(None)
        collection = workspace.collection(
            "tickets", modality="text", encoder=encoder, policy={"eviction": eviction}
        )
        for topic, words in TOPICS.items():
            collection.teach(topic, words)
        first = next(iter(TOPICS))
        collection.teach(first, variants(first, 1, seed=2)[0])
        n_held = len(collection.supports())
        workspace.quotas.change(
            "default", {"supports": n_held}, now=workspace.clock(), actor="operator"
        )
        return workspace, collection, first

    return made


def test_without_a_choice_of_the_owner_nothing_makes_room(crowded):
    _, collection, first = crowded("refuse")
    before = collection.supports()
    with pytest.raises(errors.QuotaExceededError):
        collection.teach(first, variants(first, 1, seed=9)[0])
    assert collection.supports() == before


def test_the_oldest_of_the_class_makes_room_and_the_receipt_says_so(crowded):
    workspace, collection, first = crowded("oldest")
    oldest = collection.supports(label=first)[0].support_id
    receipt = collection.teach(first, variants(first, 1, seed=9)[0])
    assert receipt.checks[-1].name == "eviction"
    assert oldest in receipt.checks[-1].hint
    kept = [one.support_id for one in collection.supports(label=first)]
    assert oldest not in kept
    assert kept[-1] == receipt.support_id
    row = workspace.audit(limit=1000)[-1]
    assert row.detail == {
        "support_id": receipt.support_id,
        "evicted": oldest,
        "reason": "oldest",
    }
    assert collection.labels()[first] == 2
    assert receipt.sequence == collection.sequence


def test_the_support_nearest_to_another_of_its_class_makes_room(crowded):
    workspace, collection, first = crowded("redundant")
    workspace.quotas.change("default", {"supports": 6}, now=workspace.clock(), actor="operator")
    words = TOPICS[first]
    twin = collection.teach(first, f"{words} {words}")
    one = collection.supports(label=first)[0].support_id
    receipt = collection.teach(first, variants(first, 1, seed=9)[0])
    gone = {one, twin.support_id} - {kept.support_id for kept in collection.supports(label=first)}
    assert len(gone) == 1
    assert gone.pop() in receipt.checks[-1].hint


def test_a_new_class_pushes_nobody_out(crowded):
    _, collection, _ = crowded("oldest")
    before = collection.supports()
    with pytest.raises(errors.QuotaExceededError):
        collection.teach("quite new", "entirely other words here")
    assert collection.supports() == before


def test_a_batch_makes_room_lesson_by_lesson(crowded):
    _, collection, first = crowded("oldest")
    n_before = len(collection.supports())
    texts = variants(first, 2, seed=11)
    outcomes = list(collection.teach_many([(first, text) for text in texts]))
    assert [one.state for one in outcomes] == ["active", "active"]
    assert len(collection.supports()) == n_before
    assert {one.support_id for one in collection.supports(label=first)} == {
        one.support_id for one in outcomes
    }


def test_what_was_evicted_can_be_brought_back_where_there_is_room(crowded):
    workspace, collection, first = crowded("oldest")
    before, held = collection.sequence, {one.support_id for one in collection.supports()}
    collection.teach(first, variants(first, 1, seed=9)[0])
    workspace.quotas.change("default", {"supports": None}, now=workspace.clock(), actor="operator")
    collection.revert(before)
    assert {one.support_id for one in collection.supports()} == held
