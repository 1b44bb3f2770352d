"""Labelled vectors or sources, made into unit vectors that can be judged on."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.protocol import Encoder
from imprint.errors import EncoderMismatchError, InvalidInputError, InvalidOptionError
from imprint.measure.episodes import Pool
from imprint.measure.report import Captions
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from imprint.measure.report import Mistake
    from imprint.settings import Settings
    from imprint.types import Modality, Pixels, Sample, UnitVectors

    Progress = Callable[[str, int, int], None]

_BATCH = 128
_CAPTION_LIMIT = 280
_THUMBNAIL_PX = 96


@dataclass(frozen=True, slots=True)
class Material:
    """Unit vectors grouped by label, and the sources they were made from, if any.

    Sources that could not be read keep their row, as a vector of zeros that the pool leaves out:
    row numbers stay those of the caller.
    """

    vectors: UnitVectors
    pool: Pool
    n_left_out: int = 0
    sources: Sequence[Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns samples into material: embeds sources, scales vectors to length one.

    `encoder` is None where samples are vectors and nobody said what made them. With `leave_out`
    sources that cannot be read are left out; without, the first one is an error.
    """

    encoder: Encoder | None
    version: str | None
    leave_out: bool
    progress: Progress = field(repr=False)

    @classmethod
    def of(
        cls,
        samples: Any,
        encoder: Any,
        settings: Settings | None,
        progress: Progress,
        *,
        leave_out: bool = False,
    ) -> Reader:
        """Choose the encoder by what the first sample is; vectors need none."""
        if not hasattr(samples, "__len__"):
            raise InvalidOptionError("samples must be a sequence or an array; make a list of them")
        if len(samples) == 0:
            raise InvalidOptionError("there are 0 samples to judge on")
        if _are_vectors(samples):
            known = encoder if isinstance(encoder, Encoder) else None
            version = known.version if known else encoder
            return cls(known, version if isinstance(version, str) else None, leave_out, progress)
        from imprint.flows.answering.encoding import EncoderShelf
        from imprint.settings import read_settings

        chosen = settings or read_settings()
        modality = _modality(_first(samples), encoder)
        shelf = EncoderShelf(chosen, progress)
        found = shelf.given(encoder or chosen.encoder_for(modality), modality)
        return cls(found, found.version, leave_out, progress)

    @property
    def background(self) -> UnitVectors | None:
        """Vectors of no class that came with the encoder."""
        return self.encoder.background if self.encoder else None

    def material(self, samples: Any, labels: Sequence[Any]) -> Material:
        """Embed or scale samples and group them by label.

        Raises:
            InvalidOptionError: labels and samples differ in number, or a label is missing.
            EncoderMismatchError: vectors are of another width than the encoder's.
        """
        names = _names(labels)
        if len(samples) != len(names):
            raise InvalidOptionError(
                f"there are {len(samples)} samples and {len(names)} labels; give one label each"
            )
        if _are_vectors(samples):
            return Material(self._scaled(samples), Pool.of(names))
        sources = list(samples)
        vectors, unread = self._embedded(sources)
        if len(unread) == len(sources):
            raise InvalidInputError(f"none of the {len(sources)} samples can be read")
        return Material(vectors, Pool.of(names, unread), len(unread), sources)

    def captions(
        self, mistakes: Iterable[Mistake], supports: Material, queries: Material
    ) -> Captions:
        """Something to show for each row that a mistake names."""
        asked = {mistake.row for mistake in mistakes}
        near = {one.row for mistake in mistakes for one in mistake.evidence}
        return Captions(self._shown(queries, asked), self._shown(supports, near))

    def _shown(self, material: Material, rows: set[int]) -> dict[int, str]:
        if material.sources is None:
            return {}
        return {row: _caption(self._sample(material.sources[row], row)) for row in sorted(rows)}

    def _scaled(self, vectors: Any) -> UnitVectors:
        scaled = unit(vectors)
        if self.encoder is not None and scaled.shape[1] != self.encoder.dim:
            raise EncoderMismatchError(
                f"vectors have width {scaled.shape[1]}, those of {self.encoder.version} have "
                f"{self.encoder.dim}; they were made by another encoder"
            )
        return scaled

    def _embedded(self, sources: Sequence[Any]) -> tuple[UnitVectors, list[int]]:
        """Vectors of all sources, zeros where one cannot be read, and the rows of those."""
        if self.encoder is None:
            raise InvalidOptionError("samples are vectors but test holds sources; give both alike")
        vectors = np.zeros((len(sources), self.encoder.dim), dtype=np.float32)
        unread: list[int] = []
        for start in range(0, len(sources), _BATCH):
            rows, samples = [], []
            for row in range(start, min(start + _BATCH, len(sources))):
                try:
                    samples.append(self._sample(sources[row], row))
                except InvalidInputError:
                    if not self.leave_out:
                        raise
                    unread.append(row)
                else:
                    rows.append(row)
            if rows:
                vectors[rows] = self.encoder.encode(samples)
            self.progress("embed", min(start + _BATCH, len(sources)), len(sources))
        return vectors, unread

    def _sample(self, source: Any, row: int) -> Sample:
        from imprint.intake.decode import to_sample

        if self.encoder is None:
            raise InvalidOptionError("sources need an encoder")
        try:
            return to_sample(source, self.encoder.modality)
        except InvalidInputError as error:
            raise InvalidInputError(f"sample {row}: {error}", error.checks) from error


def _first(samples: Any) -> Any:
    return samples.iloc[0] if hasattr(samples, "iloc") else samples[0]


def _are_vectors(samples: Any) -> bool:
    """Whether samples are rows of numbers. An image is an array of two dimensions or more."""
    shape, kind = getattr(samples, "shape", None), getattr(samples, "dtype", None)
    if shape is not None and len(shape) == 2:
        return kind is None or np.dtype(kind).kind in "fiu"
    first = _first(samples)
    if isinstance(first, list | tuple):
        return bool(first) and isinstance(first[0], int | float | np.number)
    return isinstance(first, np.ndarray) and first.ndim == 1 and first.dtype.kind in "fiu"


def _modality(first: Any, encoder: Any) -> Modality:
    from imprint.intake.decode import guess_modality

    if isinstance(encoder, Encoder):
        return encoder.modality
    return "text" if isinstance(first, str) else guess_modality(first)


def _names(labels: Sequence[Any]) -> list[str]:
    names = []
    for row, label in enumerate(labels):
        if label is None or label != label:  # noqa: PLR0124 - NaN is the value unlike itself
            raise InvalidOptionError(f"sample {row} has no label; name its class or leave it out")
        names.append(label.decode() if isinstance(label, bytes) else str(label))
    return names


def _caption(sample: Sample) -> str:
    if isinstance(sample.value, str):
        text = sample.value
        return text if len(text) <= _CAPTION_LIMIT else f"{text[: _CAPTION_LIMIT - 1]}…"
    if isinstance(sample.value, np.ndarray):
        return _thumbnail(sample.value)
    return ""


def _thumbnail(pixels: Pixels) -> str:
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    content = BytesIO()
    image.save(content, "PNG")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
