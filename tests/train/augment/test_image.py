"""Views of images: in range, decided by the seed, and changed where they should be."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train

from imprint.train.augment.image import (  # noqa: E402
    Dice,
    colored,
    erased,
    noisy,
    photo_views,
    rectangles,
)

IMAGES = torch.full((64, 3, 16, 16), 128, dtype=torch.uint8)
GRAY = IMAGES.float() / 255


def test_a_seed_fixes_every_view():
    first, again = (photo_views(IMAGES, 12, Dice(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, photo_views(IMAGES, 12, Dice(4)))


def test_noise_stays_in_range_and_within_its_deviation():
    views = noisy(GRAY, Dice(0), deviation=0.1)
    assert float(views.min()) >= 0
    assert float(views.max()) <= 1
    spread = (views - GRAY).flatten(1).std(dim=1)
    assert 0.0 < float(spread.max()) < 0.13
    assert torch.equal(noisy(GRAY, Dice(0), deviation=0.0), GRAY)


def test_erasing_covers_rectangles_in_about_a_third_of_the_images():
    changed = (erased(GRAY, Dice(0)) != GRAY).any(dim=1)
    share = changed.flatten(1).any(dim=1).float().mean()
    assert 0.15 < float(share) < 0.55


def test_a_rectangle_has_the_sides_asked_for():
    inside = rectangles(Dice(0), 200, 40, 40, (0.25, 0.5))
    highest = inside.any(dim=2).sum(dim=1).max()
    assert 10 < int(highest) <= 21


def test_color_leaves_the_shape_of_things():
    half = GRAY.clone()
    half[..., 8:] = 0.1
    views = colored(half, Dice(0))
    assert bool((views[..., :8].mean(dim=(1, 2, 3)) > views[..., 8:].mean(dim=(1, 2, 3))).all())
