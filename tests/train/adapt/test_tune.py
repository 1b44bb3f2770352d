"""The contrastive loss against a plain loop, and the drawing of its steps."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from imprint.train.adapt.plan import AdaptPlan  # noqa: E402
from imprint.train.adapt.tune import contrast, steps  # noqa: E402


def _by_hand(vectors, classes, temperature):
    losses = []
    present = sorted(set(classes))
    for i, own in enumerate(classes):
        if list(classes).count(own) < 2:
            continue
        logits = []
        for c in present:
            rows = [j for j, k in enumerate(classes) if k == c and j != i]
            mean = np.sum([vectors[j] for j in rows], axis=0)
            logits.append(float(vectors[i] @ (mean / np.linalg.norm(mean))) / temperature)
        logits = np.array(logits)
        losses.append(np.log(np.exp(logits).sum()) - logits[present.index(own)])
    return float(np.mean(losses))


def test_the_loss_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(9, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = np.array([4, 4, 4, 7, 7, 9, 9, 9, 2])  # class 2 is a rival only
    found = contrast(torch.from_numpy(vectors), torch.from_numpy(classes), 0.1)
    assert float(found) == pytest.approx(_by_hand(vectors, classes.tolist(), 0.1), rel=1e-6)


def test_every_example_is_shown_in_every_pass():
    rng = np.random.default_rng(1)
    classes = np.repeat(np.arange(7), [1, 2, 3, 5, 6, 8, 13])
    plan = AdaptPlan(n_each=3, n_classes=4)
    shown = np.concatenate(list(steps(classes, plan, rng)))
    assert set(shown.tolist()) == set(range(len(classes)))


def test_a_step_holds_no_more_classes_than_asked():
    classes = np.repeat(np.arange(10), 4)
    plan = AdaptPlan(n_each=2, n_classes=4)
    drawn = list(steps(classes, plan, np.random.default_rng(2)))
    assert max(len(set(classes[rows].tolist())) for rows in drawn) <= 4
    assert all(len(rows) <= 8 for rows in drawn)
