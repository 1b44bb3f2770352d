"""Where training images come from: folders, npz files, Omniglot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.errors import InvalidOptionError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.train.sources.pool import Splits

SPLITS = ("auto", "vinyals", "background")


def open_splits(
    path: Path, image_px: int, *, split: str = "auto", seed: int = 0, turned: bool | None = None
) -> Splits:
    """Read a folder of classes, an .npz file, or a folder that holds Omniglot, by its content.

    `split` says which published split of Omniglot; other sources take "auto" only. `turned` makes
    four classes of each by quarter turns; without it Omniglot is turned and others are not.

    Raises:
        NotFoundError: there is nothing at that place.
        InvalidOptionError: the source has no such split, or is of no known kind.
        TooFewSupportsError, EmptyClassError, InvalidTableError: it cannot be trained on.
    """
    from imprint.train.sources.omniglot import background_splits, is_omniglot, vinyals_splits

    if split not in SPLITS:
        raise InvalidOptionError(f"split is {split!r}; it is one of {', '.join(SPLITS)}")
    if not path.exists():
        raise NotFoundError("there is no file or folder of that name; check --data")
    if is_omniglot(path):
        read = background_splits if split == "background" else vinyals_splits
        return read(path, image_px, turned=turned is not False)
    if split != "auto":
        raise InvalidOptionError(f"only Omniglot has the split {split!r}; leave it out")
    if path.is_dir():
        from imprint.train.sources.folder import folder_splits

        return folder_splits(path, image_px, seed=seed, turned=bool(turned))
    if path.suffix.lower() != ".npz":
        raise InvalidOptionError("training reads a folder with one folder per class, or an .npz")
    from imprint.train.sources.arrays import array_splits

    return array_splits(path, image_px, seed=seed, turned=bool(turned))
