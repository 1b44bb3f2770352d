"""Exported bundles answer as the collection they came from, and say when they are damaged."""

from __future__ import annotations

import zipfile

import pytest

import imprint
from flows.words import TOPICS, WordEncoder, variants
from imprint import errors


def test_a_bundle_answers_exactly_as_its_collection(tickets, tmp_path, encoder, settings):
    for topic in TOPICS:
        for text in variants(topic, 6, seed=4):
            tickets.teach(topic, text)
    tickets.forget(support_id=tickets.supports(limit=1)[0].support_id)
    queries = [text for topic in TOPICS for text in variants(topic, 5)] + ["giraffe volcano"]
    path = tickets.export(tmp_path / "tickets.imprint")
    expected = tickets.classify_many(queries)
    bundle = imprint.load(path, encoder, settings=settings)
    assert bundle.labels() == tickets.labels()
    for was, now in zip(expected, bundle.classify_many(queries), strict=True):
        assert (was.decision, was.label, was.generation) == (
            now.decision,
            now.label,
            now.generation,
        )
        assert was.confidence == pytest.approx(now.confidence, abs=1e-6)
        assert [c.label for c in was.candidates] == [c.label for c in now.candidates]
        assert was.evidence == now.evidence
    ours, theirs = tickets.verify("refund", queries[0]), bundle.verify("refund", queries[0])
    assert ours.accepted == theirs.accepted
    assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-6)


def test_a_bundle_refuses_another_encoder(tickets, tmp_path, settings):
    path = tickets.export(tmp_path / "b.imprint")
    with pytest.raises(errors.EncoderMismatchError):
        imprint.load(path, WordEncoder("other"), settings=settings)
    with pytest.raises(errors.EncoderNotFoundError):
        imprint.load(path, settings=settings)


def test_a_damaged_bundle_is_refused(tickets, tmp_path, encoder, settings):
    path = tickets.export(tmp_path / "b.imprint")
    whole = path.read_bytes()
    for damaged in (b"", b"not a bundle", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(errors.BundleCorruptError):
            imprint.load(path, encoder, settings=settings)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle.json", '{"kind": "bundle.v1", "vectors_sha256": "0"}')
        archive.writestr("vectors.safetensors", b"x")
    with pytest.raises(errors.BundleCorruptError):
        imprint.load(path, encoder, settings=settings)
    with pytest.raises(errors.InvalidInputError):
        imprint.load(tmp_path / "nothing.imprint", encoder, settings=settings)


def test_a_bundle_holds_no_raw_sample(tickets, tmp_path):
    tickets.teach("refund", "MARKER-in-a-support")
    path = tickets.export(tmp_path / "b.imprint")
    assert b"MARKER-in-a-support" not in path.read_bytes()


def test_exporting_where_nothing_can_be_written_is_a_clear_error(tickets, tmp_path):
    with pytest.raises(errors.InvalidOptionError, match="writable"):
        tickets.export(tmp_path / "no" / "such" / "folder" / "b.imprint")


@pytest.mark.parametrize("head", ["adapted", "logistic", "lda"])
def test_a_bundle_of_a_head_with_weights_answers_as_its_collection(
    opened, tmp_path, encoder, settings, head
):
    collection = opened(None).collection(
        "t", modality="text", encoder=encoder, policy={"head": head}
    )
    for topic in TOPICS:
        for text in variants(topic, 10, seed=1):
            collection.teach(topic, text)
    collection.classify("x")
    collection.teach("refund", "one more that nobody fitted the weights to")
    path = collection.export(tmp_path / "t.imprint")
    queries = [text for topic in TOPICS for text in variants(topic, 6)]
    bundle = imprint.load(path, encoder, settings=settings)
    for was, now in zip(
        collection.classify_many(queries), bundle.classify_many(queries), strict=True
    ):
        assert (was.decision, was.label, was.generation) == (
            now.decision,
            now.label,
            now.generation,
        )
        assert was.confidence == pytest.approx(now.confidence, abs=1e-5)
