"""The one thing flows ask: queries in, decisions with calibrated confidence out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError, LabelNotFoundError, VectorError
from imprint.heads.auto import HEADS, choose
from imprint.heads.calibration import Calibration, Values
from imprint.heads.decision import Check, Decision, Weighed
from imprint.heads.fitted.logistic import softmax
from imprint.heads.fitted.transductive import informed
from imprint.heads.nearest import NearestHead
from imprint.heads.open_set import Cosines, contest, cosines, thinned
from imprint.heads.prototype import PrototypeHead
from imprint.heads.simulation.contests import rivalry
from imprint.heads.supports import SupportSet
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.heads.protocol import Head
    from imprint.types import (
        Probabilities,
        QueryVectors,
        Scores,
        Similarities,
        SupportVectors,
        UnitVector,
        UnitVectors,
    )

# How fast a negative nearer than any support of the best class turns the answer to unknown.
_NEGATIVE_SLOPE: Final = 40.0
# A query this near a support is that very sample again (float32 leaves an error of about 1e-6).
_REPEATED: Final = 0.9995


@dataclass(frozen=True, slots=True)
class Decider:
    """A head over supports with its calibration. Frozen: every change makes a new one.

    `requested` is the head asked for, "auto" included; `head` the one that answers.
    """

    supports: SupportSet
    head: Head
    calibration: Calibration
    requested: str = "auto"
    bank: UnitVectors | None = field(default=None, repr=False)
    n_changes: int = 0

    @classmethod
    def fit(
        cls,
        rows: RowBlocks | SupportVectors,
        labels: Sequence[str | None],
        *,
        head: str = "auto",
        false_accept_rate: float = 0.05,
        background: UnitVectors | None = None,
        calibration: Calibration | None = None,
        rng: np.random.Generator | None = None,
    ) -> Decider:
        """Build from all supports at once; None as a label means "not any of these".

        Args:
            rows: unit rows, one per support.
            labels: their labels, in the same order.
            head: name of a head, or "auto".
            false_accept_rate: share of queries of no class that may be answered with one.
            background: unit vectors of no particular class, from the encoder.
            calibration: an earlier fit to go on with; fitted now when absent, or when it is of
                another head or rate.
            rng: for the simulated episodes; a fixed seed when absent.

        Raises:
            InvalidOptionError: no such head, or a rate outside 0.001 .. 0.5.
            VectorError: rows that are no unit vectors, or not as many as labels.
        """
        if head not in HEADS:
            raise InvalidOptionError(f"no head {head!r}; there are {', '.join(sorted(HEADS))}")
        if not 0.001 <= false_accept_rate <= 0.5:
            raise InvalidOptionError(f"false_accept_rate {false_accept_rate} is not 0.001 .. 0.5")
        blocks = rows if isinstance(rows, RowBlocks) else RowBlocks.of(_checked_rows(rows))
        bank = thinned(background, blocks.width)
        supports = SupportSet.of(blocks, labels, _anchor(bank))
        if calibration is not None and _fits(calibration, head, false_accept_rate):
            changed = abs(supports.n_rows - calibration.n_supports)
            fitted = HEADS[calibration.head]().fitted(supports)
            return cls(supports, fitted, calibration, head, bank, changed)
        chosen = choose(head, supports, bank, false_accept_rate, rng or np.random.default_rng(0))
        return cls(supports, chosen.head, chosen.calibration, head, bank)

    @property
    def rows(self) -> RowBlocks:
        """Support vectors, row by row."""
        return self.supports.rows

    @property
    def row_labels(self) -> tuple[str | None, ...]:
        """Label of each row, None for negatives."""
        return self.supports.row_labels()

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes, in order of first teaching."""
        return self.supports.labels

    @property
    def n_rows(self) -> int:
        """Supports held, negatives included."""
        return self.supports.n_rows

    def added(self, vector: UnitVector, label: str | None) -> Decider:
        """Return this decider with one more support, as its last row.

        A head with fitted weights follows with the class's own row at once; what it learned of
        the other classes stays until `recalibrated`.

        Raises:
            OpposedSupportsError: the class's supports would cancel out.
            VectorError: the vector has another width.
        """
        grown = self.supports.added(vector, label)
        head = self.head if label is None else self.head.changed(grown, grown.labels.index(label))
        return replace(self, supports=grown, head=head, n_changes=self.n_changes + 1)

    def removed(self, row: int) -> Decider:
        """Return this decider without one support; the last row takes its place."""
        shrunk = self.supports.removed(row)
        number = int(self.supports.row_class[row])
        head = self.head if number < 0 else self.head.changed(shrunk, number)
        return replace(self, supports=shrunk, head=head, n_changes=self.n_changes + 1)

    def is_stale(self) -> bool:
        """Whether a tenth of supports or classes changed since the calibration was fitted."""
        return self.calibration.is_stale(self.n_rows, self.supports.n_way, self.n_changes)

    def recalibrated(self, rng: np.random.Generator) -> Decider:
        """Return this decider fitted anew: head chosen, weights, thresholds, probabilities."""
        rate = self.calibration.false_accept_rate
        chosen = choose(self.requested, self.supports, self.bank, rate, rng)
        return replace(self, head=chosen.head, calibration=chosen.calibration, n_changes=0)

    def decide(
        self,
        queries: QueryVectors,
        *,
        top_k: int = 5,
        support_similarities: Similarities | None = None,
        transductive: bool = False,
    ) -> list[Decision]:
        """Decide each query.

        Args:
            queries: unit rows.
            top_k: candidates to name, best first.
            support_similarities: cosine with each row, when the index has them already.
            transductive: let the queries of this call inform each other. Which classes come first
                then depends on what is asked together; what is unknown does not. One query alone
                and a single class are answered as without it.
        """
        queries = self._checked(queries)
        if not self.supports.n_way:
            return [Decision("unknown", None, 0.0, 0.0, ())] * len(queries)
        seen = cosines(self.supports, queries, self.bank, support_similarities)
        weighed = self._weighed(queries, seen, support_similarities)
        if transductive:
            weighed = self._together(queries, weighed)
        repeats: npt.NDArray[np.bool_] = np.greater_equal(seen.nearest, _REPEATED)
        if repeats.any():
            weighed = weighed.as_taught(repeats)
        kept = self._not_negative(queries, weighed.scores, support_similarities)
        weighed = weighed._replace(known=weighed.known * kept)
        if self.supports.n_way == 1:
            # With nothing to compare, being right is being known.
            weighed = weighed._replace(shares=weighed.known[:, None])
        return weighed.decisions(self.labels, seen.plain, top_k, self.calibration.known_limit)

    def probabilities(self, queries: QueryVectors, *, transductive: bool = False) -> Probabilities:
        """Probability of each class, given that the query is of one: (n_query, n_way).

        Columns follow `labels`. The same numbers as the candidates of `decide` (but one where a
        single class is taught, and without its rule for repeated supports), for callers that need
        all classes of many queries as one array.
        """
        queries = self._checked(queries)
        if not self.supports.n_way:
            return np.empty((len(queries), 0), dtype=np.float32)
        if transductive:
            seen = cosines(self.supports, queries, self.bank)
            return self._together(queries, self._weighed(queries, seen, None)).shares
        return self.calibration.class_probabilities(self.head.scores(self.supports, queries))

    def verify(self, queries: QueryVectors, label: str) -> list[Check]:
        """Check each query against one class.

        Raises:
            LabelNotFoundError: no such class.
        """
        if label not in self.labels:
            raise LabelNotFoundError("no such class in this collection")
        queries = self._checked(queries)
        number = self.labels.index(label)
        seen = cosines(self.supports, queries, self.bank)
        evidence = seen.evidence()[:, number]
        own = np.full((len(queries), self.supports.n_way), -np.inf, dtype=np.float32)
        own[:, number] = evidence
        known = self.calibration.verified(evidence)
        known[seen.nearest[:, number] >= _REPEATED] = 1.0
        confidence = known * self._not_negative(queries, own, None)
        limit = self.calibration.verified_limit
        return [Check(value >= limit, value, limit) for value in confidence.tolist()]

    def _weighed(
        self, queries: QueryVectors, seen: Cosines, similarities: Similarities | None
    ) -> Weighed:
        scores = self._scores(queries, seen, similarities)
        shares = self.calibration.class_probabilities(scores)
        familiarity = seen.evidence().max(axis=1)
        if weight := self.calibration.contest_weight:
            sharpness = self.calibration.sharpness
            logits = rivalry(self.head, self.supports, queries, sharpness, scores)
            familiarity = familiarity + weight * contest(softmax(logits))
        return Weighed(scores, shares, self.calibration.known(familiarity))

    def _together(self, queries: QueryVectors, weighed: Weighed) -> Weighed:
        """Let queries inform each other, each as far as it is likely of a taught class."""
        sharpness = np.float32(self.calibration.sharpness)
        features = queries - self.supports.center()
        features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
        scores = informed(features, sharpness * weighed.scores, weighed.known) / sharpness
        return weighed._replace(scores=scores, shares=self.calibration.class_probabilities(scores))

    def _scores(
        self, queries: QueryVectors, seen: Cosines, similarities: Similarities | None
    ) -> Scores:
        """Head scores, taken from the cosines at hand where they are the same thing."""
        if isinstance(self.head, PrototypeHead):
            return seen.centered if self.head.centered else seen.plain
        if isinstance(self.head, NearestHead):
            return seen.nearest
        return self.head.scores(self.supports, queries, similarities)

    def _checked(self, queries: QueryVectors) -> QueryVectors:
        queries = np.atleast_2d(np.asarray(queries, dtype=np.float32))
        if queries.shape[1] != self.rows.width:
            raise VectorError(
                f"queries have width {queries.shape[1]}, supports {self.rows.width}; "
                "embed both with the same encoder"
            )
        if not np.isfinite(queries).all():
            raise VectorError("a query holds NaN or infinity; remove it or impute it first")
        return queries

    def _not_negative(
        self, queries: QueryVectors, scores: Scores, similarities: Similarities | None
    ) -> Values:
        """One, falling towards zero where a negative is nearer than the best class."""
        if not (self.supports.row_class < 0).any():
            return np.ones(len(queries), dtype=np.float32)
        near = self.rows.dot(queries) if similarities is None else similarities
        negative = self.supports.best_negative(near)
        per_class = self.supports.best_per_class(near)
        positive = per_class[np.arange(len(queries)), scores.argmax(axis=1)]
        gap = np.clip(_NEGATIVE_SLOPE * (positive - negative), -30, 30)
        kept: Values = 1 / (1 + np.exp(-gap))
        return kept


def _fits(calibration: Calibration, head: str, false_accept_rate: float) -> bool:
    same_head = head in ("auto", calibration.head) and calibration.head in HEADS
    return same_head and calibration.false_accept_rate == false_accept_rate


def _anchor(bank: UnitVectors | None) -> UnitVector | None:
    return None if bank is None or not len(bank) else bank.mean(axis=0)


def _checked_rows(rows: SupportVectors) -> SupportVectors:
    made = np.atleast_2d(np.asarray(rows, dtype=np.float32))
    if not np.isfinite(made).all():
        raise VectorError("a support vector holds NaN or infinity; remove it or impute it first")
    return made
