"""Training by a method: `imprint train prototypical --data DIR --out RUN_DIR`."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import EPILOG, Progress, verb
from imprint.cli.train.record import tracker_of
from imprint.errors import InvalidOptionError
from imprint.train.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.cli.session import Session
    from imprint.train.recording import Outcome
    from imprint.train.recording import Progress as Step
    from imprint.train.sources.pool import Splits

ABOUT = {
    "prototypical": "Prototypical Networks: nearest class mean (Snell et al. 2017).",
    "matching": "Matching Networks: attention over supports (Vinyals et al. 2016).",
    "siamese": "Siamese network with the contrastive loss (Koch et al. 2015).",
    "triplet": "Triplet loss with batch-hard mining (Hermans et al. 2017).",
    "contrastive": "Supervised contrastive learning (Khosla et al. 2020).",
    "maml": "MAML: all weights adapt to the supports by gradient steps (Finn et al. 2017).",
    "anil": "ANIL: only the head adapts, on features computed once (Raghu et al. 2020).",
    "pretrain": "Supervised pre-training with a cosine head (Chen et al. 2019).",
}
CODES = (
    f"{EPILOG} 3 also when the data cannot be trained on, the loss became NaN or memory ran out; "
    "5 also when the run folder holds another run. 130 interrupted: --resume goes on."
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every method takes."""
    for one in reversed(_OPTIONS):
        command = one(command)
    return command


_OPTIONS = (
    click.option("--data", metavar="DIR|FILE", required=True, help="Folder per class, or .npz."),
    click.option("--out", metavar="RUN_DIR", required=True, help="Folder of the run."),
    click.option("--split", default="auto", show_default=True, help="vinyals, background."),
    click.option("--turned/--not-turned", default=None, help="Quarter turns as classes."),
    click.option("--way", "n_way", default=5, show_default=True, help="Classes of an episode."),
    click.option("--shot", "n_shot", default=1, show_default=True, help="Supports of a class."),
    click.option("--query", "n_query", default=15, show_default=True, help="Queries of a class."),
    click.option("--groups", "n_groups", default=0, show_default=True, help="1: of one group."),
    click.option("--epochs", type=int, help="End after so many; 20 without --minutes."),
    click.option("--minutes", type=float, help="End after so much wall time."),
    click.option("--steps", "steps_per_epoch", default=100, show_default=True, help="Per epoch."),
    click.option("--backbone", default="conv4", show_default=True, help="conv4 or resnet."),
    click.option("--px", "image_px", default=28, show_default=True, help="Side of the images."),
    click.option("--augment", default="none", show_default=True, help="none, affine or elastic."),
    click.option("--averaging", default=0.0, show_default=True, help="Pace of averaged weights."),
    click.option("--precision", default="auto", show_default=True, help="auto, half or full."),
    click.option("--validate-every", default=1, show_default=True, help="Epochs between."),
    click.option("--patience", default=0, show_default=True, help="Epochs without better; 0 off."),
    click.option("--episodes", "n_test_episodes", default=1000, show_default=True),
    click.option("--seed", default=0, show_default=True),
    click.option("--start", metavar="FILE", help="Begin with the weights of an earlier run."),
    click.option("--set", "wanted", multiple=True, metavar="NAME=VALUE", help="Of the method."),
    click.option("--resume", is_flag=True, help="Go on with the run in RUN_DIR."),
)


def method_command(name: str) -> click.Command:
    """The command of one method."""

    @options
    def command(session: Session, **choices: Any) -> None:
        _train(session, name, **choices)

    command.__doc__ = (
        f"{ABOUT[name]}\n\nClasses are dealt to training, validation and test; the test episodes "
        "ask classes the network never saw.\n\n\\b\nExample:\n"
        f"  imprint train {name} --data photos/ --out runs/first --minutes 20\n"
    )
    return verb(name, epilog=CODES, short_help=ABOUT[name])(command)


def _train(session: Session, name: str, **choices: Any) -> None:
    require_torch()
    from imprint.train.loop import train
    from imprint.train.methods import make_method
    from imprint.train.precision import keep_freed_memory
    from imprint.train.settings import RunSettings
    from imprint.train.sources import open_splits

    keep_freed_memory()
    method = make_method(name, _pairs(choices.pop("wanted")))
    place, folder = Path(choices.pop("data")), Path(choices.pop("out"))
    reading = {name: choices.pop(name) for name in ("split", "turned")}
    resume, start = choices.pop("resume"), choices.pop("start")
    if choices["epochs"] is None and choices["minutes"] is None:
        choices["epochs"] = 20
    settings = RunSettings(**choices)
    splits = open_splits(place, settings.image_px, seed=settings.seed, **reading)
    _tell_left_out(session, splits)
    with Progress(name, 1000) as progress:
        outcome = train(
            method,
            splits,
            settings,
            folder=folder,
            resume=resume,
            start=None if start is None else Path(start),
            recorder=tracker_of(session, folder, progress),
            on_progress=lambda step: progress.at(round(1000 * step.share), label=_line(name, step)),
        )
    session.show(_document(name, splits, outcome), _text(name, outcome))


def require_torch() -> None:
    """Refuse in words when the train extra is not installed.

    Raises:
        InvalidOptionError: torch or pytorch-metric-learning is missing.
    """
    lacking = [n for n in ("torch", "pytorch_metric_learning") if not importlib.util.find_spec(n)]
    if lacking:
        raise InvalidOptionError(
            f"training needs {' and '.join(lacking)}, which the train extra brings: "
            "pip install 'imprint[train]'"
        )


def _pairs(wanted: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in wanted]
    if any(not equals for _, equals, _ in pairs):
        raise InvalidOptionError("--set takes NAME=VALUE, for example --set step.n_way=30")
    return {name: value for name, _, value in pairs}


def _tell_left_out(session: Session, splits: Splits) -> None:
    if splits.left_out:
        session.note(f"{len(splits.left_out):,} files cannot be read as images and are left out:")
        for one in splits.left_out[:20]:
            session.note(f"  {one.name}: {one.reason}")
        if len(splits.left_out) > 20:
            session.note(f"  and {len(splits.left_out) - 20:,} more (all of them with --json)")


def _line(name: str, step: Step) -> str:
    loss = step.metrics.get("loss")
    return f"{name} epoch {step.epoch} loss {loss:.3f}" if loss is not None else name


def _document(name: str, splits: Splits, outcome: Outcome) -> dict[str, Any]:
    told = ("status", "reason", "n_steps", "elapsed_s", "cpu_s", "best_epoch")
    return {
        "method": name,
        "source": splits.about,
        **{field: getattr(outcome, field) for field in told},
        "validation": asdict(outcome.validation),
        "test": asdict(outcome.test),
        "left_out": [asdict(one) for one in splits.left_out],
    }


def _text(name: str, outcome: Outcome) -> str:
    return (
        f"{name} {outcome.status} ({outcome.reason}): {outcome.n_steps:,} steps in "
        f"{outcome.elapsed_s:,.0f} s, best epoch {outcome.best_epoch}\n"
        f"validation  {outcome.validation}\ntest        {outcome.test}"
    )


COMMANDS = tuple(method_command(name) for name in METHODS if name in ABOUT)
