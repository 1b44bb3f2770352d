"""Fixtures shared by every room's tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imprint.encoders.catalogue import load_encoder
from imprint.errors import EncoderNotFoundError

if TYPE_CHECKING:
    from imprint.encoders.protocol import Encoder


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model cache: IMPRINT_CACHE where set, else the user's, so weights are fetched once."""
    if stated := os.environ.get("IMPRINT_CACHE"):
        return Path(stated)
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        (root / "imprint").mkdir(parents=True, exist_ok=True)
    except OSError:
        return tmp_path_factory.mktemp("cache")
    return root / "imprint"


@pytest.fixture(scope="session")
def model_mirror() -> Path | None:
    """The mirror folder, where IMPRINT_MODEL_MIRROR names one."""
    stated = os.environ.get("IMPRINT_MODEL_MIRROR")
    return Path(stated) if stated else None


@pytest.fixture(scope="session")
def text_encoder(cache_dir: Path, model_mirror: Path | None) -> Encoder:
    """The int8 text encoder; tests that need it are skipped where no source has its weights."""
    try:
        return load_encoder("minilm-l6-int8", cache_dir=cache_dir, mirror=model_mirror)
    except EncoderNotFoundError as error:
        pytest.skip(f"the text encoder's weights are not to be had here: {error}")
