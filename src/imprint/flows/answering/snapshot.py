"""Derived state of one collection: what answers are made from, at one sequence.

A snapshot is frozen. Writers build the next one from the last and swap it in; readers keep the
one they took. Everything here can be thrown away and rebuilt from the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imprint.errors import OpposedSupportsError
from imprint.flows.answering.provenance import is_generated
from imprint.heads.decider import Decider
from imprint.index.exact import ExactIndex
from imprint.types import Evidence
from imprint.vectors import RowBlocks, stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.flows.policy import Policy
    from imprint.heads.calibration import Calibration
    from imprint.store.ports import Change
    from imprint.types import QueryVectors, Similarities, UnitVectors

# One fixed seed: a calibration is a function of the supports alone, so every process that
# calibrates the same supports gets the same thresholds, and replay can fit them again.
CALIBRATION_SEED = 20260501
# Above this share of changed rows, building anew is cheaper than applying changes one by one.
_REBUILD_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Index and decider over the active supports and negatives after write `sequence`.

    `generation` is the sequence the decider's calibration was fitted at.
    """

    index: ExactIndex
    decider: Decider
    sequence: int
    generation: int

    @classmethod
    def build(
        cls,
        changes: Sequence[Change],
        *,
        dim: int,
        policy: Policy,
        background: UnitVectors | None,
        sequence: int,
        saved: tuple[int, Calibration] | None = None,
    ) -> Snapshot:
        """Build from all live supports; `saved` is a calibration to use instead of fitting one."""
        live = [change for change in changes if _answers(change)]
        return cls.of(
            stacked((change.vector for change in live), dim),
            [change.support_id for change in live],
            [change.label for change in live],
            policy,
            background,
            calibration=saved[1] if saved else None,
            sequence=sequence,
            generation=saved[0] if saved else sequence,
        )

    @classmethod
    def of(
        cls,
        vectors: UnitVectors,
        support_ids: Sequence[str],
        labels: Sequence[str | None],
        policy: Policy,
        background: UnitVectors | None,
        *,
        calibration: Calibration | None,
        sequence: int,
        generation: int,
    ) -> Snapshot:
        """Put together from its parts, rows in the given order; without a calibration, fit one."""
        rows = RowBlocks.of(vectors)
        decider = Decider.fit(
            rows,
            labels,
            head=policy.head,
            false_accept_rate=policy.false_accept_rate,
            background=background,
            calibration=calibration,
            rng=np.random.default_rng(CALIBRATION_SEED),
        )
        return cls(ExactIndex.over(support_ids, rows), decider, sequence, generation)

    def with_changes(self, changes: Sequence[Change], sequence: int) -> Snapshot | None:
        """Apply changes in order; None when building anew is the better way."""
        if len(changes) > max(32, _REBUILD_SHARE * len(self.index)):
            return None
        snapshot = self
        try:
            for change in changes:
                snapshot = snapshot._with_change(change)
        except OpposedSupportsError:
            # Two writers taught opposite supports at once; building anew gives that class no
            # direction until it is taught again, and every other class its answers.
            return None
        return replace(snapshot, sequence=sequence)

    def recalibrated(self) -> Snapshot:
        """Fit thresholds and confidence to the supports of this snapshot."""
        decider = self.decider.recalibrated(np.random.default_rng(CALIBRATION_SEED))
        return replace(self, decider=decider, generation=self.sequence)

    def nearest(
        self, queries: QueryVectors, k: int, similarities: Similarities | None = None
    ) -> list[tuple[Evidence, ...]]:
        """Nearest supports of each query; negatives and generated supports are no evidence."""
        labels, row_class = self.decider.labels, self.decider.supports.row_class
        n_negatives = int(np.count_nonzero(row_class < 0))
        found = self.index.nearest(queries, k + n_negatives, similarities)
        if any(is_generated(support_id) for hits in found for _, support_id, _ in hits):
            # Counted only where some are met: most collections hold none.
            n_generated = sum(map(is_generated, self.index.ids))
            found = self.index.nearest(queries, k + n_negatives + n_generated, similarities)
        return [
            tuple(
                Evidence(support_id, labels[row_class[row]], similarity)
                for row, support_id, similarity in hits
                if row_class[row] >= 0 and not is_generated(support_id)
            )[:k]
            for hits in found
        ]

    def _with_change(self, change: Change) -> Snapshot:
        snapshot = self
        if change.support_id in self.index:
            row = self.index.row_of(change.support_id)
            if _answers(change) and self.decider.row_labels[row] == change.label:
                return self
            # Gone, held, or of another class now: in that case it comes back as its last row.
            without = self.decider.removed(row)
            index = self.index.without(change.support_id, without.rows)
            snapshot = replace(self, index=index, decider=without)
        if not _answers(change):
            return snapshot
        decider = snapshot.decider.added(change.vector, change.label)
        grown = snapshot.index.continued(change.support_id, decider.rows)
        return replace(snapshot, index=grown, decider=decider)


def _answers(change: Change) -> bool:
    return not change.removed and change.state == "active"
