"""Random views of photos and drawings, on whole batches of tensors, from one generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


class Dice:
    """Random numbers per image from one generator, so a seed fixes every view."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def between(self, n: int, low: float, high: float) -> torch.Tensor:
        """(n,) uniform in low .. high."""
        return torch.rand(n, generator=self.generator) * (high - low) + low

    def chosen(self, n: int, chance: float) -> torch.Tensor:
        """(n,) True with the given chance."""
        return torch.rand(n, generator=self.generator) < chance

    def number(self, high: int) -> int:
        """One whole number 0 .. high - 1."""
        return int(torch.randint(high, (1,), generator=self.generator))


def warped(
    images: torch.Tensor,
    px: int,
    *,
    turn: torch.Tensor,
    zoom: tuple[torch.Tensor, torch.Tensor],
    shift: tuple[torch.Tensor, torch.Tensor],
    padding: str,
) -> torch.Tensor:
    """Resample (n, c, h, w) to px by px under one affine map per image.

    `zoom` is the side of the view as a share of the image, horizontally and vertically.
    """
    cos, sin = torch.cos(turn), torch.sin(turn)
    top = torch.stack([cos * zoom[0], -sin * zoom[1], shift[0]], dim=1)
    bottom = torch.stack([sin * zoom[0], cos * zoom[1], shift[1]], dim=1)
    maps = torch.stack([top, bottom], dim=1)
    grid = functional.affine_grid(maps, [len(images), images.shape[1], px, px], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode=padding, align_corners=False)


def photo_views(images: torch.Tensor, px: int, dice: Dice) -> torch.Tensor:
    """Random crop, flip, small turn, color, blur, noise and erasing: (n, 3, px, px) in 0 .. 1."""
    n = len(images)
    side = torch.sqrt(dice.between(n, 0.2, 1.0))
    ratio = torch.exp(dice.between(n, -0.3, 0.3))
    wide, high = (side * ratio).clamp(max=1.0), (side / ratio).clamp(max=1.0)
    flip = 1.0 - 2.0 * dice.chosen(n, 0.5).float()
    views = warped(
        images.float().div_(255.0),
        px,
        turn=dice.between(n, -0.2, 0.2) * dice.chosen(n, 0.5),
        zoom=(wide * flip, high),
        shift=((1 - wide) * dice.between(n, -1, 1), (1 - high) * dice.between(n, -1, 1)),
        padding="reflection",
    )
    return erased(blurred(colored(views, dice), dice), dice)


def colored(views: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Brightness, contrast, saturation, tint; one in seven turns gray."""
    n = len(views)

    def each(low: float, high: float) -> torch.Tensor:
        return dice.between(n, low, high).view(n, 1, 1, 1)

    gray = views.mean(dim=1, keepdim=True)
    saturation = each(0.4, 1.6) * (~dice.chosen(n, 0.15)).float().view(n, 1, 1, 1)
    views = gray + (views - gray) * saturation
    level = gray.mean(dim=(2, 3), keepdim=True)
    views = level + (views - level) * each(0.6, 1.4)
    tint = torch.cat([each(0.9, 1.1), each(0.9, 1.1), each(0.9, 1.1)], dim=1)
    return (views * each(0.65, 1.35) * tint).clamp_(0.0, 1.0)


def blurred(views: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Mix in a 3x3 box blur by a random share, for a third of the images."""
    n = len(views)
    share = (dice.between(n, 0.3, 1.0) * dice.chosen(n, 0.3)).view(n, 1, 1, 1)
    soft = functional.avg_pool2d(views, 3, 1, 1, count_include_pad=False)
    return torch.lerp(views, soft, share)


def erased(views: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Cover one rectangle with a random color in a third of the images (Zhong et al. 2020)."""
    n, _, height, width = views.shape
    covered = rectangles(dice, n, height, width, (0.15, 0.5)) & dice.chosen(n, 0.33).view(n, 1, 1)
    color = torch.rand(n, 3, 1, 1, generator=dice.generator)
    return torch.where(covered[:, None], color, views)


def rectangles(dice: Dice, n: int, height: int, width: int, side: Sequence[float]) -> torch.Tensor:
    """(n, height, width) True inside one random rectangle per image; sides as shares."""
    half_y, half_x = dice.between(n, *side) / 2, dice.between(n, *side) / 2
    at_y, at_x = dice.between(n, 0.0, 1.0), dice.between(n, 0.0, 1.0)
    rows = (torch.arange(height) + 0.5) / height
    columns = (torch.arange(width) + 0.5) / width
    in_rows = (rows[None] - at_y[:, None]).abs() < half_y[:, None]
    in_columns = (columns[None] - at_x[:, None]).abs() < half_x[:, None]
    return in_rows[:, :, None] & in_columns[:, None, :]


def noisy(views: torch.Tensor, dice: Dice, deviation: float = 0.05) -> torch.Tensor:
    """Add Gaussian noise to every pixel, each image by its own amount of up to `deviation`."""
    n = len(views)
    amount = dice.between(n, 0.0, deviation).view(n, 1, 1, 1)
    noise = torch.randn(views.shape, generator=dice.generator)
    return (views + amount * noise).clamp_(0.0, 1.0)


def quarter_turned(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Turn every image by its own number of quarter turns."""
    turned = images.clone()
    for quarter in (1, 2, 3):
        rows = turns == quarter
        turned[rows] = torch.rot90(images[rows], quarter, (2, 3))
    return turned


def drawing_views(ink: torch.Tensor, px: int, dice: Dice) -> torch.Tensor:
    """Turn, stretch, shift and thicken strokes, then paint them: (n, 3, px, px) in 0 .. 1.

    Mostly dark ink on light paper; one in eight the other way round, so polarity is no clue.
    """
    n = len(ink)
    zoom = dice.between(n, 0.75, 1.35)
    ratio = torch.exp(dice.between(n, -0.2, 0.2))
    strokes = warped(
        ink.float().div_(255.0),
        px,
        turn=dice.between(n, -0.25, 0.25),
        zoom=(zoom * ratio, zoom / ratio),
        shift=(dice.between(n, -0.15, 0.15), dice.between(n, -0.15, 0.15)),
        padding="zeros",
    )
    thick = functional.max_pool2d(strokes, 3, 1, 1)
    strokes = torch.where(dice.chosen(n, 0.25).view(n, 1, 1, 1), thick, strokes)
    paper = dice.between(n, 0.7, 1.0).view(n, 1, 1, 1)
    pen = dice.between(n, 0.0, 0.35).view(n, 1, 1, 1)
    plain = dice.chosen(n, 0.5).view(n, 1, 1, 1)
    paper, pen = torch.where(plain, 1.0, paper), torch.where(plain, 0.0, pen)
    gray = paper + (pen - paper) * strokes.clamp(0.0, 1.0)
    swapped = dice.chosen(n, 0.125).view(n, 1, 1, 1)
    return blurred(torch.where(swapped, 1.0 - gray, gray), dice).expand(n, 3, px, px)


def cut_and_mixed(
    views: torch.Tensor, dice: Dice
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """CutMix (Yun et al. 2019): paste a patch of another image of the batch into each image.

    Returns the mixed views, the order of the partners, and the share of its own pixels (n,).
    """
    n, _, height, width = views.shape
    partner = torch.randperm(n, generator=dice.generator)
    patch = rectangles(dice, n, height, width, (0.3, 0.8))
    mixed = torch.where(patch[:, None], views[partner], views)
    return mixed, partner, 1.0 - patch.float().mean(dim=(1, 2))
