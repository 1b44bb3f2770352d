"""Distillation: any image encoder as teacher, a small network of ours as student, no labels.

The teacher answers every picture once; the student then matches those vectors (`match`). A tenth of
the pictures is held out and says how alike the two see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from imprint.encoders.pixels import PixelRecipe, squared
from imprint.errors import InvalidInputError, ModalityMismatchError, TooFewSupportsError
from imprint.intake.decode import to_sample
from imprint.train.backbones import make_backbone
from imprint.train.compress.export import sample_of
from imprint.train.compress.match import HeldRows, match
from imprint.train.compress.network import Trained, keep_trained
from imprint.train.sources.pool import LeftOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from imprint.encoders.protocol import Encoder
    from imprint.train.compress.match import MatchPlan
    from imprint.types import Pixels

    OnStage = Callable[[str, int, int], None]

LEAST_PICTURES = 40
_HELD_OUT = 10  # every tenth picture
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike student and teacher see held-out pictures.

    `correlation` is that of all cosines between two pictures; `same_neighbor` the share of pictures
    whose nearest other picture is the same for both.
    """

    n_pictures: int
    correlation: float
    same_neighbor: float


@dataclass(frozen=True)
class Distilled:
    """The student, how like its teacher it is, and the files that could not be read."""

    student: Trained
    likeness: Likeness
    n_pictures: int
    n_steps: int
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Student:
    """Which network learns: a backbone by name, and the side of the squares it reads."""

    backbone: str = "resnet"
    image_px: int = 64


def distill(
    teacher: Encoder,
    pictures: Sequence[Pixels],
    student: Student,
    plan: MatchPlan,
    folder: Path | None = None,
    on_stage: OnStage = lambda *_: None,
) -> Distilled:
    """Train a student; with a `folder` it is kept there as a run, ready to be exported.

    Raises:
        ModalityMismatchError: the teacher does not read images.
        TooFewSupportsError: there are too few pictures.
        DivergedError: the loss became NaN or infinite.
    """
    if teacher.modality != "image":
        raise ModalityMismatchError(
            f"{teacher.name} reads {teacher.modality}; only image encoders can be distilled"
        )
    if len(pictures) < LEAST_PICTURES:
        raise TooFewSupportsError(
            f"there are {len(pictures)} readable pictures; distillation needs {LEAST_PICTURES} or "
            "more, and gains from thousands"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = make_backbone(student.backbone, 3, student.image_px)
    rows = _answers(teacher, pictures, on_stage)
    images = as_images(pictures, student.image_px)
    held = torch.arange(len(images)) % _HELD_OUT == 0
    lessons = HeldRows(images[~held], rows[~held])
    n_steps = match(network, lessons, plan, lambda done, of: on_stage("matching", done, of))
    about = {"backbone": student.backbone, "method": "distilled", "teacher": teacher.version}
    if folder is not None:
        keep_trained(folder, network, about)
    with torch.no_grad():
        mine = torch.cat([network(part.float() / 255.0) for part in torch.split(images[held], 256)])
    trained = Trained(network, about)
    return Distilled(trained, likeness(mine, rows[held]), len(pictures), n_steps)


def pictures_in(folder: Path) -> tuple[list[Pixels], list[LeftOut]]:
    """Read every file under a folder, whatever the folders are called; what cannot be is listed."""
    pictures: list[Pixels] = []
    left_out: list[LeftOut] = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name.startswith("."):
            continue
        try:
            value = to_sample(file.read_bytes(), "image").value
        except InvalidInputError as error:
            left_out.append(LeftOut(file.relative_to(folder).as_posix(), error.code))
            continue
        if isinstance(value, np.ndarray):
            pictures.append(value)
    return pictures, left_out


def as_images(pictures: Sequence[Pixels], image_px: int) -> torch.Tensor:
    """Pictures as the exported student will be given them: (n, 3, px, px) uint8."""
    recipe = PixelRecipe(image_px, resample="bilinear", layout="uint8_nhwc")
    stacked = np.stack([squared(one, "crop", recipe) for one in pictures])
    return torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))


def likeness(mine: torch.Tensor, told: torch.Tensor) -> Likeness:
    """Compare the geometry of two sets of rows for the same pictures."""
    first, second = (functional.normalize(one.float(), dim=1) for one in (mine, told))
    off = ~torch.eye(len(first), dtype=torch.bool)
    cosines = [one @ one.T for one in (first, second)]
    correlation = float(torch.corrcoef(torch.stack([one[off] for one in cosines]))[0, 1])
    nearest = [one.masked_fill(~off, -2.0).argmax(1) for one in cosines]
    same = float((nearest[0] == nearest[1]).float().mean())
    return Likeness(len(first), correlation, same)


def _answers(teacher: Encoder, pictures: Sequence[Pixels], on_stage: OnStage) -> torch.Tensor:
    parts = []
    for start in range(0, len(pictures), _AT_ONCE):
        on_stage("asking the teacher", start, len(pictures))
        samples = [sample_of(one) for one in pictures[start : start + _AT_ONCE]]
        parts.append(torch.from_numpy(teacher.encode(samples)))
    return torch.cat(parts)
