"""Centers, turns and the gate: what each part of the vector holds after fitting."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from imprint.train.augment.image import Dice  # noqa: E402
from imprint.train.image_small.backbone import Trunk  # noqa: E402
from imprint.train.image_small.local.branch import LocalBranch  # noqa: E402
from imprint.train.image_small.local.views import draw_all, surface_views  # noqa: E402
from imprint.train.image_small.sets import ImageSet  # noqa: E402
from imprint.train.image_small.shipping.embedding import (  # noqa: E402
    Embedding,
    Shown,
    fitted,
    shown_of,
    shown_views,
)

pytestmark = pytest.mark.train
SIDE = 48


def bright_patches(n_classes=6, n_each=8, seed=0):
    """Coarse color patches: nothing like a drawn surface."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n_classes, 3, 3, 3), dtype=np.uint8)
    images = np.repeat(coarse, n_each, axis=0).repeat(16, 2).repeat(16, 3)
    noise = rng.integers(-20, 20, images.shape)
    images = (images.astype(int) + noise).clip(0, 255).astype(np.uint8)
    labels = torch.arange(n_classes).repeat_interleave(n_each)
    return ImageSet("photos", torch.from_numpy(images), labels, tuple("abcdef"), False)


@pytest.fixture(scope="module")
def embedding():
    torch.manual_seed(0)
    plain = Embedding(Trunk((8, 8, 12, 16), (1, 1, 1, 1)), LocalBranch((8, 8, 8, 8), 12))
    views, labels = surface_views(draw_all(0, 6, 2, 2), 40, SIDE, Dice(1))
    return fitted(plain, [shown_of(bright_patches(), SIDE)], [shown_views(views, labels)])


def test_vectors_have_length_one_and_the_stated_width(embedding):
    (batch,) = shown_of(bright_patches(), SIDE).batches
    vectors = embedding(batch[:5])
    assert vectors.shape == (5, embedding.dim)
    np.testing.assert_allclose(vectors.norm(dim=1).detach(), 1.0, atol=1e-5)


def test_the_gate_opens_for_surfaces_and_closes_for_photos(embedding):
    surfaces, labels = surface_views(draw_all(5, 6, 2, 2), 30, SIDE, Dice(2))
    (surfaces,) = shown_views(surfaces, labels).batches
    (photos,) = shown_of(bright_patches(seed=9), SIDE).batches
    local = [embedding(b)[:, -12:].norm(dim=1).median() for b in (surfaces, photos)]
    assert local[0] > 2 * local[1]


def test_parts_are_centered_on_what_was_learnt(embedding):
    (batch,) = shown_of(bright_patches(), SIDE).batches
    with torch.no_grad():
        last_stage = embedding.raw_parts(batch)[0]
    np.testing.assert_allclose(last_stage.mean(dim=0), embedding.center0, atol=1e-5)


def test_without_drawn_pictures_the_turns_of_the_local_part_follow_the_photos():
    plain = Embedding(Trunk((8, 8, 12, 16), (1, 1, 1, 1)), LocalBranch((8, 8, 8, 8), 12))
    done = fitted(plain, [shown_of(bright_patches(), SIDE)])
    assert torch.isfinite(done.turn3).all()
    assert done.gate.abs().max() == 0


def test_drawings_of_the_pen_are_centered_on_but_not_evened_out_on():
    ink = torch.zeros(4, 1, 32, 32, dtype=torch.uint8)
    one = ImageSet("omniglot", ink, torch.arange(4), ("a", "b", "c", "d"), True)
    shown = shown_of(one, SIDE)
    assert isinstance(shown, Shown)
    assert not shown.evens
