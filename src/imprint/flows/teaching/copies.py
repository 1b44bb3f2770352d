"""Is a lesson a copy of what is taught, changed a little? Compared with the samples themselves.

Only the nearest supports are compared, so it costs the same however large a collection is. Where a
collection keeps embeddings only there is nothing to compare with, and the check is not made.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from imprint.errors import ImprintError
from imprint.intake.decode import to_sample
from imprint.intake.screen.likeness import COPY_FROM, alike, likeness_of
from imprint.intake.verdict import measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.teach import Lesson
    from imprint.intake.screen.likeness import Likeness
    from imprint.types import Check, CheckVerdict

_N_NEAREST: Final = 6
# A copy is never so far from what it copies; what is farther need not be read.
_LEAST_COSINE: Final = {"text": 0.4, "image": 0.7}
_MOST_KEPT: Final = 4096
_HINT: Final = (
    "but for small changes it is a sample that is taught under another label; keep one label, "
    "forget the other"
)


class _Found(NamedTuple):
    own: float
    other: float


class Copies:
    """Compares lessons with supports, and remembers what it read of them. Safe to share."""

    def __init__(self) -> None:
        self._known: dict[str, Likeness | None] = {}
        self._lock = threading.Lock()

    def checks(
        self, live: LiveCollection, lesson: Lesson, before: Sequence[Lesson]
    ) -> tuple[Check, ...]:
        """One check, or none where there is nothing to compare; `before` are of the same batch."""
        mine = likeness_of(lesson.sample)
        if mine is None:
            return ()
        found = _Found(-1.0, -1.0)
        for label, theirs in self._near(live, lesson, before):
            if label == lesson.label:
                found = found._replace(own=max(found.own, alike(mine, theirs)))
            else:
                found = found._replace(other=max(found.other, alike(mine, theirs)))
        if found.other < 0:
            return ()
        bad: CheckVerdict = "quarantine" if found.other >= found.own else "warn"
        limit = COPY_FROM[lesson.sample.modality]
        return (measured("copy", found.other, limit, _HINT, bad=bad),)

    def _near(
        self, live: LiveCollection, lesson: Lesson, before: Sequence[Lesson]
    ) -> Iterator[tuple[str | None, Likeness]]:
        least = _LEAST_COSINE[lesson.sample.modality]
        vector, snapshot = lesson.embedding.vector, live.level()
        (near,) = snapshot.nearest(vector[None], _N_NEAREST)
        self._forget_those_gone(set(snapshot.index.ids))
        for one in near:
            if one.similarity >= least:
                theirs = self._likeness(live, one.support_id)
                if theirs is not None:
                    yield one.label, theirs
        if before:
            cosines = np.stack([one.embedding.vector for one in before]) @ vector
            for row in np.argsort(-cosines)[:_N_NEAREST].tolist():
                theirs = likeness_of(before[row].sample) if cosines[row] >= least else None
                if theirs is not None:
                    yield before[row].label, theirs

    def _likeness(self, live: LiveCollection, support_id: str) -> Likeness | None:
        """Read a support's raw sample once; it goes nowhere but into this comparison."""
        with self._lock:
            if support_id in self._known:
                return self._known[support_id]
        found = None
        try:
            raw = live.tenant.raw(live.row.collection_id, support_id)
            if raw is not None:
                found = likeness_of(to_sample(raw, live.row.modality))
        except ImprintError:
            # Forgotten meanwhile, damaged, or masked to nothing: there is nothing to compare.
            found = None
        with self._lock:
            self._known[support_id] = found
        return found

    def _forget_those_gone(self, there: set[str]) -> None:
        """Keep nothing of supports that do not answer any more, and not more than so many."""
        with self._lock:
            gone = [one for one in self._known if one not in there]
            surplus = list(self._known)[: max(0, len(self._known) - _MOST_KEPT)]
            for support_id in {*gone, *surplus}:
                del self._known[support_id]
