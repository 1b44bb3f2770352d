"""Simulated questions to the supports themselves: what known and unknown queries would bring.

Three kinds, none needing more than the supports and the encoder's background bank:
strangers of this domain are supports whose own class is left out; known queries are supports held
out of their class; and where there is little of either, queries are made at similarities that
samples of one class, or of two, usually have under this encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.heads.open_set import Evidence, cosines
from imprint.heads.simulation.looseness import usual_cosine
from imprint.heads.supports import SupportSet
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from imprint.heads.calibration import Values
    from imprint.heads.protocol import Head
    from imprint.heads.simulation.contests import Contests
    from imprint.types import QueryVectors, Scores, UnitVectors

    Held = list[tuple[Scores, npt.NDArray[np.intp]]]  # scores and classes, one pair per split

# Supports asked at most, and cells of the query-by-class table: estimates stop moving, time not.
_ASKED, _CELLS = 800, 2_000_000
_HELD_ENOUGH = 160
# Rounds of holding out, for up to so many supports and beyond: each fits every candidate head.
_MOST_SPLITS, _SMALL, _MOST_SPLITS_BEYOND = 6, 50, 4
_MADE: Final = 96
# Of one class, and of two in one domain, in standard deviations above the bank's mean cosine,
# with their own standard deviation: measured on four text sets (see the record).
_SAME_CLASS, _SAME_DOMAIN = (3.0, 1.5), (0.8, 1.3)


@dataclass(frozen=True, slots=True)
class Asked:
    """Familiarity of simulated queries, and for checks of one class the evidence alone.

    `classes` tells which class each stranger came from.
    """

    strangers: Values
    classes: npt.NDArray[np.intp]
    known: Values
    made_strangers: Values
    made_known: Values
    impostors: Values
    own: Values
    made_impostors: Values
    made_own: Values


class _Made(NamedTuple):
    queries: QueryVectors
    evidence: Values


class Split(NamedTuple):
    """Supports without the held-out ones, and those with their class numbers."""

    kept: SupportSet
    queries: QueryVectors
    classes: npt.NDArray[np.intp]


def in_order(supports: SupportSet) -> SupportSet:
    """The same supports with classes by name and rows by content, whatever order they came in."""
    matrix, labels = supports.rows.matrix(), supports.row_labels()
    names = np.array(["" if label is None else f"+{label}" for label in labels], dtype=object)
    columns: list[npt.NDArray[Any]] = [matrix[:, i] for i in range(min(3, matrix.shape[1]))]
    ranks = np.unique(names, return_inverse=True)[1]
    order = np.lexsort((*columns, ranks))
    rows = RowBlocks.of(matrix[order])
    return SupportSet.of(rows, [labels[row] for row in order.tolist()], supports.anchor)


def splits(supports: SupportSet, rng: np.random.Generator) -> list[Split]:
    """Hold out one support of every class that has several, a few times over, each in turn."""
    several = np.flatnonzero(supports.counts > 1)
    if not len(several):
        return []
    if len(several) > _HELD_ENOUGH:
        several = np.sort(rng.choice(several, _HELD_ENOUGH, replace=False))
    rows = [rng.permutation(np.flatnonzero(supports.row_class == c)) for c in several.tolist()]
    most = _MOST_SPLITS if supports.n_rows <= _SMALL else _MOST_SPLITS_BEYOND
    n_rounds = min(max(map(len, rows)), _HELD_ENOUGH // len(several) + 1, most)
    matrix, labels = supports.rows.matrix(), supports.row_labels()
    made = []
    for turn in range(n_rounds):
        held = np.array([mine[turn] for mine in rows if turn < len(mine)], dtype=np.intp)
        keep = np.setdiff1d(np.arange(supports.n_rows), held)
        kept = SupportSet.of(
            RowBlocks.of(matrix[keep]), [labels[row] for row in keep.tolist()], supports.anchor
        )
        number_of = {label: number for number, label in enumerate(kept.labels)}
        own = np.array([number_of[labels[row] or ""] for row in held.tolist()], dtype=np.intp)
        made.append(Split(kept, matrix[held], own))
    return made


def ask(
    supports: SupportSet,
    parts: list[Split],
    held: list[Head],
    contests: Contests,
    bank: UnitVectors | None,
    rng: np.random.Generator,
) -> Asked:
    """Ask simulated strangers and known queries for their evidence and contest.

    Args:
        supports: in canonical order.
        parts: supports held out of their classes.
        held: the head as fitted to each part.
        contests: the head that will answer.
        bank: background vectors.
        rng: for choosing and making queries.
    """
    taught = np.flatnonzero(supports.row_class >= 0)
    most = max(32, min(_ASKED, _CELLS // max(supports.n_way, 1)))
    if len(taught) > most:
        taught = np.sort(rng.choice(taught, most, replace=False))
    queries = np.stack([supports.rows.row(row) for row in taught.tolist()])
    own = supports.row_class[taught]
    alone = _own_left_out(supports, queries, own, bank)
    others = supports.n_way > 1
    strangers = alone.max(axis=1) + contests.without_own(supports, queries, own, rng)
    usual = float(cosines(supports, queries[:64], bank).background.mean())
    evidence = _joined(
        [cosines(part.kept, part.queries, bank).evidence().max(axis=1) for part in parts]
    )
    rivals = [
        contests.among(head, part.kept, part.queries)
        for head, part in zip(held, parts, strict=True)
    ]
    from_same = _made(supports, queries, bank, _SAME_CLASS, usual, rng)
    from_other = _made(supports, queries, bank, _SAME_DOMAIN, usual, rng)
    return Asked(
        strangers=strangers if others else np.empty(0, np.float32),
        classes=own if others else np.empty(0, np.intp),
        impostors=_some(alone[np.isfinite(alone)], rng),
        own=evidence,
        known=evidence + _joined(rivals),
        made_strangers=from_other.evidence + contests.here(from_other.queries),
        made_known=from_same.evidence + contests.here(from_same.queries),
        made_impostors=from_other.evidence,
        made_own=from_same.evidence,
    )


def _own_left_out(
    supports: SupportSet,
    queries: QueryVectors,
    own: npt.NDArray[np.intp],
    bank: UnitVectors | None,
) -> Evidence:
    seen = cosines(supports, queries, bank)
    plain = seen.plain.copy()
    plain[np.arange(len(queries)), own] = -np.inf
    return seen._replace(plain=plain).evidence()


def _made(
    supports: SupportSet,
    queries: QueryVectors,
    bank: UnitVectors | None,
    level: tuple[float, float],
    background: float,
    rng: np.random.Generator,
) -> _Made:
    """Queries made at usual similarities to random supports, and their best evidence."""
    center, swing = usual_cosine(bank)
    drawn = center + swing * (level[0] + level[1] * rng.standard_normal(_MADE))
    cosine = np.clip(drawn, -0.95, 0.98)[:, None]
    near = queries[rng.integers(0, len(queries), _MADE)]
    aside = rng.standard_normal((_MADE, queries.shape[1]))
    if bank is not None:
        aside = bank[rng.integers(0, len(bank), _MADE)] + aside * (0.5 / np.sqrt(aside.shape[1]))
    aside = aside - np.einsum("ij,ij->i", aside, near)[:, None] * near
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    made = (cosine * near + np.sqrt(1 - cosine**2) * aside).astype(np.float32)
    seen = cosines(supports, made, None)
    best: Values = (
        seen._replace(background=np.full(_MADE, background, dtype=np.float32))
        .evidence()
        .max(axis=1)
    )
    return _Made(made, best)


def _joined(parts: list[Values]) -> Values:
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _some(values: Values, rng: np.random.Generator) -> Values:
    return values if len(values) <= 20_000 else rng.choice(values, 20_000, replace=False)
