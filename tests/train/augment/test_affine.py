"""Views move what is drawn a little, each image on its own, and nothing else."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from imprint.train.augment.affine import VIEWS, affine_views, elastic_views  # noqa: E402

pytestmark = pytest.mark.train

STILL = {"turn_degrees": 0.0, "stretch": 0.0, "shear": 0.0, "shift": 0.0}


def squares(n=6, px=28):
    images = torch.zeros(n, 1, px, px)
    images[:, :, 10:18, 10:18] = 1.0
    return images


def test_no_change_is_no_change():
    images = torch.rand(4, 3, 20, 20)
    views = affine_views(images, np.random.default_rng(0), **STILL)
    assert torch.allclose(views, images, atol=1e-5)


@pytest.mark.parametrize("change", [v for v in VIEWS.values() if v is not None])
def test_every_image_gets_a_change_of_its_own_that_the_generator_decides(change):
    first = change(squares(), np.random.default_rng(1))
    again = change(squares(), np.random.default_rng(1))
    assert torch.equal(first, again)
    assert not torch.allclose(first[0], first[1])
    assert float(first.min()) >= 0.0
    assert float(first.max()) <= 1.0
    ink = first.sum((1, 2, 3)) / squares().sum((1, 2, 3))
    assert bool(((ink > 0.5) & (ink < 2.0)).all())


def test_a_quarter_turn_is_a_quarter_turn():
    images = torch.rand(5, 1, 16, 16)
    views = affine_views(images, QuarterTurn(), **{**STILL, "turn_degrees": 90.0})
    turned = [torch.allclose(views, images.rot90(t, (2, 3)), atol=1e-4) for t in (1, 3)]
    assert sum(turned) == 1


class QuarterTurn:
    """Random numbers at the upper end of their range."""

    def uniform(self, low, high, size):
        return np.full(size, high)


def test_bending_by_nothing_only_moves_straight():
    views = elastic_views(squares(), np.random.default_rng(2), bend=0.0)
    bent = elastic_views(squares(), np.random.default_rng(2), bend=0.1)
    assert not torch.allclose(views, bent)
