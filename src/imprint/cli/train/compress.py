"""After training: `imprint train export`, `compress`, `distill`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import Progress, verb
from imprint.cli.train.run import require_torch

if TYPE_CHECKING:
    from imprint.cli.session import Session
    from imprint.train.compress.distill import Distilled
    from imprint.train.compress.match import MatchPlan
    from imprint.train.compress.table import CompressionTable
    from imprint.types import Pixels

_LICENSE = click.option("--license", default="not stated", help="Of what it was trained on.")
_INVERTED = click.option(
    "--inverted", is_flag=True, help="Trained on light ink (Omniglot); serve dark ink on paper."
)
_STEPS = click.option("--steps", "n_steps", default=1500, show_default=True, help="At most.")
_MINUTES = click.option("--minutes", type=float, help="Wall time of the training at most.")
_SEED = click.option("--seed", default=0, show_default=True)


@verb("export", short_help="Write a trained network as an ONNX file with its card.")
@click.argument("run", metavar="RUN_DIR")
@click.option("--out", metavar="FILE.onnx", required=True, help="The file to write.")
@click.option("--name", help="Name of the encoder; that of the file without.")
@_LICENSE
@_INVERTED
def export_command(
    session: Session, *, run: str, out: str, name: str | None, license: str, inverted: bool
) -> None:
    r"""Write a trained network as an ONNX file, with its card and a report of parity with torch.

    \b
    Example:
      imprint train export runs/first --out leaves.onnx
      imprint models add leaves.onnx
    """
    require_torch()
    from imprint.train.compress.export import Served, Story, export, probe_pictures
    from imprint.train.compress.network import read_trained

    trained, path = read_trained(Path(run)), Path(out)
    about = f"{trained.about.get('method', 'trained')}, {trained.n_parameters:,} numbers"
    story = Story(name or path.stem, license, about)
    parity = export(Served(trained.backbone, inverted=inverted), path, story, probe_pictures())
    document = {"name": story.name, "dim": trained.backbone.width, "parity": asdict(parity)}
    text = (
        f"{path.name} gives what torch gives (least cosine {parity.least_cosine:.6f} over "
        f"{parity.n_pictures} pictures); serve it: imprint models add {path.name}"
    )
    session.show(document, text)


@verb("compress", short_help="Prune a trained network, make 8-bit twins, measure all of it.")
@click.argument("run", metavar="RUN_DIR")
@click.option("--data", metavar="DIR|FILE", required=True, help="What the run was trained on.")
@click.option("--out", metavar="DIR", required=True, help="Folder for files, cards and table.")
@click.option("--size", default=0.5, show_default=True, help="Share of the numbers that stays.")
@click.option("--lose", default=1.5, show_default=True, help="Points an 8-bit twin may lose.")
@click.option("--way", "n_way", default=5, show_default=True, help="Classes of an episode.")
@click.option("--shot", "n_shot", default=1, show_default=True, help="Supports of a class.")
@click.option("--query", "n_query", default=15, show_default=True, help="Queries of a class.")
@click.option("--episodes", "n_episodes", default=600, show_default=True)
@click.option("--split", default="auto", show_default=True, help="As in training.")
@click.option("--turned/--not-turned", default=None, help="As in training.")
@click.option("--name", help="Name of the encoders; that of the folder without.")
@_LICENSE
@_INVERTED
@_STEPS
@_MINUTES
@_SEED
def compress_command(session: Session, *, run: str, out: str, **choices: Any) -> None:
    r"""Prune a trained network, win back what that lost, make 8-bit twins, and measure all of it.

    Every step is measured as it is served: size, latency, accuracy on the same test episodes. An
    8-bit twin stays only if it is faster and loses at most --lose points.

    \b
    Example:
      imprint train compress runs/first --data photos/ --out small
      imprint models add small/small-pruned.onnx
    """
    require_torch()
    table = _compressed(Path(run), Path(out), choices)
    session.show(table.to_json(), str(table))


def _compressed(place: Path, folder: Path, choices: dict[str, Any]) -> CompressionTable:
    from imprint.train.compress.network import read_trained
    from imprint.train.compress.recipe import CompressPlan, compress
    from imprint.train.compress.table import Exam
    from imprint.train.evaluation import EpisodeShape
    from imprint.train.sources import open_splits

    inverted = choices["inverted"]
    reading = {name: choices[name] for name in ("split", "turned", "seed")}
    image_px = read_trained(place).backbone.image_px
    splits = open_splits(Path(choices["data"]), image_px, **reading)
    shape = EpisodeShape(choices["n_way"], choices["n_shot"], choices["n_query"])
    exam = Exam(splits.test, shape, choices["n_episodes"], choices["seed"], inverted)
    told = (choices["size"], choices["lose"], inverted, choices["name"] or folder.resolve().name)
    plan = CompressPlan(*told, choices["license"], _plan(choices))
    with Progress("compress", 1000) as progress:
        return compress(place, splits, exam, folder, plan, progress.heard)


@verb("distill", short_help="Teach a small network the vectors of any image encoder.")
@click.option("--teacher", metavar="NAME", required=True, help="An encoder of `models list`.")
@click.option("--data", metavar="DIR", required=True, help="Pictures, in any folders; no labels.")
@click.option("--out", metavar="RUN_DIR", required=True, help="Folder of the run.")
@click.option("--backbone", default="resnet", show_default=True, help="conv4 or resnet.")
@click.option("--px", "image_px", default=64, show_default=True, help="Side of its images.")
@_STEPS
@_MINUTES
@_SEED
def distill_command(session: Session, *, teacher: str, data: str, **choices: Any) -> None:
    r"""Teach a small network the vectors of any image encoder, from pictures without labels.

    \b
    Example:
      imprint train distill --teacher image-small --data photos/ --out runs/small
      imprint train export runs/small --out small.onnx
    """
    require_torch()
    from imprint.train.compress.distill import pictures_in

    pictures, left_out = pictures_in(Path(data))
    for one in left_out[:20]:
        session.note(f"left out: {one.name}: {one.reason}")
    result = _distilled(session, teacher, pictures, choices)
    document = _document(result) | {"left_out": [asdict(one) for one in left_out]}
    session.show(document, _text(result))


def _distilled(
    session: Session, teacher: str, pictures: list[Pixels], choices: dict[str, Any]
) -> Distilled:
    from imprint.encoders.catalogue import load_encoder
    from imprint.train.compress.distill import Student, distill

    settings = session.settings()
    student, folder = Student(choices["backbone"], choices["image_px"]), Path(choices["out"])
    with Progress("distill", 1000) as progress:
        encoder = load_encoder(teacher, cache_dir=settings.cache, mirror=settings.model_mirror)
        return distill(encoder, pictures, student, _plan(choices), folder, progress.heard)


def _plan(choices: dict[str, Any]) -> MatchPlan:
    from imprint.train.compress.match import MatchPlan

    return MatchPlan(choices["n_steps"], choices["minutes"], seed=choices["seed"])


def _document(result: Distilled) -> dict[str, Any]:
    return {
        "teacher": result.student.about["teacher"],
        "n_parameters": result.student.n_parameters,
        "n_pictures": result.n_pictures,
        "n_steps": result.n_steps,
        "held_out": asdict(result.likeness),
    }


def _text(result: Distilled) -> str:
    alike = result.likeness
    return (
        f"{result.n_steps:,} steps on {result.n_pictures:,} pictures, "
        f"{result.student.n_parameters:,} numbers\n"
        f"{alike.n_pictures} held-out pictures: cosines correlate {alike.correlation:.3f} with the "
        f"teacher's; the nearest picture is the same for {alike.same_neighbor:.0%}"
    )


COMMANDS = (export_command, compress_command, distill_command)
