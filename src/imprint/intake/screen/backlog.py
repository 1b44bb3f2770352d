"""What is held already says something about what comes next.

Now and then a genuine example is held. Many held in a row are an attack, or a class that does not
mean one thing: then what slips through would add up. A class with more held than answering examples
takes no more until somebody looked, and a collection with half as many held as answering is strict.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from imprint.intake.verdict import measured
from imprint.types import Check

_FEWEST_OF_CLASS: Final = 4
_FEWEST, _SHARE = 8, 0.5


class Backlog(NamedTuple):
    """How many supports await review: in the collection, and under one label."""

    n_held: int = 0
    n_of_class: int = 0

    def is_pressing(self, n_active: int) -> bool:
        """Whether so much is held that doubtful examples had better be held, too."""
        return self.n_held > max(_FEWEST, _SHARE * n_active)


def backlog_check(backlog: Backlog, n_own: int) -> Check:
    """Hold what is taught to a class of `n_own` supports of which more than that are held."""
    return measured(
        "backlog",
        backlog.n_of_class,
        max(_FEWEST_OF_CLASS, n_own),
        "more examples of this class are held than answer; review those first",
        bad="quarantine",
    )
