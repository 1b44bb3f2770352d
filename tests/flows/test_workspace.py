"""Workspaces: several collections, tenants and processes over one folder."""

from __future__ import annotations

import pytest

import imprint
from flows.words import TOPICS, WordEncoder, variants
from imprint import errors
from imprint.store.ports import GenerationRow


def test_what_was_taught_is_there_after_reopening(opened, encoder):
    first = opened()
    collection = first.collection("tickets", modality="text", encoder=encoder)
    for topic, words in TOPICS.items():
        collection.teach(topic, words)
    before = collection.classify_many(variants("login", 5))
    first.close()
    again = opened().collection("tickets", encoder=encoder)
    assert again.labels() == dict.fromkeys(TOPICS, 1)
    for was, now in zip(before, again.classify_many(variants("login", 5)), strict=True):
        assert (was.decision, was.label) == (now.decision, now.label)
        assert was.confidence == pytest.approx(now.confidence, abs=1e-6)


def test_two_workspaces_on_one_folder_see_each_others_writes(opened, encoder):
    one = opened().collection("tickets", modality="text", encoder=encoder)
    other = opened().collection("tickets", encoder=encoder)
    assert other.classify(TOPICS["refund"]).decision == "unknown"
    receipt = one.teach("refund", TOPICS["refund"])
    assert other.classify(TOPICS["refund"]).evidence[0].support_id == receipt.support_id
    other.forget("refund")
    assert one.classify(TOPICS["refund"]).evidence == ()


def test_a_policy_set_elsewhere_is_followed(opened, encoder):
    one = opened().collection("tickets", modality="text", encoder=encoder)
    one.teach("refund", TOPICS["refund"])
    other = opened().collection("tickets", encoder=encoder)
    other.classify("x")
    one.set_policy({"false_accept_rate": 0.3})
    other.classify("x")
    assert other.policy.false_accept_rate == 0.3


def test_another_encoder_for_the_same_collection_is_an_error_never_an_answer(opened, encoder):
    opened().collection("tickets", modality="text", encoder=encoder)
    with pytest.raises(errors.EncoderMismatchError, match="words@"):
        opened().collection("tickets", encoder=WordEncoder("other"))


def test_a_collection_of_one_modality_is_not_opened_as_another(opened, encoder):
    workspace = opened()
    workspace.collection("tickets", modality="text", encoder=encoder)
    with pytest.raises(errors.ModalityMismatchError):
        workspace.collection("tickets", modality="image")


def test_a_collection_that_is_not_there_needs_a_modality_to_be_made(opened):
    with pytest.raises(errors.CollectionNotFoundError):
        opened().collection("nothing")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "a b", "c:classify"])
def test_a_name_that_breaks_the_rule_is_refused(opened, encoder, name):
    with pytest.raises(errors.InvalidNameError):
        opened().collection(name, modality="text", encoder=encoder)


def test_tenants_never_see_each_other(opened, encoder):
    workspace = opened()
    ours = workspace.collection("tickets", modality="text", encoder=encoder)
    ours.teach("refund", TOPICS["refund"])
    answer = ours.classify(TOPICS["refund"])
    stranger = workspace.tenant("stranger")
    assert stranger.collections() == []
    with pytest.raises(errors.CollectionNotFoundError):
        stranger.collection("tickets")
    theirs = stranger.collection("tickets", modality="text", encoder=encoder)
    assert theirs.classify(TOPICS["refund"]).decision == "unknown"
    with pytest.raises(errors.AnswerNotFoundError):
        theirs.feedback(answer.id, "refund")
    assert ours.labels() == {"refund": 1}
    assert all(row.collection == "tickets" for row in stranger.audit())
    assert len(stranger.audit()) == 1


def test_dropping_a_collection_leaves_the_others(opened, encoder):
    workspace = opened()
    for name in ("a", "b"):
        workspace.collection(name, modality="text", encoder=encoder).teach("x", f"text {name}")
    workspace.drop("a")
    assert workspace.collections() == ["b"]
    with pytest.raises(errors.CollectionNotFoundError):
        workspace.drop("a")
    assert workspace.collection("b").labels() == {"x": 1}
    fresh = workspace.collection("a", modality="text", encoder=encoder)
    assert fresh.labels() == {}


def test_a_postgresql_address_is_refused_with_a_reason(settings):
    with pytest.raises(errors.InvalidOptionError, match="database server"):
        imprint.open("postgresql://localhost/x", settings=settings)


def test_keys_are_shown_once_and_answer_for_their_tenant(opened):
    workspace = opened()
    row, secret = workspace.create_key("laptop", ["teach", "classify"], tenant="shop")
    assert workspace.key(secret).tenant == "shop"
    assert secret not in repr(workspace.keys())
    workspace.revoke_key(row.key_id)
    with pytest.raises(errors.InvalidKeyError):
        workspace.key(secret)


def test_a_callable_serves_as_encoder_and_must_be_given_again(opened):
    def letters(values):
        return [[text.count(chr(97 + i)) + 0.01 for i in range(26)] for text in values]

    first = opened()
    collection = first.collection("t", modality="text", encoder=letters)
    collection.teach("a", "aaaa")
    collection.teach("b", "bbbb")
    assert collection.classify("aaab").candidates[0].label == "a"
    first.close()
    with pytest.raises(errors.EncoderNotFoundError):
        opened().collection("t").classify("aaab")
    assert opened().collection("t", encoder=letters).classify("bbb").candidates[0].label == "b"


def test_a_collection_dropped_and_made_anew_elsewhere_is_the_new_one(opened, encoder):
    here, there = opened(), opened()
    here.collection("t", modality="text", encoder=encoder).teach("a", "alpha")
    there.drop("t")
    with pytest.raises(errors.CollectionNotFoundError):
        here.collection("t")
    there.collection("t", modality="text", encoder=encoder).teach("b", "beta")
    assert here.collection("t").labels() == {"b": 1}


def test_a_calibration_saved_in_another_form_is_fitted_again(opened, encoder):
    first = opened()
    collection = first.collection("t", modality="text", encoder=encoder)
    collection.teach("a", "alpha")
    collection.classify("alpha")
    row = first.store_view.collection("t")
    newer = GenerationRow(99, row.encoder_version, 99, {"kind": "calibration.v9"}, row.created_at)
    with first.writing("calibrate", "t", {}) as writing:
        writing.put_generation(row.collection_id, newer)
    first.close()
    assert opened().collection("t", encoder=encoder).classify("alpha").label == "a"
