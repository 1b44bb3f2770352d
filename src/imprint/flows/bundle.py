"""Bundles: one file with everything a collection answers from, opened read-only elsewhere.

A bundle is a zip of `bundle.json` (kind "bundle.v1": names, labels, policy, calibration, hashes)
and `vectors.safetensors`. It holds embeddings, never raw samples, and no encoder: the version named
in it is loaded where the bundle is opened, and nothing else will do.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as write_tensors

from imprint.errors import (
    BundleCorruptError,
    EncoderMismatchError,
    ImprintError,
    InvalidInputError,
    InvalidOptionError,
    StorageFullError,
)
from imprint.flows.answering.encoding import EncoderShelf, embed
from imprint.flows.answering.recognizer import answers, verification
from imprint.flows.answering.snapshot import Snapshot
from imprint.flows.policy import Policy, checked_label
from imprint.heads.calibration import Calibration
from imprint.intake.decode import to_sample
from imprint.intake.masking import masked
from imprint.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from imprint.encoders.protocol import Encoder
    from imprint.store.ports import CollectionRow
    from imprint.types import Answer, Modality, Sample, Verification

KIND = "bundle.v1"
_MANIFEST = "bundle.json"
_VECTORS = "vectors.safetensors"
# A manifest holds names and numbers; one larger than this is not ours.
_MOST_MANIFEST_BYTES = 64 * 1024 * 1024
_MOST_VECTOR_BYTES = 8 * 1024 * 1024 * 1024


def write_bundle(path: str | Path, row: CollectionRow, policy: Policy, snapshot: Snapshot) -> Path:
    """Write a bundle in one step: the file is there whole, or not at all.

    Raises:
        StorageFullError, InvalidOptionError: it cannot be written there.
    """
    target = Path(path)
    tensors = write_tensors({"supports": snapshot.index.rows.matrix()})
    manifest = {
        "kind": KIND,
        "name": row.name,
        "modality": row.modality,
        "encoder": row.encoder_name,
        "encoder_version": row.encoder_version,
        "dim": row.dim,
        "policy": policy.to_json(),
        "sequence": snapshot.sequence,
        "generation": snapshot.generation,
        "calibration": snapshot.decider.calibration.to_parameters(),
        "support_ids": list(snapshot.index.ids),
        "labels": list(snapshot.decider.row_labels),
        "vectors_sha256": hashlib.sha256(tensors).hexdigest(),
    }
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            try:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                    archive.writestr(_MANIFEST, json.dumps(manifest, ensure_ascii=False))
                    archive.writestr(_VECTORS, tensors)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise StorageFullError("the disk is full; the bundle was not written") from error
        raise InvalidOptionError(
            f"the bundle cannot be written there: {error.strerror}; choose a writable folder"
        ) from error
    return target


class Bundle:
    """A collection opened from a file, read-only. It answers as the collection did at export."""

    def __init__(self, manifest: dict[str, Any], snapshot: Snapshot, encoder: Encoder) -> None:
        self._manifest = manifest
        self._snapshot = snapshot
        self._encoder = encoder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to release: a bundle is read whole when it is opened."""

    @property
    def name(self) -> str:
        """Name of the collection it came from."""
        return str(self._manifest["name"])

    @property
    def modality(self) -> Modality:
        """The one kind of sample it answers for."""
        return self._encoder.modality

    @property
    def encoder_version(self) -> str:
        """Version of the encoder its supports were embedded by."""
        return self._encoder.version

    def labels(self) -> dict[str, int]:
        """Classes and how many supports each has, in order of first teaching."""
        counts: dict[str, int] = {}
        for label in self._snapshot.decider.row_labels:
            if label is not None:
                counts[label] = counts.get(label, 0) + 1
        return counts

    def classify(self, source: Any, *, top_k: int = 5) -> Answer:
        """Answer one query, as the collection it came from would."""
        sample = self._sample(source)
        (answer,) = answers(
            self._snapshot,
            embed(self._encoder, [sample]),
            encoder_version=self.encoder_version,
            top_k=top_k,
            notes=[sample.notes],
        )
        return answer

    def classify_many(
        self, sources: Iterable[Any], *, top_k: int = 5, transductive: bool = False
    ) -> list[Answer | ImprintError]:
        """Answer many queries; an Answer, or the error of its source, for each, in order.

        `transductive` is as for `Collection.classify_many`.
        """
        decoded: list[Sample | ImprintError] = []
        for source in sources:
            try:
                decoded.append(self._sample(source))
            except InvalidInputError as error:
                decoded.append(error)
        samples = [one for one in decoded if not isinstance(one, ImprintError)]
        made = answers(
            self._snapshot,
            embed(self._encoder, samples) if samples else [],
            encoder_version=self.encoder_version,
            top_k=top_k,
            notes=[sample.notes for sample in samples],
            transductive=transductive,
        )
        found = iter(made)
        return [one if isinstance(one, ImprintError) else next(found) for one in decoded]

    def _sample(self, source: Any) -> Sample:
        policy = Policy.of(self._manifest["policy"])
        return masked(to_sample(source, self.modality), policy.mask)

    def verify(self, label: str, source: Any) -> Verification:
        """Answer whether one query is of the named class."""
        sample = self._sample(source)
        (embedding,) = embed(self._encoder, [sample])
        return verification(
            self._snapshot,
            embedding,
            checked_label(label),
            encoder_version=self.encoder_version,
            false_accept_rate=Policy.of(self._manifest["policy"]).false_accept_rate,
        )


def load_bundle(
    path: str | Path, encoder: Any = None, *, settings: Settings | None = None
) -> Bundle:
    """Open an exported bundle read-only.

    `encoder` is needed when the collection was taught with a callable or an encoder object of
    your own; it must be of the version the bundle names.

    Raises:
        BundleCorruptError: the file is damaged or is no bundle.
        EncoderNotFoundError, EncoderMismatchError: the encoder it was taught with is not here.
    """
    manifest, vectors = _read(Path(path))
    shelf = EncoderShelf(settings or read_settings())
    version = str(manifest["encoder_version"])
    if encoder is not None:
        found = shelf.given(encoder, manifest["modality"])
        if found.version != version:
            raise EncoderMismatchError(
                f"the bundle was taught with {version}, the encoder given is {found.version}"
            )
    else:
        found = shelf.versioned(version)
    try:
        snapshot = Snapshot.of(
            vectors,
            manifest["support_ids"],
            manifest["labels"],
            Policy.of(manifest["policy"]),
            found.background,
            calibration=Calibration.from_parameters(manifest["calibration"]),
            sequence=manifest["sequence"],
            generation=manifest["generation"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleCorruptError("the bundle's manifest is incomplete; export it again") from error
    return Bundle(manifest, snapshot, found)


def _read(path: Path) -> tuple[dict[str, Any], Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name, most in ((_MANIFEST, _MOST_MANIFEST_BYTES), (_VECTORS, _MOST_VECTOR_BYTES)):
                if archive.getinfo(name).file_size > most:
                    raise BundleCorruptError(f"the bundle's {name} is larger than any we write")
            manifest = json.loads(archive.read(_MANIFEST))
            tensors = archive.read(_VECTORS)
    except FileNotFoundError:
        raise InvalidInputError("there is no bundle file of that name") from None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise BundleCorruptError("the file is damaged or is no Imprint bundle") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise BundleCorruptError(f"the file is no bundle of kind {KIND}")
    if hashlib.sha256(tensors).hexdigest() != manifest.get("vectors_sha256"):
        raise BundleCorruptError("the bundle's vectors do not have the stated hash; export again")
    try:
        return manifest, read_tensors(tensors)["supports"]
    except (SafetensorError, KeyError) as error:
        raise BundleCorruptError("the bundle's vectors cannot be read; export again") from error
