"""Going back is a new write; going back from that undoes it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imprint
from flows.words import TOPICS, WordEncoder, variants
from imprint import errors


def seen(collection):
    return {(one.support_id, one.label, one.state) for one in collection.supports(limit=1000)}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["teach", "forget", "hold", "release", "relabel"]), st.integers(0, 30)
    ),
    min_size=1,
    max_size=14,
)


def act(collection, verb, number):
    topics = list(TOPICS)
    if verb == "teach":
        topic = topics[number % 4]
        collection.teach(topic, variants(topic, 1, seed=number)[0])
        return
    live = collection.supports(limit=1000)
    if not live:
        return
    chosen = live[number % len(live)].support_id
    if verb == "forget":
        collection.forget(support_id=chosen)
    elif verb == "relabel":
        collection.relabel(chosen, topics[number % 4])
    else:
        getattr(collection, verb)(chosen)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=ACTS, target=st.integers(0, 60))
def test_any_moment_can_be_returned_to_and_the_return_undone(acts, target):
    with imprint.open() as workspace:
        collection = workspace.collection("t", modality="text", encoder=WordEncoder())
        moments = {0: set()}
        for topic, words in TOPICS.items():
            collection.teach(topic, words)
            moments[collection.sequence] = seen(collection)
        for verb, number in acts:
            act(collection, verb, number)
            moments[collection.sequence] = seen(collection)
        chosen = sorted(moments)[target % len(moments)]
        last = max(moments)
        done = collection.revert(chosen)
        assert seen(collection) == moments[chosen]
        assert done.n_restored + done.n_removed + done.n_changed == 0 or done.sequence == last + 1
        collection.revert(last)
        assert seen(collection) == moments[last]


def test_answers_follow_a_return_and_old_answers_can_still_be_given(tickets):
    before = tickets.sequence
    first = tickets.classify("money back")
    tickets.forget(label="refund")
    assert tickets.classify("money back").label != "refund"
    done = tickets.revert(before)
    assert (done.n_restored, done.n_removed) == (1, 0)
    then = tickets.classify("money back")
    # Rows come back in another order, and float32 sums notice that in the seventh digit.
    assert then.candidates[0].label == first.candidates[0].label
    assert then.confidence == pytest.approx(first.confidence, abs=1e-5)
    assert tickets.replay(first.id).confidence == pytest.approx(first.confidence, abs=1e-5)


def test_one_class_can_be_returned_alone(tickets):
    before = tickets.sequence
    tickets.forget(label="refund")
    tickets.teach("login", "forgot my access word")
    assert tickets.revert(before, label="refund").n_restored == 1
    assert tickets.labels()["login"] == 2


def test_a_moment_that_never_was_is_refused(tickets):
    with pytest.raises(errors.InvalidOptionError):
        tickets.revert(tickets.sequence + 1)
    with pytest.raises(errors.InvalidOptionError):
        tickets.revert(-1)


def test_nothing_is_written_when_nothing_changed(tickets):
    sequence = tickets.sequence
    assert tickets.revert(sequence).sequence == sequence == tickets.sequence
