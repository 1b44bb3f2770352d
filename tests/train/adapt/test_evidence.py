"""Holding examples out, and the rule that decides whether adapting pays."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from imprint.train.adapt.evidence import compared, folds, scores  # noqa: E402


def test_folds_hold_out_a_fifth_of_each_class_and_never_the_same_example_twice():
    classes = np.repeat(np.arange(4), [1, 2, 5, 10])
    parts = folds(classes, 2, np.random.default_rng(0))
    held = np.concatenate([part.held for part in parts])
    assert len(held) == len(set(held.tolist()))
    assert np.bincount(classes[parts[0].held], minlength=4).tolist() == [0, 1, 1, 2]
    for part in parts:
        assert not set(part.held.tolist()) & set(part.kept.tolist())
        assert len(part.held) + len(part.kept) == len(classes)


def test_nothing_can_be_held_out_of_classes_of_one():
    assert folds(np.arange(5), 3, np.random.default_rng(0)) == []


def test_a_better_encoder_pays_and_the_same_one_does_not():
    rng = np.random.default_rng(3)
    classes = np.repeat(np.arange(8), 6)
    directions = rng.normal(size=(8, 32))

    def vectors(noise):
        found = directions[classes] + noise * rng.normal(size=(48, 32))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    loose, tight = vectors(2.5), vectors(0.5)
    parts = folds(classes, 2, rng)
    truth = [classes[part.held] for part in parts]
    before = [scores(loose, classes, part) for part in parts]
    after = [scores(tight, classes, part) for part in parts]
    assert compared(before, after, truth).pays
    assert not compared(before, before, truth).pays
    assert not compared(after, before, truth).pays
