"""Generators learn how samples of one class differ, and say the same thing twice."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train

from imprint.errors import DivergedError, InvalidOptionError, TooFewSupportsError  # noqa: E402
from imprint.train.generative.extra import extra_supports  # noqa: E402
from imprint.train.generative.generator import fit  # noqa: E402
from imprint.train.generative.plan import GeneratorPlan  # noqa: E402
from imprint.vectors import unit  # noqa: E402

DIM = 24
# Samples of a class differ along the first six coordinates only, classes along the others.
NOISY = np.r_[np.full(6, 1.0), np.full(DIM - 6, 0.05)]
APART = np.r_[np.full(6, 0.1), np.full(DIM - 6, 0.5)]


def classes(n_classes, n_each, seed):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_classes, DIM)) * APART
    numbers = np.repeat(np.arange(n_classes), n_each)
    vectors = centers[numbers] + rng.normal(size=(len(numbers), DIM)) * NOISY
    return unit(vectors), [f"c{number:02d}" for number in numbers]


def drawings(n_classes=4, n_each=6, seed=0):
    rng = np.random.default_rng(seed)
    strokes = np.zeros((n_classes, 28, 28), np.float32)
    for number in range(n_classes):
        strokes[number, 4 + 5 * number : 7 + 5 * number, 3:25] = 1.0
    numbers = np.repeat(np.arange(n_classes), n_each)
    made = np.stack([np.roll(strokes[c], rng.integers(-2, 3), axis=1) for c in numbers])
    return made, [f"c{c}" for c in numbers]


@pytest.mark.parametrize("plan", [GeneratorPlan(), GeneratorPlan(kind="vae", n_steps=300)])
def test_what_is_learned_from_some_classes_helps_others(plan):
    generator = fit(*classes(60, 20, seed=0), plan)
    before, after = [], []
    for seed in range(5):
        vectors, labels = classes(8, 40, seed=10 + seed)
        names = np.asarray(labels)
        supports, given = vectors[::40], names[::40].tolist()
        extra = extra_supports(generator, supports, given, n_each=6, seed=seed)
        sums = supports.copy()
        for one in extra.supports:
            sums[one.row] += one.vector
        numbers = np.repeat(np.arange(8), 40)
        before.append(((vectors @ supports.T).argmax(axis=1) == numbers).mean())
        after.append(((vectors @ unit(sums).T).argmax(axis=1) == numbers).mean())
    assert np.mean(after) > np.mean(before) + 0.03


@pytest.mark.parametrize("kind", ["gaussian", "vae", "gan"])
def test_the_same_seed_makes_the_same_unit_vectors(kind):
    vectors, labels = classes(5, 6, seed=0)
    plan = GeneratorPlan(kind=kind, n_steps=5, batch=16)
    first, again = (fit(vectors, labels, plan).made(vectors[:3], 4, seed=1) for _ in range(2))
    assert first.shape == (12, DIM)
    assert np.array_equal(first, again)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert not np.array_equal(first, fit(vectors, labels, plan).made(vectors[:3], 4, seed=2))


@pytest.mark.parametrize("kind", ["vae", "gan"])
def test_drawings_come_out_as_drawings(kind):
    samples, labels = drawings()
    plan = GeneratorPlan(kind=kind, n_steps=3, batch=8, n_hidden=32)
    made = fit(samples, labels, plan).made(samples[:2], 3)
    assert made.shape == (6, 28, 28)
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1


def test_an_autoencoder_of_drawings_draws_nearer_to_the_class_as_it_learns():
    samples, labels = drawings(n_each=12)

    def off(n_steps):
        plan = GeneratorPlan(kind="vae", n_steps=n_steps, batch=32, n_hidden=32, n_latent=4)
        made = fit(samples, labels, plan).made(samples[::12], 1)
        return float(np.abs(made - samples[::12]).mean())

    assert off(60) < 0.6 * off(1)


def test_extra_drawings_are_screened_by_their_vectors_and_marked():
    samples, labels = drawings()
    plan = GeneratorPlan(kind="vae", n_steps=60, batch=32, n_hidden=32, n_latent=4)
    extra = extra_supports(
        fit(samples, labels, plan),
        samples[::6],
        labels[::6],
        n_each=3,
        embed=lambda drawn: unit(drawn.reshape(len(drawn), -1) + 0.01),
    )
    assert len(extra.supports) == int(extra.screened.kept.sum())
    assert {one.origin for one in extra.supports} <= {"generated"}
    assert all(one.sample.shape == (28, 28) for one in extra.supports)
    assert all(one.metadata["method"] == "vae" for one in extra.supports)


def test_classes_with_one_sample_teach_nothing():
    vectors, labels = classes(5, 1, seed=0)
    with pytest.raises(TooFewSupportsError, match="two samples"):
        fit(vectors, labels, GeneratorPlan())


def test_a_loss_that_is_no_number_stops():
    vectors, labels = classes(4, 4, seed=0)
    with pytest.raises(DivergedError, match="lower the rate"):
        fit(vectors, labels, GeneratorPlan(kind="vae", n_steps=60, batch=8, rate=1e18))


def test_samples_of_another_shape_are_refused():
    samples, labels = drawings()
    with pytest.raises(InvalidOptionError, match="28 by 28"):
        fit(samples[:, :20], labels, GeneratorPlan(kind="vae"))
    with pytest.raises(InvalidOptionError, match="vectors only"):
        fit(samples, labels, GeneratorPlan())
    vectors, named = classes(4, 4, seed=0)
    with pytest.raises(InvalidOptionError, match="width 24"):
        fit(vectors, named, GeneratorPlan()).made(vectors[:, :5], 1)


@pytest.mark.parametrize("choice", [{"kind": "x"}, {"n_steps": 0}, {"rate": 0.0}, {"decay": -1.0}])
def test_a_plan_that_makes_no_sense_is_refused(choice):
    with pytest.raises(InvalidOptionError):
        GeneratorPlan(**choice)
