"""The report on a collection: how good each class is, what will be confused, what to teach next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.heads.decider import Decider
from imprint.measure.expectation import Expectation, Expected, expect
from imprint.types import as_json
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from imprint.flows.answering.snapshot import Snapshot
    from imprint.flows.judging.staleness import Staleness
    from imprint.flows.teaching.feedback import LiveAccuracy
    from imprint.types import QueryVectors, SupportLabels, SupportVectors

_SEED: Final = 20260502
# Texts and pictures this near say the same thing twice (cosine).
NEAR_DUPLICATE: Final = 0.98
_MOST_COMPARED: Final = 4000
_MOST_LISTED: Final = 50
_LEAST_CONFUSED: Final = 0.05


class Confusion(NamedTuple):
    """Share of queries of a class that would be answered with another."""

    label: str
    taken_for: str
    share: float


class Misleading(NamedTuple):
    """A support that looks like another class: as a query it would be answered with that one."""

    support_id: str
    label: str
    looks_like: str


class Duplicate(NamedTuple):
    """Two supports that say the same thing; under two labels they contradict each other."""

    support_id: str
    other_id: str
    label: str
    other_label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class: expected accuracy with its 95 % interval, and what one more support would add."""

    label: str
    n_supports: int
    expected: Expected
    one_more: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a collection is worth, estimated from its supports alone; no query is needed.

    `expected` is the accuracy to expect on queries of the taught classes when an answer must be
    given, `live` that of real answers by the feedback on them; `teach_next` names the classes
    where one more support helps most, best first; `staleness` says how old what is taught is.
    """

    collection: str
    encoder_version: str
    head: str
    sequence: int
    false_accept_rate: float
    expected: Expected | None
    classes: tuple[ClassReport, ...]
    confusions: tuple[Confusion, ...]
    misleading: tuple[Misleading, ...]
    duplicates: tuple[Duplicate, ...]
    teach_next: tuple[str, ...]
    live: LiveAccuracy | None = None
    staleness: Staleness | None = None

    def to_json(self) -> dict[str, Any]:
        """Shape this report as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape

    def to_text(self) -> str:
        """Shape this report as a terminal table."""
        lines = [f"{self.collection}: {len(self.classes)} classes, head {self.head}"]
        if self.expected is not None:
            mean, low, high = self.expected
            lines.append(f"expected accuracy {mean:.0%} (95 % interval {low:.0%} to {high:.0%})")
        if self.live is not None:
            seen = self.live
            lines.append(
                f"right in {seen.mean:.0%} of the {seen.n_answers} answers with feedback "
                f"({seen.low:.0%} to {seen.high:.0%})"
            )
        if self.staleness is not None:
            lines.append(self.staleness.to_text())
        weakest = sorted(self.classes, key=lambda one: one.expected.mean)[:_MOST_LISTED]
        width = max((len(one.label) for one in weakest), default=5)
        lines += [
            f"  {one.label:<{width}}  {one.n_supports:>5} supports  {one.expected.mean:>4.0%} "
            f"({one.expected.low:.0%} to {one.expected.high:.0%})  one more: +{one.one_more:.1%}"
            for one in weakest
        ]
        lines += [f"confused: {a} taken for {b}, {share:.0%}" for a, b, share in self.confusions]
        lines += [
            f"misleading: {support_id} is taught as {label} and looks like {other}"
            for support_id, label, other in self.misleading
        ]
        lines += [
            f"duplicate: {d.support_id} ({d.label}) and {d.other_id} ({d.other_label})"
            for d in self.duplicates
        ]
        if self.teach_next:
            lines.append(f"teach next: {', '.join(self.teach_next[:5])}")
        return "\n".join(lines)


def report_on(name: str, encoder_version: str, snapshot: Snapshot, rate: float) -> Report:
    """Judge a snapshot. Costs a few fits of its head; seconds at 10,000 supports."""
    decider = snapshot.decider
    taught = np.flatnonzero(decider.supports.row_class >= 0)
    vectors = decider.rows.matrix()[taught]
    classes = decider.supports.row_class[taught]
    ids = [snapshot.index.ids[row] for row in taught.tolist()]
    judged = _judged(decider, vectors, classes) if len(decider.labels) > 1 else None
    found = _classes(decider, judged)
    best_first = sorted(found, key=lambda one: -one.one_more)
    return Report(
        collection=name,
        encoder_version=encoder_version,
        head=decider.calibration.head,
        sequence=snapshot.sequence,
        false_accept_rate=rate,
        expected=judged.overall if judged else None,
        classes=found,
        confusions=_confusions(decider.labels, judged),
        misleading=_misleading(decider.labels, classes, ids, judged),
        duplicates=_duplicates(decider.labels, vectors, classes, ids),
        teach_next=tuple(one.label for one in best_first if one.one_more > 0),
    )


def _judged(decider: Decider, vectors: SupportVectors, classes: SupportLabels) -> Expectation:
    def predict(
        kept: SupportVectors, numbers: SupportLabels, queries: QueryVectors
    ) -> npt.NDArray[np.intp]:
        fitted = Decider.fit(
            RowBlocks.of(np.ascontiguousarray(kept)),
            [str(number) for number in numbers.tolist()],
            head=decider.requested,
            false_accept_rate=decider.calibration.false_accept_rate,
            background=decider.bank,
            calibration=decider.calibration,
        )
        columns = np.array([int(label) for label in fitted.labels], dtype=np.intp)
        best: npt.NDArray[np.intp] = columns[fitted.probabilities(queries).argmax(axis=1)]
        return best

    return expect(vectors, classes, predict, decider.bank, np.random.default_rng(_SEED))


def _classes(decider: Decider, judged: Expectation | None) -> tuple[ClassReport, ...]:
    counts = decider.supports.counts.tolist()
    # With one class there is nothing to confuse it with: the accuracy is one, and says nothing.
    alone = Expected(1.0, 0.0, 1.0)
    return tuple(
        ClassReport(
            label,
            counts[c],
            judged.per_class[c] if judged else alone,
            judged.one_more[c] if judged else 0.0,
        )
        for c, label in enumerate(decider.labels)
    )


def _confusions(labels: tuple[str, ...], judged: Expectation | None) -> tuple[Confusion, ...]:
    if judged is None:
        return ()
    pairs = np.argwhere(judged.confused >= _LEAST_CONFUSED)
    found = [Confusion(labels[a], labels[b], float(judged.confused[a, b])) for a, b in pairs]
    return tuple(sorted(found, key=lambda one: -one.share)[:_MOST_LISTED])


def _misleading(
    labels: tuple[str, ...],
    classes: SupportLabels,
    ids: list[str],
    judged: Expectation | None,
) -> tuple[Misleading, ...]:
    misled = judged.misled if judged else ()
    return tuple(
        Misleading(ids[row], labels[classes[row]], labels[given])
        for row, given in misled[:_MOST_LISTED]
    )


def _duplicates(
    labels: tuple[str, ...], vectors: SupportVectors, classes: SupportLabels, ids: list[str]
) -> tuple[Duplicate, ...]:
    some = vectors[:_MOST_COMPARED]
    if len(some) < 2:
        return ()
    near = np.triu(some @ some.T, 1)
    pairs = np.argwhere(near >= NEAR_DUPLICATE)
    found = [
        Duplicate(ids[a], ids[b], labels[classes[a]], labels[classes[b]], float(near[a, b]))
        for a, b in pairs.tolist()
    ]
    # Contradictions first, then the nearest.
    return tuple(
        sorted(found, key=lambda one: (one.label == one.other_label, -one.similarity))[
            :_MOST_LISTED
        ]
    )
