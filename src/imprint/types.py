"""Values that travel between rooms: stages of the flow, identifiers, array roles.

Every stage is frozen; a function takes one stage and returns the next. Array aliases name the
role an array plays; shapes are given in the comment beside each alias (n rows, d dimensions).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from datetime import datetime

Modality = Literal["image", "text", "audio"]
MODALITIES: tuple[Modality, ...] = ("image", "text", "audio")
SupportState = Literal["active", "quarantined"]
DecisionKind = Literal["recognized", "ambiguous", "unknown"]
CheckVerdict = Literal["pass", "warn", "quarantine", "reject"]

UnitVector = npt.NDArray[np.float32]  # (d,), length one
UnitVectors = npt.NDArray[np.float32]  # (n, d), every row of length one
SupportVectors = npt.NDArray[np.float32]  # (n_support, d) unit rows
SupportLabels = npt.NDArray[np.intp]  # (n_support,) class numbers 0 .. n_way - 1
QueryVectors = npt.NDArray[np.float32]  # (n_query, d) unit rows
Similarities = npt.NDArray[np.float32]  # (n_query, n_rows) cosine, -1 .. 1, larger is nearer
Scores = npt.NDArray[np.float32]  # (n_query, n_way) raw head output, larger is better
Probabilities = npt.NDArray[np.float32]  # (n_query, n_way) calibrated, 0 .. 1

Pixels = npt.NDArray[np.uint8]  # (height_px, width_px, 3) sRGB
Waveform = npt.NDArray[np.float32]  # (n_frames,) mono, -1 .. 1


@dataclass(frozen=True, slots=True)
class RawItem:
    """Untrusted bytes as they arrived, with the media type the sender declared (if any)."""

    content: bytes = field(repr=False)
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded recording: mono waveform in -1 .. 1 and its sample rate."""

    waveform: Waveform = field(repr=False)
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One decoded input of one modality.

    `value` is `str` for text (NFC, outer white space removed), `Pixels` for images and `Sound`
    for audio. `content_hash` is the SHA-256 (hex) that makes two equal inputs recognizable as such.
    `raw` is what retention keeps. `notes` says what decoding had to decide ("first of 12 frames").
    """

    modality: Modality
    value: str | Pixels | Sound = field(repr=False)
    content_hash: str
    raw: RawItem = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedding:
    """A unit vector together with the version of the encoder that made it; never one alone."""

    vector: UnitVector = field(repr=False)
    encoder_version: str
    content_hash: str


class Check(NamedTuple):
    """One measured property of a support: what was measured, its limit, and what to do."""

    name: str
    verdict: CheckVerdict
    score: float
    limit: float
    hint: str


class Candidate(NamedTuple):
    """A class that might be the answer. Confidence is calibrated, similarity is a cosine."""

    label: str
    confidence: float
    similarity: float


class Evidence(NamedTuple):
    """A support near the query and its cosine similarity."""

    support_id: str
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What Imprint says of one query, and why.

    `label` is None unless the decision is "recognized". `confidence` is the calibrated probability
    (0 .. 1) that the best candidate is right. Candidates come best first, evidence nearest first,
    both with every answer, "unknown" too. `transductive`: queries of the same call informed this
    answer, on request; asked alone it may differ.
    """

    id: str
    decision: DecisionKind
    label: str | None
    confidence: float
    candidates: tuple[Candidate, ...]
    evidence: tuple[Evidence, ...]
    encoder_version: str
    generation: int
    sequence: int = 0
    notes: tuple[str, ...] = ()
    transductive: bool = False

    def to_json(self) -> dict[str, Any]:
        """Shape this answer as a JSON object: lists of named tuples become lists of objects."""
        shape: dict[str, Any] = as_json(self)
        return shape


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a support is durable and, when active, recognizable now.

    `label` is None for a negative, a support of no class.
    `sequence` is the collection's write counter after this write: a read that states it as
    `min_sequence` sees the support.
    """

    support_id: str
    label: str | None
    state: SupportState
    checks: tuple[Check, ...]
    nearest: tuple[Evidence, ...]
    encoder_version: str
    sequence: int

    def to_json(self) -> dict[str, Any]:
        """Shape this receipt as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape

    @classmethod
    def from_json(cls, shape: dict[str, Any]) -> Receipt:
        """Read back what `to_json` wrote."""
        return cls(
            **{
                **shape,
                "checks": tuple(Check(**one) for one in shape["checks"]),
                "nearest": tuple(Evidence(**one) for one in shape["nearest"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """Answer of a 1:1 check: is this query of the named class?

    `false_accept_rate` is the rate the threshold was set for.
    """

    accepted: bool
    confidence: float
    threshold: float
    false_accept_rate: float

    def to_json(self) -> dict[str, Any]:
        """Shape this verification as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


@dataclass(frozen=True, slots=True)
class Support:
    """A sample that was taught, with its provenance; a negative has no label. Holds no content."""

    support_id: str
    label: str | None
    state: SupportState
    encoder_version: str
    content_hash: str
    sequence: int
    taught_at: datetime
    taught_by: str
    origin: str
    media_type: str | None
    size_bytes: int
    metadata: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Shape this support as a JSON object; times are ISO 8601 in UTC."""
        shape: dict[str, Any] = as_json(self)
        return shape


def as_json(value: Any) -> Any:
    """Turn stage values into JSON values: dataclasses, named tuples to objects; times to text."""
    kind: Any = type(value)
    # An answer holds some fifty plain values; asking for them first is several times faster.
    if kind in _PLAIN:
        return value
    if kind is list or kind is tuple:
        return [as_json(part) for part in value]
    if kind is dict:
        return {key: as_json(part) for key, part in value.items()}
    names = _names_of(kind)
    if names:
        return {name: as_json(getattr(value, name)) for name in names}
    return value.isoformat() if hasattr(value, "isoformat") else value


_PLAIN = frozenset({str, int, float, bool, type(None)})


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    """Field names of a dataclass or named tuple; none for other types."""
    if is_dataclass(kind):
        return tuple(f.name for f in fields(kind))
    return tuple(getattr(kind, "_fields", ()))
