"""A correction counts, names what misled, and can be taught after the same screening."""

from __future__ import annotations

import pytest

from flows.words import TOPICS
from imprint import errors


def test_feedback_says_whether_the_answer_was_right_and_what_misled_it(tickets):
    answer = tickets.classify("money back refund")
    assert tickets.feedback(answer.id, "refund").was_right
    wrong = tickets.feedback(answer.id, "invoice")
    assert not wrong.was_right
    assert wrong.misled_by is not None
    assert wrong.misled_by.label == "refund"
    assert wrong.receipt is None


def test_the_report_counts_the_last_word_on_each_answer(tickets):
    assert tickets.report().live is None
    first, second = tickets.classify("money back refund"), tickets.classify("parcel courier late")
    tickets.feedback(first.id, "invoice")
    tickets.feedback(first.id, "refund")
    tickets.feedback(second.id, "login")
    live = tickets.report().live
    assert (live.n_answers, live.mean) == (2, 0.5)
    assert 0 < live.low < 0.5 < live.high < 1
    assert "right in 50%" in tickets.report().to_text()


def test_a_corrected_query_is_taught_and_answers_from_then_on(tickets):
    answer = tickets.classify("warranty card stolen")
    done = tickets.feedback(answer.id, "warranty", teach=True)
    assert done.receipt.state == "active"
    support = tickets.support(done.receipt.support_id)
    assert (support.label, support.origin, support.metadata["answer_id"]) == (
        "warranty",
        "feedback",
        answer.id,
    )
    assert tickets.raw(done.receipt.support_id) is None
    assert tickets.classify("warranty card stolen").label == "warranty"


def test_none_of_these_teaches_a_negative(tickets):
    answer = tickets.classify("weather tomorrow sunny")
    done = tickets.feedback(answer.id, None, teach=True)
    assert done.receipt.label is None
    assert tickets.classify("weather tomorrow sunny").decision == "unknown"


def test_a_lying_correction_is_held(tickets):
    answer = tickets.classify(TOPICS["refund"] + "!")
    done = tickets.feedback(answer.id, "login", teach=True)
    assert done.receipt.state == "quarantined"


def test_feedback_on_an_answer_nobody_gave_is_refused(tickets):
    with pytest.raises(errors.AnswerNotFoundError):
        tickets.feedback("a_nobody", "refund")
