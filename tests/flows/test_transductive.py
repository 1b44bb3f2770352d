"""Answers of a call that inform each other: marked, logged, replayed alone, never by default."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

import imprint
from imprint.vectors import unit

WIDTH = 24


def pointing(text: str) -> np.ndarray:
    """A vector for "name seed": near the name's own direction."""
    name, _, seed = text.partition(" ")
    own = np.random.default_rng(len(name)).normal(size=WIDTH)
    return unit(own + 0.8 * np.random.default_rng(zlib.crc32(seed.encode())).normal(size=WIDTH))


def encode(texts: list[str]) -> np.ndarray:
    return np.concatenate([pointing(text) for text in texts])


@pytest.fixture
def collection():
    with imprint.open() as workspace:
        made = workspace.collection("words", modality="text", encoder=encode)
        for name in ("a", "bb", "ccc"):
            made.teach(name, f"{name} 0")
        yield made


ASKED = [f"{name} {seed}" for name in ("a", "bb", "ccc") for seed in range(1, 9)]


def test_answers_say_that_they_were_informed_by_others(collection) -> None:
    together = collection.classify_many(ASKED, transductive=True)
    assert all(one.transductive for one in together)
    assert all(json.loads(json.dumps(one.to_json()))["transductive"] for one in together)
    alone = collection.classify_many(ASKED)
    assert not any(one.transductive for one in alone)
    assert [one.confidence for one in together] != [one.confidence for one in alone]


def test_one_query_alone_is_answered_and_marked_as_ever(collection) -> None:
    (one,) = collection.classify_many(ASKED[:1], transductive=True)
    plain = collection.classify(ASKED[0])
    assert not one.transductive
    assert (one.decision, one.confidence) == (plain.decision, plain.confidence)


def test_a_refused_source_keeps_its_place(collection) -> None:
    first, refused, last = collection.classify_many([ASKED[0], "", ASKED[9]], transductive=True)
    assert first.transductive
    assert last.transductive
    assert isinstance(refused, imprint.errors.InvalidInputError)


def test_a_single_class_is_answered_as_ever() -> None:
    with imprint.open() as workspace:
        made = workspace.collection("words", modality="text", encoder=encode)
        made.teach("a", "a 0")
        assert not any(one.transductive for one in made.classify_many(ASKED, transductive=True))


def test_replaying_gives_the_answer_for_the_query_alone_and_says_so(collection) -> None:
    together = collection.classify_many(ASKED, transductive=True)
    again = collection.replay(together[3].id)
    assert not again.transductive
    assert "alone" in again.notes[0]
    assert again.confidence == collection.classify(ASKED[3]).confidence


def test_a_bundle_answers_a_batch_as_its_collection(collection, tmp_path) -> None:
    path = collection.export(tmp_path / "words.imprint")
    bundle = imprint.load(path, encoder=encode)
    mine = collection.classify_many(ASKED, transductive=True)
    theirs = bundle.classify_many(ASKED, transductive=True)
    assert all(one.transductive for one in theirs)
    assert [one.candidates for one in theirs] == [one.candidates for one in mine]
