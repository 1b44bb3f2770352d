"""What has expired answers no more, says why it went, and can be brought back for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imprint
from flows.words import TOPICS, WordEncoder, variants
from imprint import errors
from imprint.flows.custody.sweeping import sweep

START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shop(opened, clock):
    workspace = opened()
    workspace.clock = clock
    return workspace


def taught(shop, encoder, **policy):
    collection = shop.collection("tickets", modality="text", encoder=encoder, policy=policy)
    for topic, words in TOPICS.items():
        collection.teach(topic, words)
    return collection


def test_a_support_stops_answering_at_the_moment_it_expires(shop, encoder, clock):
    collection = taught(shop, encoder)
    topic = next(iter(TOPICS))
    extra = variants(topic, 1, seed=3)[0]
    receipt = collection.teach(topic, extra, expires_at=START + DAY)
    clock.now = START + DAY - timedelta(microseconds=1)
    assert collection.labels()[topic] == 2
    clock.now = START + DAY
    answer = collection.classify(extra)
    assert receipt.support_id not in [one.support_id for one in answer.evidence]
    assert collection.labels()[topic] == 1
    assert answer.sequence == collection.sequence
    with pytest.raises(errors.SupportNotFoundError):
        collection.support(receipt.support_id)


def test_an_eviction_is_audited_with_its_reason_and_names_what_went(shop, encoder, clock):
    collection = taught(shop, encoder, max_age_days=2)
    clock.now = START + 2 * DAY
    assert collection.labels() == {}
    last = shop.audit(limit=1000)[-1]
    assert (last.verb, last.actor, last.collection) == ("expire", "lifecycle", "tickets")
    assert last.detail["reason"] == "expired"
    assert len(last.detail["support_ids"]) == last.detail["n_supports"] == len(TOPICS)


def test_the_maximum_age_ends_a_support_before_its_own_later_expiry(shop, encoder, clock):
    collection = shop.collection("t", modality="text", encoder=encoder, policy={"max_age_days": 1})
    collection.teach("refund", "money back", expires_at=START + 9 * DAY)
    clock.now = START + DAY
    assert collection.labels() == {}


def test_a_maximum_age_set_later_holds_for_what_is_taught_already(shop, encoder, clock):
    collection = taught(shop, encoder)
    clock.now = START + 3 * DAY
    collection.set_policy({"max_age_days": 2})
    assert collection.labels() == {}


def test_an_expiry_written_by_another_process_is_seen(opened, shop, encoder, clock):
    mine = taught(shop, encoder)
    other = opened()
    other.clock = clock
    topic = next(iter(TOPICS))
    mine.labels()
    other.collection("tickets", encoder=encoder).teach(
        topic, variants(topic, 1, seed=5)[0], expires_at=START + DAY
    )
    assert mine.labels()[topic] == 2
    clock.now = START + DAY
    assert mine.labels()[topic] == 1


def test_what_cannot_be_written_down_as_expired_answers_no_more_all_the_same(
    opened, shop, encoder, clock
):
    taught(shop, encoder, max_age_days=1)
    reader = opened(read_only=True)
    reader.clock = clock
    seen = reader.collection("tickets", encoder=encoder)
    assert len(seen.labels()) == len(TOPICS)
    clock.now = START + DAY
    assert seen.labels() == {}
    assert seen.classify("anything").decision == "unknown"


def test_what_expired_comes_back_with_as_long_a_life_again(shop, encoder, clock):
    collection = taught(shop, encoder, max_age_days=2, retention_days=30)
    before = collection.sequence
    clock.now = START + 3 * DAY
    assert collection.labels() == {}
    done = collection.revert(before)
    assert done.n_restored == len(TOPICS)
    assert len(collection.labels()) == len(TOPICS)
    clock.now = START + 5 * DAY - timedelta(seconds=1)
    assert len(collection.labels()) == len(TOPICS)
    clock.now = START + 5 * DAY
    assert collection.labels() == {}


def test_beyond_its_retention_nothing_comes_back_and_the_refusal_says_why(shop, encoder, clock):
    collection = taught(shop, encoder, retention_days=7)
    before = collection.sequence
    topic = next(iter(TOPICS))
    collection.forget(topic)
    clock.now = START + 8 * DAY
    with pytest.raises(errors.RetentionOverError, match=r"1 supports .* more than 7 days ago"):
        collection.revert(before)
    other = list(TOPICS)[1]
    assert collection.revert(before, label=other).n_restored == 0
    assert sweep(shop).n_erased == 1
    with pytest.raises(errors.RetentionOverError):
        collection.revert(before)


def test_what_was_erased_on_purpose_does_not_forbid_a_return(shop, encoder, clock):
    collection = taught(shop, encoder, retention_days=7)
    before = collection.sequence
    topics = list(TOPICS)
    collection.forget(topics[0], erase=True)
    clock.now = START + 8 * DAY
    collection.forget(topics[1])
    assert collection.revert(before).n_restored == 1


def test_a_sweep_takes_out_and_erases_by_each_collections_own_policy(shop, encoder, clock):
    for name, policy in {
        "long": {"max_age_days": 1, "retention_days": 100},
        "short": {"max_age_days": 1, "retention_days": 5},
        "plain": {},
    }.items():
        one = shop.collection(name, modality="text", encoder=encoder, policy=policy)
        one.teach("refund", "money back")
        one.teach("card", "my card is lost")
    shop.collection("plain").forget("card")
    clock.now = START + 2 * DAY
    first = sweep(shop)
    assert (first.n_expired, first.n_erased) == (4, 0)
    clock.now = START + 8 * DAY
    assert sweep(shop).n_erased == 2
    assert sweep(shop, timedelta(days=3)).n_erased == 1


def test_an_answer_given_before_an_expiry_is_replayed_as_it_was(shop, encoder, clock):
    collection = taught(shop, encoder, max_age_days=1)
    answer = collection.classify(next(iter(TOPICS.values())))
    clock.now = START + 2 * DAY
    assert collection.labels() == {}
    assert collection.replay(answer.id).label == answer.label


@pytest.mark.parametrize(
    "moment", [START, START - DAY, START.replace(year=2027, tzinfo=None), "tomorrow"]
)
def test_an_expiry_that_is_past_or_without_a_zone_is_refused(shop, encoder, moment):
    collection = taught(shop, encoder)
    with pytest.raises(errors.InvalidOptionError, match="expires_at"):
        collection.teach("refund", "another text", expires_at=moment)


@pytest.mark.parametrize(
    "policy",
    [{"max_age_days": 0}, {"max_age_days": True}, {"retention_days": -1}, {"eviction": "newest"}],
)
def test_a_policy_about_lifetimes_out_of_range_is_refused(shop, encoder, policy):
    with pytest.raises(errors.InvalidOptionError, match=next(iter(policy))):
        shop.collection("t", modality="text", encoder=encoder, policy=policy)


@settings(max_examples=10, deadline=None)
@given(
    lives=st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=1, max_size=4),
    max_age=st.one_of(st.none(), st.integers(1, 9)),
    moments=st.lists(st.integers(0, 10), min_size=1, max_size=4),
    swept=st.booleans(),
)
def test_at_every_moment_just_those_answer_whose_time_is_not_over(lives, max_age, moments, swept):
    clock = Clock()
    with imprint.open() as workspace:
        workspace.clock = clock
        collection = workspace.collection(
            "t", modality="text", encoder=WordEncoder(), policy={"max_age_days": max_age}
        )
        ends = {}
        for (topic, words), life in zip(TOPICS.items(), lives, strict=False):
            until = None if life is None else START + life * DAY
            collection.teach(topic, words, expires_at=until)
            ends[topic] = min(one for one in (life, max_age, 99) if one is not None)
        for day in sorted(moments):
            clock.now = START + day * DAY
            if swept:
                sweep(workspace)
            assert set(collection.labels()) == {topic for topic, end in ends.items() if day < end}
        gone = [row.detail for row in workspace.audit(limit=1000) if row.verb == "expire"]
        n_gone = sum(max(moments) >= end for end in ends.values())
        assert sum(one["n_supports"] for one in gone) == n_gone
