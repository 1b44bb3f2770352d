"""The whole of it: export, 8-bit twin, pruning, matching, again 8-bit, and one table."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imprint.errors import InvalidOptionError
from imprint.train.compress.eight_bit import judged, quantize
from imprint.train.compress.export import Served, Story, export
from imprint.train.compress.match import LivePool, MatchPlan, match
from imprint.train.compress.network import keep_trained, read_trained
from imprint.train.compress.prune import pruned
from imprint.train.compress.table import CompressionTable, Exam, measured, pictures_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imprint.train.backbones import Backbone
    from imprint.train.sources.pool import ImagePool, Splits
    from imprint.types import Pixels

    OnStage = Callable[[str, int, int], None]

TABLE = "table.json"
WHOLE, WHOLE_8 = "whole", "whole, int8"
CUT, MATCHED, MATCHED_8 = "pruned, not tuned", "pruned", "pruned, int8"
_N_CALIBRATION = 64


@dataclass(frozen=True, slots=True)
class CompressPlan:
    """What to make of a run: `size` is the share of the parameters that pruning leaves.

    An 8-bit twin stays only if it was measured faster and lost at most `most_lost_points`.
    """

    size: float = 0.5
    most_lost_points: float = 1.5
    inverted: bool = False
    name: str = "compressed"
    license: str = "not stated"
    match: MatchPlan = dataclasses.field(default_factory=MatchPlan)


def compress(
    run: Path,
    splits: Splits,
    exam: Exam,
    folder: Path,
    plan: CompressPlan,
    on_stage: OnStage = lambda *_: None,
) -> CompressionTable:
    """Compress a trained network; files, cards and the table go into `folder`.

    The test pool is only asked; calibration and matching see training images alone. Files whose
    row is not kept are removed again.

    Raises:
        InvalidOptionError: network and images do not fit, or it cannot be pruned so far.
    """
    trained = read_trained(run)
    whole, steps = trained.backbone, (WHOLE, WHOLE_8, CUT, MATCHED, MATCHED_8)
    _check_images(whole, splits.train)
    files = {one: folder / f"{plan.name}{_ending(one)}.onnx" for one in steps}
    calibration = _calibration(splits.train, inverted=plan.inverted)
    on_stage("exporting", 0, 1)
    smaller = pruned(whole, plan.size)
    for step, network in ((WHOLE, whole), (CUT, smaller)):
        _exported(network, files[step], plan, calibration)
    lessons = LivePool(splits.train, whole)
    match(smaller, lessons, plan.match, lambda done, of: on_stage("matching", done, of))
    keep_trained(folder / "pruned", smaller, trained.about)
    _exported(smaller, files[MATCHED], plan, calibration)
    for step, twin in ((WHOLE, WHOLE_8), (MATCHED, MATCHED_8)):
        quantize(files[step], files[twin], calibration)
    on_stage("measuring", 0, 1)
    n_whole, n_left = trained.n_parameters, sum(p.numel() for p in smaller.parameters())
    table = measured(files, {s: n_left if "pruned" in s else n_whole for s in steps}, exam)
    return _kept(table, files, folder, plan)


def _kept(
    table: CompressionTable, files: dict[str, Path], folder: Path, plan: CompressPlan
) -> CompressionTable:
    rows = {row.step: row for row in table.rows}
    for step, twin in ((WHOLE, WHOLE_8), (MATCHED, MATCHED_8)):
        rows[twin] = judged(rows[step], rows[twin], plan.most_lost_points)
    rows[CUT] = dataclasses.replace(rows[CUT], kept=False, note="for comparison")
    for step, row in rows.items():
        if not row.kept:
            for suffix in (".onnx", ".json", ".parity.json"):
                files[step].with_suffix(suffix).unlink(missing_ok=True)
    table = dataclasses.replace(table, rows=tuple(rows.values()))
    text = json.dumps(table.to_json(), indent=2) + "\n"
    (folder / TABLE).write_text(text, encoding="utf-8")
    return table


def _exported(network: Backbone, path: Path, plan: CompressPlan, pictures: list[Pixels]) -> None:
    about = f"a trained network, {sum(p.numel() for p in network.parameters()):,} numbers"
    story = Story(path.stem, plan.license, about)
    export(Served(network, inverted=plan.inverted), path, story, pictures[:16])


def _ending(step: str) -> str:
    return {WHOLE: "", CUT: "-cut"}.get(step, "-" + step.replace(", ", "-").replace("whole-", ""))


def _calibration(pool: ImagePool, *, inverted: bool) -> list[Pixels]:
    """Training pictures spread over the classes."""
    n = len(pool.images)
    rows = np.linspace(0, n - 1, min(n, _N_CALIBRATION)).astype(int)
    return pictures_of(pool.images[rows].float() / 255.0, inverted=inverted)


def _check_images(network: Backbone, pool: ImagePool) -> None:
    there = tuple(pool.images.shape[1:3])
    wanted = (network.n_channels, network.image_px)
    if there != wanted:
        raise InvalidOptionError(
            f"the network reads images of {wanted[0]} channels and {wanted[1]} px, these have "
            f"{there[0]} and {there[1]}; name the data the run was trained on"
        )
