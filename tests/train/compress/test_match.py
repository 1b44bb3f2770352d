"""Matching another network's vectors: the loss, both kinds of lessons, what stops it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional

from imprint.errors import DivergedError, InvalidOptionError
from imprint.train.backbones import Backbone, make_backbone
from imprint.train.compress.match import HeldRows, LivePool, MatchPlan, match, matching_loss
from train.shapes import PX, pool_of

pytestmark = pytest.mark.train


def fresh(seed):
    torch.manual_seed(seed)
    return make_backbone("conv4", 1, PX)


def coarse_teacher():
    """Sees each 4 x 4 patch as lighter or darker than gray: directions far apart."""
    norm = torch.nn.BatchNorm2d(1)
    norm.running_mean.fill_(0.45)
    layers = torch.nn.Sequential(torch.nn.AvgPool2d(4), norm, torch.nn.Flatten())
    return Backbone(layers, (PX // 4) ** 2, n_channels=1, image_px=PX).eval()


def likeness(student, teacher, images):
    """Correlation of all cosines between two images; features after a ReLU are never opposed."""
    with torch.no_grad():
        mine, told = (functional.normalize(n.eval()(images), dim=1) for n in (student, teacher))
    off = ~torch.eye(len(images), dtype=torch.bool)
    pair = torch.stack([(mine @ mine.T)[off], (told @ told.T)[off]])
    return float(torch.corrcoef(pair)[0, 1])


def test_the_loss_is_the_divergence_of_neighborhoods_plus_the_miss_of_predictions():
    rng = np.random.default_rng(0)
    rows, wanted, predicted = (rng.normal(size=s) for s in ((5, 3), (5, 4), (5, 4)))

    def shares(x):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        e = np.exp(x @ x.T / 0.2)
        np.fill_diagonal(e, 0)
        return e / e.sum(1, keepdims=True)

    p, q = shares(wanted), shares(rows)
    off = ~np.eye(5, dtype=bool)
    divergence = (p[off] * np.log(p[off] / q[off])).sum() / 5
    cosines = (predicted * wanted).sum(1) / (
        np.linalg.norm(predicted, axis=1) * np.linalg.norm(wanted, axis=1)
    )
    tensors = [torch.from_numpy(one) for one in (rows, predicted, wanted)]
    loss = float(matching_loss(*tensors, temperature=0.2))
    assert loss == pytest.approx(divergence + 1 - cosines.mean())


@pytest.mark.parametrize("kind", ["live", "held"])
def test_the_student_comes_closer_to_the_teacher(kind):
    pool, teacher, student = pool_of(turned=kind == "live"), coarse_teacher(), fresh(2)
    images = pool.images.float() / 255
    with torch.no_grad():
        rows = teacher(images)
    lessons = LivePool(pool, teacher) if kind == "live" else HeldRows(pool.images, rows)
    before = likeness(student, teacher, images)
    assert match(student, lessons, MatchPlan(n_steps=60, n_batch=32)) == 60
    assert likeness(student, teacher, images) > max(0.8, before + 0.1)
    assert not student.training


def test_the_same_seed_gives_the_same_weights():
    pool, teacher, students = pool_of(), fresh(1), [fresh(2), fresh(2)]
    for student in students:
        match(student, LivePool(pool, teacher), MatchPlan(n_steps=3, n_batch=8, seed=4))
    pairs = zip(*(one.parameters() for one in students), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_loss_that_is_no_number_stops_it():
    rows = torch.full((8, 3), torch.nan)
    with pytest.raises(DivergedError, match="at step 0"):
        match(fresh(0), HeldRows(pool_of(2, 4).images, rows), MatchPlan(n_steps=2, n_batch=8))


@pytest.mark.parametrize("wrong", [{"n_steps": 0}, {"n_batch": 1}, {"rate": 0}, {"minutes": -1}])
def test_a_plan_that_cannot_be_followed_is_refused(wrong):
    with pytest.raises(InvalidOptionError):
        MatchPlan(**wrong)
