"""Verbs that put a collection to the test: bench."""

from __future__ import annotations

from imprint.cli.bench.poisoning import poisoning_verb
from imprint.cli.session import verbs


@verbs("bench")
def bench_verb() -> None:
    r"""Put your own material or a collection to the test.

    \b
    Example:
      imprint bench poisoning --data train.csv --quick
    """


bench_verb.add_command(poisoning_verb)
