"""Adapting the text encoder: `imprint train adapt --data train.csv --name our-intents`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import Progress, verb
from imprint.cli.train.run import require_torch
from imprint.errors import InvalidOptionError, InvalidTableError

if TYPE_CHECKING:
    from imprint import Collection, Workspace
    from imprint.cli.session import Session
    from imprint.encoders.bert_graph import Variant
    from imprint.settings import Settings
    from imprint.train.adapt.plan import Adaptation, AdaptPlan

    Lessons = list[tuple[str, str]]


@verb("adapt", short_help="Tune the text encoder to your classes, if that pays.")
@click.option("--data", "table", metavar="FILE", help="Texts with labels, as for import.")
@click.option("--collection", metavar="NAME", help="Take the texts taught to this collection.")
@click.option("--name", required=True, help="Name the adapted encoder is added under.")
@click.option("--into", metavar="NAME", help="Teach --collection again under this name with it.")
@click.option("--start", default="minilm-l6", show_default=True, help="Or a folder of yours.")
@click.option("--folds", default=1, show_default=True, help="Rounds of holding out to judge by.")
@click.option("--always", is_flag=True, help="Keep the result even where it does not pay.")
@click.option("--int8", is_flag=True, help="Add the 8-bit variant: smaller, faster.")
@click.option("--epochs", default=None, type=int, help="Passes over the texts.")
@click.option("--rate", default=None, type=float, help="Largest learning rate.")
@click.option("--layers", "n_layers", default=None, type=int, help="Upper layers that move.")
@click.option("--lora", "lora_rank", default=None, type=int, help="Train low-rank additions.")
@click.option("--seconds", default=None, type=float, help="Most time for one tuning.")
@click.option("--seed", default=0, show_default=True)
@click.option("--text-column", metavar="NAME", help="Column of the texts.")
@click.option("--label-column", metavar="NAME", help="Column of the labels.")
def adapt_command(session: Session, *, table: str | None, **choices: Any) -> None:
    r"""Tune the text encoder to your classes from a few examples of each, if that pays.

    A fifth of each class is held out and answers under both encoders; only where the adapted one
    is clearly less surprised by the truth is it tuned on everything and added.

    \b
    Example:
      imprint train adapt --data train.csv --name our-intents
    """
    collection, into = choices.pop("collection"), choices.pop("into")
    _refuse_mixed(table, collection, into)
    require_torch()
    columns = {name: choices.pop(name) for name in ("text_column", "label_column")}
    if collection is None:
        result = _adapted(session, _of_table(session, Path(str(table)), columns), choices)
    else:
        result = _adapted_to(session, collection, into, choices)
    session.show(_document(result, choices["name"], into), _text(result, choices["name"]))


def _refuse_mixed(table: str | None, collection: str | None, into: str | None) -> None:
    if (table is None) == (collection is None):
        raise InvalidOptionError("give either --data or --collection: where the texts come from")
    if into is not None and collection is None:
        raise InvalidOptionError("--into teaches a collection again: name it with --collection")


def _adapted_to(
    session: Session, collection: str, into: str | None, choices: dict[str, Any]
) -> Adaptation:
    with session.workspace(create=False) as workspace:
        lessons = _of_collection(session, workspace.collection(collection))
        result = _adapted(session, lessons, choices)
        if into is not None and result.published:
            _taught_again(session, workspace, into, choices["name"], lessons)
    return result


def _adapted(session: Session, lessons: Lessons, choices: dict[str, Any]) -> Adaptation:
    from tempfile import TemporaryDirectory

    from imprint.encoders.catalogue import add
    from imprint.train.adapt.folder import Start
    from imprint.train.adapt.recipe import adapt

    settings: Settings = session.settings()
    with TemporaryDirectory() as scratch, Progress("adapting") as progress:
        out = Path(scratch) / "adapted"
        result = adapt(
            [text for _, text in lessons],
            [label for label, _ in lessons],
            Start(choices["start"], settings.cache, settings.model_mirror),
            out,
            plan=_plan(choices),
            n_folds=choices["folds"],
            always=choices["always"],
            progress=progress.heard,
        )
        if result.published:
            variant: Variant = "int8" if choices["int8"] else "fp32"
            add(out, cache_dir=settings.cache, name=choices["name"], variant=variant)
    return result


def _plan(choices: dict[str, Any]) -> AdaptPlan:
    from imprint.train.adapt.plan import AdaptPlan

    names = ("epochs", "rate", "n_layers", "lora_rank", "seconds", "seed")
    return AdaptPlan(**{name: choices[name] for name in names if choices[name] is not None})


def _of_table(session: Session, path: Path, columns: dict[str, Any]) -> Lessons:
    from imprint.flows.tables import TableRow, open_table

    found = list(open_table(path, **columns).rows())
    rows = [row for row in found if isinstance(row, TableRow) and isinstance(row.source, str)]
    if len(rows) < len(found):
        session.note(f"{len(found) - len(rows):,} of {len(found):,} rows are no text: left out")
    if not rows:
        raise InvalidTableError("no row holds a text; `imprint import` would say why for each")
    return [(row.label, str(row.source)) for row in rows]


def _of_collection(session: Session, collection: Collection) -> Lessons:
    if collection.modality != "text":
        raise InvalidOptionError(
            f"the collection holds {collection.modality}; adapting is for texts, and "
            "`imprint train METHOD` trains a network for images"
        )
    found: Lessons = []
    n_bare, after = 0, None
    while page := collection.supports(state="active", limit=1000, after=after):
        after = page[-1].support_id
        for support in page:
            raw = collection.raw(support.support_id) if support.label is not None else None
            if raw is None:
                n_bare += 1
            else:
                found.append((str(support.label), raw.content.decode("utf-8")))
    if n_bare:
        session.note(f"{n_bare:,} supports are negatives or hold no text: left out")
    if not found:
        raise InvalidOptionError("the collection keeps no raw texts; use --data with a table")
    return found


def _taught_again(
    session: Session, workspace: Workspace, into: str, encoder: str, lessons: Lessons
) -> None:
    if into in workspace.collections():
        raise InvalidOptionError("there is a collection of that name; give --into a new one")
    fresh = workspace.collection(into, modality="text", encoder=encoder)
    refused = [one for one in fresh.teach_many(lessons) if isinstance(one, Exception)]
    if refused:
        session.note(f"{len(refused):,} of {len(lessons):,} texts were refused by the new encoder")


def _document(result: Adaptation, name: str, into: str | None) -> dict[str, Any]:
    comparison = result.comparison
    return {
        "added": name if result.published else None,
        "into": into if result.published else None,
        "pays": comparison.pays if comparison else None,
        "held_out": comparison._asdict() if comparison else None,
        "n_texts": result.n_texts,
        "n_classes": result.n_classes,
        "n_steps": result.n_steps,
        "seconds": result.seconds,
    }


def _text(result: Adaptation, name: str) -> str:
    one = result.comparison
    lines = [f"{result.n_texts:,} texts of {result.n_classes:,} classes, {result.seconds:.0f} s"]
    if one is not None:
        lines.append(
            f"held out {one.n_held}: {one.frozen_accuracy:.1%} right before, "
            f"{one.adapted_accuracy:.1%} after; surprise falls by {one.gain:.3f} "
            f"(standard error {one.error:.3f})"
        )
    if result.published:
        use = f"imprint collections create NAME --modality text --encoder {name}"
        lines.append(f"added as {name}; use it: {use}")
    else:
        lines.append("it does not clearly pay, so nothing was added (--always adds it anyway)")
    return "\n".join(lines)


COMMANDS = (adapt_command,)
