"""Supports without a sample of their own: the vectors a network made from real ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imprint.errors import ImprintError, VectorError
from imprint.flows.answering.decoding import sample_of
from imprint.flows.answering.encoding import embed
from imprint.flows.answering.provenance import GENERATED, is_made
from imprint.flows.policy import checked_label
from imprint.flows.teach import Lesson, teach_one
from imprint.types import Embedding, RawItem, Sample
from imprint.vectors import stacked, unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.types import Receipt, UnitVector, UnitVectors

_BATCH = 64


class Taught(NamedTuple):
    """Vectors of active supports that somebody labelled, with their labels and ids."""

    vectors: UnitVectors
    labels: tuple[str, ...]
    support_ids: tuple[str, ...]


def taught_vectors(live: LiveCollection) -> Taught:
    """What may be learned from: neither negatives, nor what is held or made by a program."""
    found = [
        change
        for change in live.tenant.changes(live.row.collection_id, 0)
        if change.label is not None
        and change.state == "active"
        and not change.removed
        and not is_made(change.support_id)
    ]
    return Taught(
        stacked((one.vector for one in found), live.row.dim),
        tuple(str(one.label) for one in found),
        tuple(one.support_id for one in found),
    )


def embedded_sources(
    live: LiveCollection, sources: Iterable[Any]
) -> list[UnitVector | ImprintError]:
    """Embed sources together; one that cannot be read gives its error in its place."""
    samples: list[Sample | ImprintError] = []
    for source in sources:
        try:
            samples.append(sample_of(live, source))
        except ImprintError as error:
            samples.append(error)
    good = [one for one in samples if not isinstance(one, ImprintError)]
    made: list[UnitVector] = []
    for at in range(0, len(good), _BATCH):
        made += [one.vector for one in embed(live.encoder, good[at : at + _BATCH])]
    vectors = iter(made)
    return [one if isinstance(one, ImprintError) else next(vectors) for one in samples]


def generated_lesson(
    live: LiveCollection, label: str, vector: UnitVector, metadata: dict[str, Any]
) -> Lesson:
    """Make the lesson of one generated vector, marked as what it is.

    Raises:
        VectorError: the vector has another width than the collection's, or is not finite.
    """
    made = np.asarray(vector, dtype=np.float32)
    if made.shape != (live.row.dim,) or not np.isfinite(made).all():
        raise VectorError(
            f"a generated vector must hold {live.row.dim} finite numbers, got {made.shape}"
        )
    made = unit(made[None])[0]
    # There is no content to hash: the vector stands for it.
    content_hash = hashlib.sha256(made.tobytes()).hexdigest()
    version = live.row.encoder_version
    return Lesson(
        checked_label(label),
        Sample(live.row.modality, "", content_hash, RawItem(b"")),
        Embedding(made, version, content_hash),
        {**metadata, GENERATED: True},
        GENERATED,
    )


class Extended:
    """What a collection offers to programs that make further supports for it."""

    _live: LiveCollection
    _workspace: Workspace

    def taught(self) -> Taught:
        """Vectors of the active supports that somebody labelled: what may be learned from."""
        return taught_vectors(self._live)

    def vectors_of(self, sources: Iterable[Any]) -> list[UnitVector | ImprintError]:
        """Embed sources without teaching them; a vector, or the error of its source, for each."""
        return embedded_sources(self._live, sources)

    def teach_generated(
        self, label: str, vector: UnitVector, *, metadata: dict[str, Any] | None = None
    ) -> Receipt:
        """Teach a vector that a network made: it moves the class, and is never evidence.

        Raises:
            VectorError: the vector is of another width, or not finite.
        """
        lesson = generated_lesson(self._live, label, vector, metadata or {})
        return teach_one(self._live, lesson, self._workspace.act())
