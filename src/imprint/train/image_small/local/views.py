"""Drawn surfaces and boards as training views: any mark on any ground, any light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from imprint.train.augment.image import quarter_turned, warped
from imprint.train.image_small.local.boards import FAULTS, drawn_board
from imprint.train.image_small.local.grounds import CANVAS_PX, grounds
from imprint.train.image_small.local.marks import BROAD, SIZES, SOFT, THIN, drawn_mark

if TYPE_CHECKING:
    from imprint.train.augment.image import Dice

LOOKS = ("dark", "bright", "raised", "smooth", "foreign", "noisy", "displaced")
_LOOKS_OF = {**dict.fromkeys(THIN, 3), **dict.fromkeys(BROAD, 7), **dict.fromkeys(SOFT, 2)}


@dataclass(frozen=True)
class Drawn:
    """What views are made of: grounds (g, px, px), marks (k, m, px, px), boards (f, m, 64, 64).

    A surface class is (row of `marks`, look); the last class is a surface without a mark.
    """

    grounds: torch.Tensor
    marks: torch.Tensor
    boards: torch.Tensor
    surface_classes: torch.Tensor
    noise: torch.Tensor

    @property
    def n_surfaces(self) -> int:
        """Number of surface classes, the unmarked one included."""
        return len(self.surface_classes) + 1

    def shapes(self, targets: torch.Tensor) -> torch.Tensor:
        """The shape of each surface class, sizes and looks joined; none is the last."""
        rows = self.surface_classes[targets.clamp(max=self.n_surfaces - 2), 0]
        unmarked = targets == self.n_surfaces - 1
        return torch.where(unmarked, len(_LOOKS_OF), rows.div(len(SIZES), rounding_mode="floor"))

    def looks(self, targets: torch.Tensor) -> torch.Tensor:
        """The look of each surface class; none is the last."""
        looks = self.surface_classes[targets.clamp(max=self.n_surfaces - 2), 1]
        return torch.where(targets == self.n_surfaces - 1, len(LOOKS), looks)

    @property
    def n_boards(self) -> int:
        """Number of board classes: every fault, light on dark and dark on light."""
        return 2 * len(self.boards)


def draw_all(seed: int, n_grounds: int = 700, n_marks: int = 50, n_boards: int = 500) -> Drawn:
    """Draw everything once; a minute or two of one core at the default numbers."""
    rng = np.random.default_rng(seed)
    kinds = [(shape, size) for shape in _LOOKS_OF for size in SIZES]
    marks = [[drawn_mark(shape, size, rng) for _ in range(n_marks)] for shape, size in kinds]
    boards = [[drawn_board(kind, rng) for _ in range(n_boards)] for kind in FAULTS]
    classes = [(row, look) for row, k in enumerate(kinds) for look in range(_LOOKS_OF[k[0]])]
    return Drawn(
        torch.from_numpy(grounds(n_grounds, rng)).half(),
        torch.from_numpy(np.stack([np.stack(one) for one in marks])),
        torch.from_numpy(np.stack([np.stack(one) for one in boards])),
        torch.tensor(classes),
        torch.from_numpy(rng.normal(0, 1, (32, CANVAS_PX, CANVAS_PX)).astype(np.float32)),
    )


def _each(dice: Dice, n: int, low: float, high: float) -> torch.Tensor:
    return dice.between(n, low, high).view(n, 1, 1)


def _integers(dice: Dice, n: int, high: int) -> torch.Tensor:
    return torch.randint(high, (n,), generator=dice.generator)


def _random_grounds(drawn: Drawn, n: int, dice: Dice) -> torch.Tensor:
    picked = drawn.grounds[_integers(dice, n, len(drawn.grounds))].float()
    picked = quarter_turned(picked[:, None], _integers(dice, n, 4))[:, 0]
    light = functional.interpolate(
        torch.randn(n, 1, 3, 3, generator=dice.generator),
        size=picked.shape[-2:],
        mode="bicubic",
        align_corners=True,
    )[:, 0]
    return picked * _each(dice, n, 0.25, 1.0) + light * _each(dice, n, 0.0, 0.7)


def _noise(drawn: Drawn, n: int, dice: Dice) -> torch.Tensor:
    """White noise out of a few sheets, shifted: drawing it afresh took a third of a step."""
    sheets = drawn.noise[_integers(dice, n, len(drawn.noise))]
    return sheets.roll((dice.number(CANVAS_PX), dice.number(CANVAS_PX)), dims=(1, 2))


def surface_views(drawn: Drawn, n: int, px: int, dice: Dice) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 3, px, px) in 0 .. 1 and their surface classes."""
    targets = _integers(dice, n, drawn.n_surfaces)
    # The unmarked class comes more often: it is what most pictures of a line show.
    targets[dice.chosen(n, 0.04)] = drawn.n_surfaces - 1
    unmarked = targets == drawn.n_surfaces - 1
    classes = drawn.surface_classes[targets.clamp(max=drawn.n_surfaces - 2)]
    which = _integers(dice, n, drawn.marks.shape[1])
    mark = drawn.marks[classes[:, 0], which].float() / 255.0
    mark = quarter_turned(mark[:, None], _integers(dice, n, 4))[:, 0]
    mark = mark * (~unmarked).float().view(n, 1, 1)
    field = _marked(_random_grounds(drawn, n, dice), mark, classes[:, 1], drawn, dice)
    noise = _noise(drawn, n, dice) * _each(dice, n, 0.0, 0.4)
    gray = _each(dice, n, 0.3, 0.7) + (field + noise) * _each(dice, n, 0.04, 0.16)
    return _moved(gray.clamp(0, 1)[:, None], px, dice, turn=0.25), targets


def _marked(
    ground: torch.Tensor, mark: torch.Tensor, looks: torch.Tensor, drawn: Drawn, dice: Dice
) -> torch.Tensor:
    strength = _each(dice, len(ground), 1.4, 4.5)
    field = ground.clone()
    for look, name in enumerate(LOOKS):
        rows = (looks == look).nonzero().squeeze(1)
        if len(rows):
            field[rows] = _look(name, ground[rows], mark[rows], strength[rows], drawn, dice)
    return field


def _look(
    name: str,
    ground: torch.Tensor,
    mark: torch.Tensor,
    strength: torch.Tensor,
    drawn: Drawn,
    dice: Dice,
) -> torch.Tensor:
    if name in ("dark", "bright"):
        return ground + (strength if name == "bright" else -strength) * mark
    if name == "raised":
        return ground + strength * (mark - mark.roll((3, 3), dims=(1, 2)))
    if name == "noisy":
        return ground + 0.6 * strength * mark * _noise(drawn, len(ground), dice)
    if name == "smooth":
        other = functional.avg_pool2d(ground[:, None], 9, 1, 4, count_include_pad=False)[:, 0]
    elif name == "foreign":
        other = _random_grounds(drawn, len(ground), dice)
    else:
        other = ground.roll((11, 7), dims=(1, 2))
    return torch.lerp(ground, other, mark)


def board_views(drawn: Drawn, n: int, px: int, dice: Dice) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 3, px, px) in 0 .. 1 and their board classes."""
    kinds = _integers(dice, n, len(drawn.boards))
    crops = drawn.boards[kinds, _integers(dice, n, drawn.boards.shape[1])].float() / 255.0
    crops = quarter_turned(crops[:, None], _integers(dice, n, 4))
    swapped = dice.chosen(n, 0.5)
    crops = torch.where(swapped.view(n, 1, 1, 1), 1.0 - crops, crops)
    fine = functional.interpolate(crops, size=(px, px), mode="bicubic").clamp(0, 1)
    return _moved(fine, px, dice, turn=0.05), kinds * 2 + swapped.long()


def _moved(gray: torch.Tensor, px: int, dice: Dice, turn: float) -> torch.Tensor:
    n = len(gray)
    zoom, ratio = dice.between(n, 0.78, 1.08), torch.exp(dice.between(n, -0.2, 0.2))
    flip = 1.0 - 2.0 * dice.chosen(n, 0.5).float()
    views = warped(
        gray,
        px,
        turn=dice.between(n, -turn, turn),
        zoom=(zoom * ratio * flip, zoom / ratio),
        shift=(dice.between(n, -0.08, 0.08), dice.between(n, -0.08, 0.08)),
        padding="reflection",
    )
    return views.expand(n, 3, px, px)
