"""A trial against the answers of the nearest-neighbor rule written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.heads import Decider
from imprint.measure import trial
from imprint.measure.episodes import EpisodePlan, Pool, episodes
from imprint.vectors import unit


def clusters(n_classes=8, n_each=25, dim=16, spread=0.35, seed=0):
    rng = np.random.default_rng(seed)
    middles = unit(rng.normal(size=(n_classes, dim)))
    labels = np.repeat(np.arange(n_classes), n_each)
    return unit(middles[labels] + spread * rng.normal(size=(len(labels), dim))), labels.astype(str)


def trials(n_shot=3, n_episodes=6, **choice):
    vectors, labels = clusters()
    plan = EpisodePlan(4, n_shot, 10, n_episodes)
    head = trial.HeadChoice(**{"head": "prototype", **choice})
    for number, episode in enumerate(episodes(Pool.of(labels), plan, 0)):
        yield vectors, trial.run(episode, vectors, vectors, head, np.random.default_rng(number))


def test_a_trial_of_the_nearest_head_answers_like_the_rule_written_out():
    for vectors, result in trials(head="nearest"):
        episode = result.episode
        near = vectors[episode.query_rows] @ vectors[episode.support_rows].T
        cosine = near.reshape(len(near), 4, 3).max(axis=2)  # three supports of each class in a row
        assert np.array_equal(result.answered, cosine.argmax(axis=1))
        assert np.array_equal(result.correct, cosine.argmax(axis=1) == episode.query_class)
        order = np.argsort(-cosine, axis=1)
        ranks = (order == episode.query_class[:, None]).argmax(axis=1)
        assert np.array_equal(result.rank, ranks)


def test_numbers_of_a_trial_stay_within_their_ranges():
    for _, result in trials():
        for ratio in (result.confidence, result.known, result.unknown_known):
            assert ratio.min() >= 0
            assert ratio.max() <= 1
        assert (result.confidence >= 0.25 - 1e-6).all()
        assert ((result.brier >= 0) & (result.brier <= 2)).all()
        assert 0 <= result.support_accuracy <= 1


def test_queries_of_taught_classes_look_more_known_than_others():
    scored = [(r.known.mean(), r.unknown_known.mean()) for _, r in trials()]
    assert np.mean([known > unknown for known, unknown in scored]) > 0.8


def test_one_support_per_class_is_always_recognized_by_its_own_head():
    assert [r.support_accuracy for _, r in trials(n_shot=1)] == [1.0] * 6


@pytest.mark.parametrize("head", ["nearest", "auto"])
def test_other_heads_answer_the_same_episodes(head):
    for (_, one), (_, two) in zip(trials(head=head), trials(), strict=True):
        assert np.array_equal(one.episode.query_rows, two.episode.query_rows)
        assert one.correct.mean() > 0.5


def test_many_queries_are_judged_in_batches_like_one_by_one():
    vectors, labels = clusters(n_classes=6, n_each=250)
    decider = Decider.fit(vectors[::50], list(labels[::50]), head="prototype")
    names = [str(c) for c in range(6)]
    whole = trial.judge(decider, vectors, names)
    some = trial.judge(decider, vectors[1000:1003], names)
    assert whole.probabilities.shape == (1500, 6)
    assert whole.probabilities[1000:1003] == pytest.approx(some.probabilities, abs=1e-5)
    assert np.array_equal(whole.recognized[1000:1003], some.recognized)
    assert not (whole.recognized & whole.unknown).any()


@pytest.mark.parametrize("head", ["nearest", "prototype", "auto"])
def test_batch_probabilities_are_those_of_the_candidates_of_a_decision(head):
    vectors, labels = clusters()
    decider = Decider.fit(vectors[::5], list(labels[::5]), head=head)
    # Not the supports themselves: a decision answers those as they were taught.
    vectors = np.delete(vectors, np.s_[::5], axis=0)
    judged = trial.judge(decider, vectors, sorted(set(labels), reverse=True))
    for row, decision in enumerate(decider.decide(vectors, top_k=8)):
        told = {c.label: c.confidence for c in decision.candidates}
        expected = [told[label] for label in sorted(told, reverse=True)]
        assert judged.probabilities[row] == pytest.approx(expected, abs=1e-6)
        assert judged.known[row] == decision.known
        assert judged.recognized[row] == (decision.kind == "recognized")
