"""What an encoder is: samples in, unit vectors out, under a version that is a content hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.types import Modality, Sample, UnitVectors


@runtime_checkable
class Encoder(Protocol):
    """Turns samples of one modality into unit vectors.

    The same sample gives the same vector whatever else is in the call, on every run. `version` is
    "<name>@<first 16 hex digits of a SHA-256>" over everything that decides the vector: weights,
    tokenizer or pixel preprocessing, pooling, normalization and numeric variant. `background` is
    a bank of unit vectors (n, dim) of samples of no particular class, or None: what open-set
    thresholds are set against. Implementations may be called from several threads at once.
    """

    @property
    def name(self) -> str:
        """Catalogue name, such as "minilm-l6-int8"."""
        ...

    @property
    def version(self) -> str:
        """Name and content hash; embeddings of two versions are never compared."""
        ...

    @property
    def modality(self) -> Modality:
        """The one kind of sample this encoder reads."""
        ...

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        ...

    @property
    def background(self) -> UnitVectors | None:
        """Bank of background vectors (n, dim), or None where the encoder has none."""
        ...

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed samples: (len(samples), dim) float32, every row of length one.

        Raises:
            ModalityMismatchError: a sample is of another modality.
            VectorError: the encoder gave something that is not a finite direction.
        """
        ...
