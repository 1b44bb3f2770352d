"""The train verbs: one per method, and what else belongs to making encoders.

Each module below adds its commands to the group; none of them imports torch before it runs.
"""

from __future__ import annotations

from imprint.cli.session import verbs


@verbs("train")
def train_verb() -> None:
    r"""Train a network on your own classes, by the method named; needs the train extra.

    \b
    Example:
      imprint train prototypical --data photos/ --out runs/first --minutes 20
    """


def _filled() -> None:
    from imprint.cli.train import adapt, compress, extend, run, runs

    for room in (run, adapt, compress, extend, runs):
        for command in room.COMMANDS:
            train_verb.add_command(command)


_filled()
