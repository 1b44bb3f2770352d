"""Workspaces on a fresh folder or in memory, and a collection that knows four topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imprint
from flows.words import TOPICS, WordEncoder
from imprint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "shop.imprint.d"


@pytest.fixture
def opened(home: Path, settings: Settings) -> Iterator[Callable[..., imprint.Workspace]]:
    """Open the same folder as often as a test likes; all are closed at its end."""
    made: list[imprint.Workspace] = []

    def again(path: Path | None = home, **options: object) -> imprint.Workspace:
        made.append(imprint.open(path, settings=settings, **options))
        return made[-1]

    yield again
    for workspace in made:
        workspace.close()


@pytest.fixture
def tickets(opened: Callable[..., imprint.Workspace], encoder: WordEncoder) -> imprint.Collection:
    """An in-memory collection with one example of each topic."""
    collection = opened(None).collection("tickets", modality="text", encoder=encoder)
    for topic, words in TOPICS.items():
        collection.teach(topic, words)
    return collection
