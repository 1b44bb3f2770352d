"""The record of a run started here, and the words that start it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.cli.session import Progress, Session
    from imprint.train.tracking import Tracker

ALWAYS = ("seed",)  # said even when it is the default, which may change


def tracker_of(session: Session, folder: Path, progress: Progress) -> Tracker:
    """Keeps the run of the command being run; the folder of its checkpoints is `folder`."""
    from imprint.train.tracking import Tracker

    def say(text: str) -> None:
        progress.clear()
        session.note(text)

    return Tracker(
        session.settings().runs,
        command=words_of(click.get_current_context()),
        beside=folder,
        say=say,
    )


def words_of(context: click.Context) -> list[str]:
    """The command line of a run as it would be typed again, with all that differs from defaults.

    It names a folder of its own, because the run's is taken, and does not resume.
    """
    words = context.command_path.split()
    for one in context.command.params:
        value = context.params.get(one.name or "")
        if not isinstance(one, click.Option) or one.name == "resume":
            continue
        if one.name == "out":
            value = f"{value}-again"
        if value is not None and (one.name in ALWAYS or value != one.get_default(context)):
            words += _said(one, value)
    return words


def _said(option: click.Option, value: Any) -> list[str]:
    if option.is_flag:
        names = option.opts if value else option.secondary_opts
        return names[:1]
    several = value if option.multiple else [value]
    return [word for one in several for word in (option.opts[0], str(one))]
