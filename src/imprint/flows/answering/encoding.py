"""Encoders in use: loaded once per workspace, found by name or by version."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from imprint.encoders.protocol import Encoder
from imprint.errors import EncoderMismatchError, EncoderNotFoundError, ModalityMismatchError
from imprint.types import Embedding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.settings import Settings
    from imprint.types import Modality, Sample


class EncoderShelf:
    """Thread-safe cache of loaded encoders. `progress` hears of downloads and builds."""

    def __init__(
        self, settings: Settings, progress: Callable[[str, int, int], None] | None = None
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._by_version: dict[str, Encoder] = {}
        self._by_name: dict[str, Encoder] = {}
        # Held while one is fetched or built, which may take minutes. Looking up what is loaded does
        # not take it: nobody's answers wait for another collection's new encoder.
        self._loading = threading.Lock()

    def named(self, name: str, modality: Modality) -> Encoder:
        """Load the encoder a new collection asked for (empty: there is no default)."""
        from imprint.encoders.catalogue import load_encoder

        if not name:
            raise EncoderNotFoundError(
                f"no {modality} encoder is built in; add one with `imprint models add FILE` and "
                "name it, or pass encoder= a callable"
            )
        encoder = self._by_name.get(name)
        if encoder is None:
            with self._loading:
                encoder = self._by_name.get(name) or load_encoder(
                    name,
                    cache_dir=self._settings.cache,
                    mirror=self._settings.model_mirror,
                    progress=self._progress,
                )
                self._by_name[name] = encoder
                self._by_version[encoder.version] = encoder
        if encoder.modality != modality:
            raise ModalityMismatchError(
                f"encoder {name} reads {encoder.modality}, the collection holds {modality}"
            )
        return encoder

    def given(self, encoder: object, modality: Modality) -> Encoder:
        """Take an encoder object, or any callable from a list of values to an array."""
        from imprint.encoders.callables import from_callable

        if isinstance(encoder, str):
            return self.named(encoder, modality)
        if not isinstance(encoder, Encoder) and not callable(encoder):
            raise EncoderNotFoundError("encoder= takes a name, an encoder or a callable")
        found: Encoder = (
            encoder if isinstance(encoder, Encoder) else from_callable(encoder, modality=modality)
        )
        if found.modality != modality:
            raise ModalityMismatchError(
                f"the encoder reads {found.modality}, the collection holds {modality}"
            )
        self._by_version[found.version] = found
        return found

    def versioned(self, version: str) -> Encoder:
        """Load exactly the version a collection was taught with.

        Raises:
            EncoderNotFoundError: it was a callable not given in this process, or its files are
                nowhere to be had.
            EncoderMismatchError: the files at hand make another version.
        """
        from imprint.encoders.catalogue import load_version

        encoder = self._by_version.get(version)
        if encoder is None:
            with self._loading:
                encoder = self._by_version.get(version) or load_version(
                    version,
                    cache_dir=self._settings.cache,
                    mirror=self._settings.model_mirror,
                    progress=self._progress,
                )
                self._by_version[version] = encoder
        if encoder.version != version:
            raise EncoderMismatchError(
                f"the collection holds embeddings of {version}; the encoder at hand is "
                f"{encoder.version} and they cannot be compared"
            )
        return encoder


def embed(encoder: Encoder, samples: Sequence[Sample]) -> list[Embedding]:
    """Embed samples, keeping the encoder's version with every vector."""
    vectors = encoder.encode(samples)
    return [
        Embedding(vector, encoder.version, sample.content_hash)
        for vector, sample in zip(vectors, samples, strict=True)
    ]
