"""Drawn surfaces and boards: what is drawn, what a view holds, that a short run learns."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from imprint.train.augment.image import Dice  # noqa: E402
from imprint.train.image_small.local.__main__ import train  # noqa: E402
from imprint.train.image_small.local.boards import FAULTS, drawn_board  # noqa: E402
from imprint.train.image_small.local.branch import load_branch  # noqa: E402
from imprint.train.image_small.local.grounds import grounds  # noqa: E402
from imprint.train.image_small.local.marks import BROAD, SIZES, SOFT, THIN, drawn_mark  # noqa: E402
from imprint.train.image_small.local.views import LOOKS, board_views, draw_all, surface_views  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def drawn():
    return draw_all(0, n_grounds=6, n_marks=2, n_boards=4)


def test_grounds_are_standardized_and_differ():
    fields = grounds(5, np.random.default_rng(0), px=64)
    np.testing.assert_allclose(fields.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(fields.std(axis=(1, 2)), 1, atol=1e-3)
    assert abs(np.corrcoef(fields.reshape(5, -1))[np.triu_indices(5, 1)]).max() < 0.9


@pytest.mark.parametrize("shape", [*THIN, *BROAD, *SOFT])
def test_every_mark_covers_some_of_the_surface_and_not_all(shape):
    for size in SIZES:
        rng = np.random.default_rng(3)
        mark = drawn_mark(shape, size, rng)
        assert 0 < (mark > 40).mean() < 0.9


def test_boards_have_two_colors_and_a_fault_changes_them():
    for kind in FAULTS:
        board = drawn_board(kind, np.random.default_rng(7))
        assert set(np.unique(board)) == {0, 255}
    sound, cut = (drawn_board(k, np.random.default_rng(7)) for k in ("none", "open"))
    assert (sound != cut).any()


def test_views_stay_in_range_and_follow_their_seed(drawn):
    for make, n_classes in ((surface_views, drawn.n_surfaces), (board_views, drawn.n_boards)):
        views, targets = make(drawn, 12, 48, Dice(5))
        assert views.shape == (12, 3, 48, 48)
        assert views.min() >= 0
        assert views.max() <= 1
        assert targets.max() < n_classes
        again, _ = make(drawn, 12, 48, Dice(5))
        assert torch.equal(views, again)


def test_a_surface_class_is_a_shape_a_size_and_a_look(drawn):
    classes = torch.arange(drawn.n_surfaces)
    shapes, looks = drawn.shapes(classes), drawn.looks(classes)
    assert shapes.unique().tolist() == list(range(len(THIN | BROAD | SOFT) + 1))
    assert looks.unique().tolist() == list(range(len(LOOKS) + 1))
    pairs = set(zip(shapes.tolist(), looks.tolist(), strict=True))
    assert drawn.n_surfaces == len(SIZES) * (len(pairs) - 1) + 1


def test_light_and_contrast_do_not_change_the_local_features(drawn, tmp_path):
    train(drawn, 1e9, 0, tmp_path / "branch.pt", max_steps=2)
    branch = load_branch(tmp_path / "branch.pt")
    views, _ = surface_views(drawn, 4, 96, Dice(1))
    with torch.no_grad():
        plain, dimmed = branch(views), branch(0.3 + 0.6 * views)
    cosines = torch.nn.functional.cosine_similarity(plain, dimmed)
    assert cosines.min() > 0.99
