"""Labelled images kept whole in memory: one 8-bit tensor, and the rows of every class."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from imprint.errors import TooFewSupportsError

if TYPE_CHECKING:
    from collections.abc import Sequence

N_QUARTERS = 4


@dataclass(frozen=True)
class LeftOut:
    """A file that was not used, by its place under the folder, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ImagePool:
    """Images (n, channels, px, px) uint8 with their class numbers.

    With `turned` every class counts four times, once for each quarter turn (Santoro et al. 2016):
    class `4 * c + t` holds the images of class c turned t times. Nothing is copied for that.
    """

    images: torch.Tensor
    labels: torch.Tensor
    class_names: tuple[str, ...]
    turned: bool = False
    rows: torch.Tensor = field(init=False, repr=False)  # (classes, largest class), -1 beyond
    sizes: torch.Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sizes = torch.bincount(self.labels, minlength=len(self.class_names))
        rows = torch.full((len(sizes), int(sizes.max()) if len(sizes) else 0), -1)
        order = torch.argsort(self.labels, stable=True)
        starts = torch.cumsum(sizes, 0) - sizes
        place = torch.arange(len(order)) - starts[self.labels[order]]
        rows[self.labels[order], place] = order
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "sizes", sizes)

    @property
    def groups(self) -> list[list[int]]:
        """Classes (numbers before turning) that belong together: "group/name" says so."""
        members: dict[str, list[int]] = {}
        for number, name in enumerate(self.class_names):
            members.setdefault(name.rpartition("/")[0], []).append(number)
        return list(members.values())

    @property
    def n_turns(self) -> int:
        """Classes made of one: four with quarter turns."""
        return N_QUARTERS if self.turned else 1

    @property
    def n_classes(self) -> int:
        """Classes to draw from, turned ones counted."""
        return len(self.class_names) * self.n_turns

    def only(self, keep: Sequence[int]) -> ImagePool:
        """Some of the classes (numbers before turning), renumbered in the order given."""
        number = torch.full((len(self.class_names),), -1)
        number[list(keep)] = torch.arange(len(keep))
        rows = (number[self.labels] >= 0).nonzero().squeeze(1)
        names = tuple(self.class_names[i] for i in keep)
        return ImagePool(self.images[rows], number[self.labels[rows]], names, self.turned)

    def require(self, n_way: int, n_each: int, use: str) -> None:
        """Check that episodes can be drawn.

        Raises:
            TooFewSupportsError: too few classes, or a class with too few images; says which.
        """
        if self.n_classes < n_way:
            raise TooFewSupportsError(
                f"{use} needs {n_way} classes but there are {self.n_classes}; lower the way or "
                "bring more classes"
            )
        small = (self.sizes < n_each).nonzero().squeeze(1).tolist()
        if small:
            first = small[0]
            more = f", and {len(small) - 1} more classes" if len(small) > 1 else ""
            raise TooFewSupportsError(
                f"class {self.class_names[first]!r} has {int(self.sizes[first])} images{more}, but "
                f"{use} needs {n_each} of each class (shots + queries); lower shots or queries, or "
                "leave such classes out"
            )


@dataclass(frozen=True)
class Splits:
    """Three pools of different classes, what was left out, and a hash of all that is used."""

    train: ImagePool
    validation: ImagePool
    test: ImagePool
    left_out: tuple[LeftOut, ...] = ()
    about: str = ""

    def content_hash(self) -> str:
        """SHA-256 of images, labels and class names of the three pools, as 64 hex digits."""
        digest = hashlib.sha256()
        for pool in (self.train, self.validation, self.test):
            digest.update(repr((tuple(pool.images.shape), pool.class_names, pool.turned)).encode())
            digest.update(np.ascontiguousarray(pool.images.numpy()).data)
            digest.update(pool.labels.numpy().tobytes())
        return digest.hexdigest()


def split_classes(
    pool: ImagePool, seed: int, shares: tuple[float, float] = (0.64, 0.16)
) -> tuple[ImagePool, ImagePool, ImagePool]:
    """Deal classes to training, validation and test at random: 64, 16 and 20 of a hundred.

    Raises:
        TooFewSupportsError: fewer than six classes, so that some part could not hold two.
    """
    n = len(pool.class_names)
    if n < 6:
        raise TooFewSupportsError(
            f"there are {n} classes; training, validation and test need two each that the others "
            "do not have, so bring 6 or more, or name the parts train, val and test yourself"
        )
    order = np.random.default_rng(seed).permutation(n).tolist()
    n_validation = max(2, round(n * shares[1]))
    n_train = min(max(2, round(n * shares[0])), n - n_validation - 2)
    parts = (
        order[:n_train],
        order[n_train : n_train + n_validation],
        order[n_train + n_validation :],
    )
    first, second, third = (pool.only(sorted(part)) for part in parts)
    return first, second, third
