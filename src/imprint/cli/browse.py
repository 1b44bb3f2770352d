"""Verbs that look at collections: collections, labels, supports, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import MODALITY_NAMES, verb, verbs
from imprint.errors import CollectionExistsError, InvalidOptionError, NotFoundError

if TYPE_CHECKING:
    from imprint.cli.session import Session


def columns(rows: list[list[str]], header: list[str]) -> str:
    """Line up rows under a header."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)


@verbs("collections")
def collections_verb() -> None:
    r"""List, create and drop collections.

    \b
    Example:
      imprint collections list
    """


@verb("list")
def list_collections(session: Session) -> None:
    r"""List the collections of the workspace.

    \b
    Example:
      imprint collections list --json
    """
    with session.workspace(create=False) as workspace:
        facts = [workspace.collection(name).describe() for name in workspace.collections()]
    rows = [
        [f["name"], f["modality"], str(f["n_labels"]), str(f["n_supports"]), f["encoder_version"]]
        for f in facts
    ]
    text = columns(rows, ["collection", "modality", "classes", "supports", "encoder"])
    session.show({"collections": facts}, text if rows else "no collections yet")


@verb("create")
@click.argument("name")
@click.option("--modality", type=click.Choice(MODALITY_NAMES), required=True)
@click.option("--encoder", metavar="NAME", help="Encoder; the default of the modality without it.")
@click.option("--policy", metavar="JSON", help="Such as '{\"false_accept_rate\": 0.01}'.")
def create_collection(
    session: Session, *, name: str, modality: Any, encoder: str | None, policy: str | None
) -> None:
    r"""Create an empty collection with choices of its own.

    \b
    Example:
      imprint collections create tickets --modality text --policy '{"false_accept_rate": 0.01}'
    """
    with session.workspace() as workspace:
        if name in workspace.collections():
            raise CollectionExistsError("a collection of that name exists; choose another name")
        facts = workspace.collection(name, modality, encoder, _policy(policy)).describe()
    session.show(facts, f"created {name}, encoder {facts['encoder_version']}")


def _policy(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        shape = json.loads(text)
    except ValueError:
        shape = None
    if not isinstance(shape, dict):
        raise InvalidOptionError('--policy takes a JSON object, such as {"keep_raw": false}')
    return shape


@verb("drop")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop_collection(
    session: Session,
    *,
    name: str,
    yes: bool,
) -> None:
    r"""Remove a collection with everything in it.

    \b
    Example:
      imprint collections drop pets --yes
    """
    with session.workspace(create=False) as workspace:
        if name not in workspace.collections():
            raise NotFoundError("there is no such collection; see `imprint collections list`")
        if not yes:
            click.confirm(f"Remove {name} with everything in it?", abort=True, err=True)
        workspace.drop(name)
    session.show({"dropped": name}, f"dropped {name}")


for _command in (list_collections, create_collection, drop_collection):
    collections_verb.add_command(_command)


@verb("labels")
@click.argument("collection")
def labels_verb(session: Session, *, collection: str) -> None:
    r"""List the classes of a collection and how many supports each has.

    \b
    Example:
      imprint labels pets
    """
    with session.workspace(create=False) as workspace:
        labels = workspace.collection(collection).labels()
    rows = [[label, str(n)] for label, n in labels.items()]
    shaped = [{"label": label, "n_supports": n} for label, n in labels.items()]
    text = columns(rows, ["label", "supports"]) if rows else "nothing taught yet"
    session.show({"labels": shaped}, text)


@verb("supports")
@click.argument("collection")
@click.option("--label", help="Only this class.")
@click.option("--state", type=click.Choice(["active", "quarantined"]), help="Only this state.")
@click.option("--limit", default=100, show_default=True, help="How many to list, at most 1,000.")
@click.option("--after", metavar="ID", help="Go on after this support.")
def supports_verb(
    session: Session,
    *,
    collection: str,
    label: str | None,
    state: Any,
    limit: int,
    after: str | None,
) -> None:
    r"""List what was taught, in the order it was taught.

    \b
    Example:
      imprint supports pets --label biscuit
    """
    with session.workspace(create=False) as workspace:
        found = workspace.collection(collection).supports(
            label=label, state=state, limit=limit, after=after
        )
    rows = [
        [s.support_id, s.label or "(none of these)", s.state, f"{s.taught_at:%Y-%m-%d %H:%M:%S}"]
        for s in found
    ]
    following = found[-1].support_id if len(found) == limit else None
    text = columns(rows, ["support", "label", "state", "taught (UTC)"]) if rows else "none"
    if following:
        session.note(f"more may follow: --after {following}")
    session.show({"supports": found, "after": following}, text)


@verb("export")
@click.argument("collection")
@click.argument("file")
def export_verb(session: Session, *, collection: str, file: str) -> None:
    r"""Write a collection to one file that `imprint.load` opens read-only.

    \b
    Example:
      imprint export pets pets.imprint
    """
    with session.workspace(create=False) as workspace:
        written = Path(workspace.collection(collection).export(file))
    n_bytes = written.stat().st_size
    session.show(
        {"path": str(written), "size_bytes": n_bytes}, f"wrote {written} ({n_bytes:,} bytes)"
    )
