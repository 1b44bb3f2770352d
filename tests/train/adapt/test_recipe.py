"""Adapting a tiny encoder from end to end, and the folder it leaves."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")
pytestmark = pytest.mark.train

from encoders.tiny import sample, write_bert  # noqa: E402
from imprint.encoders.catalogue import add, load_encoder  # noqa: E402
from imprint.errors import (  # noqa: E402
    EncoderNotFoundError,
    InvalidOptionError,
    TooFewSupportsError,
)
from imprint.train.adapt.folder import CARD, Start, write_folder  # noqa: E402
from imprint.train.adapt.network import SentenceNetwork  # noqa: E402
from imprint.train.adapt.plan import AdaptPlan  # noqa: E402
from imprint.train.adapt.recipe import adapt  # noqa: E402

TEXTS = ["where is my parcel", "my parcel", "the parcel lost", "card lost", "my card", "the card"]
LABELS = ["parcel", "parcel", "parcel", "card", "card", "card"]
PLAN = AdaptPlan(epochs=30, rate=3e-2, n_layers=1, dropout=0.0, precision="full", seconds=60)


@pytest.fixture
def start(tmp_path):
    return Start(str(write_bert(tmp_path / "tiny")), tmp_path / "cache")


def test_the_network_gives_what_the_built_encoder_gives(start, tmp_path):
    add(tmp_path / "tiny", cache_dir=start.cache_dir, name="tiny")
    built = load_encoder("tiny", cache_dir=start.cache_dir)
    network = SentenceNetwork(tmp_path / "tiny", n_layers=1).eval()
    found = network.encode(network.lower(TEXTS))
    np.testing.assert_allclose(found, built.encode([sample(t) for t in TEXTS]), atol=2e-5)


def test_lower_layers_never_move_and_upper_ones_do(start, tmp_path):
    before = SentenceNetwork(tmp_path / "tiny", n_layers=1).merged()
    adapt(TEXTS, LABELS, start, tmp_path / "out", plan=PLAN, always=True)
    after = SentenceNetwork(tmp_path / "out", n_layers=1).merged()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {n for n in before if n.startswith(("embeddings.", "encoder.layer.0."))} <= same
    assert "encoder.layer.1.attention.self.query.weight" not in same


@pytest.mark.parametrize("rank", [0, 2])
def test_what_is_published_is_servable_and_draws_classes_together(start, tmp_path, rank):
    if rank:
        pytest.importorskip("peft", reason="needs peft")
    plan = replace(PLAN, lora_rank=rank)
    result = adapt(TEXTS, LABELS, start, tmp_path / "out", plan=plan, always=True)
    assert result.published
    add(tmp_path / "out", cache_dir=start.cache_dir, name="ours")
    add(tmp_path / "tiny", cache_dir=start.cache_dir, name="tiny")
    samples = [sample(text) for text in TEXTS]

    def margin(name):
        vectors = load_encoder(name, cache_dir=start.cache_dir).encode(samples)
        cosines = vectors @ vectors.T
        same = np.equal.outer(LABELS, LABELS)
        return cosines[same].mean() - cosines[~same].mean()

    assert margin("ours") > margin("tiny") + 0.1
    card = json.loads((tmp_path / "out" / CARD).read_text())
    assert card["start"] == "tiny"
    assert not any(text in json.dumps(card) for text in TEXTS)


def test_what_does_not_pay_is_not_written(start, tmp_path):
    still = replace(PLAN, rate=1e-9, epochs=1)
    result = adapt(TEXTS, LABELS, start, tmp_path / "out", plan=still)
    assert result.comparison is not None
    assert not result.comparison.pays
    assert not result.published
    assert not (tmp_path / "out").exists()


def test_the_same_seed_gives_the_same_weights(start, tmp_path):
    for name in ("a", "b"):
        adapt(TEXTS, LABELS, start, tmp_path / name, plan=PLAN, always=True)
    first, second = (SentenceNetwork(tmp_path / name, 1).merged() for name in "ab")
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_one_class_and_classes_of_one_are_refused(start, tmp_path):
    with pytest.raises(TooFewSupportsError, match="at least two classes"):
        adapt(TEXTS[:3], LABELS[:3], start, tmp_path / "out", plan=PLAN)
    with pytest.raises(TooFewSupportsError, match="a second example"):
        adapt(TEXTS[2:4], LABELS[2:4], start, tmp_path / "out", plan=PLAN)


def test_an_encoder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EncoderNotFoundError, match="nowhere"):
        adapt(TEXTS, LABELS, Start("nowhere", tmp_path), tmp_path / "out", plan=PLAN)


def test_a_folder_that_is_there_is_never_overwritten(start, tmp_path):
    network = SentenceNetwork(tmp_path / "tiny", n_layers=1)
    with pytest.raises(InvalidOptionError, match="there already"):
        write_folder(network, tmp_path / "tiny", tmp_path / "tiny", {})
