"""Heads with one weight row per class, where a change of one class changes one row.

What is expensive (a covariance, fitted weights) is a `Rule`, made once by a fit. The rule turns a
class's sum and count into its row, so a taught or forgotten support moves its class at once under
the rule at hand, and the other classes not at all, until the next fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities

Row = tuple[npt.NDArray[np.float32], float]  # weights (d,) and bias of one class


class Rule(Protocol):
    """How queries become features and a class becomes a row."""

    def features(self, queries: QueryVectors) -> npt.NDArray[np.float32]:
        """Map queries into the space of the weight rows: (n_query, d)."""
        ...

    def row(self, total: npt.NDArray[np.float64], count: int, label: str) -> Row:
        """Weights and bias of a class with this sum and number of supports."""
        ...


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Scores are features times weight rows plus biases."""

    name: str
    spread: float
    make_rule: Callable[[SupportSet], Rule]
    rule: Rule | None = None
    weights: RowBlocks | None = None
    biases: npt.NDArray[np.float32] | None = None

    def fitted(self, supports: SupportSet) -> LinearHead:
        """Make the rule from all supports, and every class's row by it."""
        rule = self.make_rule(supports)
        made = [
            rule.row(total, int(count), label)
            for total, count, label in zip(
                supports.sums, supports.counts, supports.labels, strict=True
            )
        ]
        rows = np.stack([weights for weights, _ in made]) if made else None
        weights = RowBlocks.of(rows) if rows is not None else RowBlocks(supports.rows.width)
        biases = np.array([bias for _, bias in made], dtype=np.float32)
        return replace(self, rule=rule, weights=weights, biases=biases)

    def changed(self, supports: SupportSet, number: int) -> LinearHead:
        """Follow a change of class `number`: one row made again, appended or dropped."""
        if self.rule is None or self.weights is None or self.biases is None:
            return self.fitted(supports)
        if supports.n_way < len(self.weights):
            keep = np.delete(np.arange(len(self.weights)), number)
            weights = RowBlocks.of(self.weights.matrix()[keep])
            return replace(self, weights=weights, biases=self.biases[keep])
        label, count = supports.labels[number], int(supports.counts[number])
        row, bias = self.rule.row(supports.sums[number], count, label)
        if number == len(self.weights):
            biases = np.append(self.biases, np.float32(bias))
            return replace(self, weights=self.weights.appended(row), biases=biases)
        biases = self.biases.copy()
        biases[number] = bias
        return replace(self, weights=self.weights.replaced(number, row), biases=biases)

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,  # noqa: ARG002 - part of the protocol
    ) -> Scores:
        """Score each class: (n_query, n_way)."""
        if self.rule is None or self.weights is None or self.biases is None:
            return self.fitted(supports).scores(supports, queries)
        scores: Scores = self.weights.dot(self.rule.features(queries)) + self.biases
        return scores
