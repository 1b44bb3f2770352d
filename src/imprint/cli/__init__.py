"""The command line: one thin function per verb, each module loaded only when its verb is asked for.

`imprint --help` imports click and nothing else; the table below holds the short help of every verb
so that listing them loads none of them (a test keeps the table and the verbs in agreement).
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import Session, help_of, run

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("imprint.cli.judge", "See one-example learning work, live, in under a minute."),
    "teach": ("imprint.cli.teach", "Teach a class from one example."),
    "classify": ("imprint.cli.teach", "Say which taught class a source belongs to, or none."),
    "verify": ("imprint.cli.teach", "Check one source against one class (1:1)."),
    "forget": ("imprint.cli.teach", "Remove a class or a single support."),
    "feedback": ("imprint.cli.teach", "Tell Imprint what an answer should have been."),
    "validate": ("imprint.cli.review", "Tell what teaching an example would lead to."),
    "quarantine": ("imprint.cli.review", "Review what is held: list, show, release, reject."),
    "revert": ("imprint.cli.review", "Go back to an earlier write; undoable."),
    "collections": ("imprint.cli.browse", "List, create and drop collections."),
    "labels": ("imprint.cli.browse", "List the classes of a collection."),
    "supports": ("imprint.cli.browse", "List what was taught to a collection."),
    "export": ("imprint.cli.browse", "Write a collection to a bundle that answers the same."),
    "import": ("imprint.cli.bulk", "Teach a whole folder or table; resumable."),
    "report": ("imprint.cli.advise", "Expected accuracy, confusions, what to teach next."),
    "advise": ("imprint.cli.advise", "Say which unlabeled items to label next."),
    "evaluate": ("imprint.cli.judge", "Measure few-shot accuracy on labelled material."),
    "bench": ("imprint.cli.bench", "Put material to the test: poisoning attacks."),
    "train": ("imprint.cli.train", "Train an encoder on your own classes."),
    "models": ("imprint.cli.models", "List, fetch and add encoders."),
    "serve": ("imprint.cli.serve", "Start the HTTP server."),
    "keys": ("imprint.cli.access.keys", "Create, list, rotate and revoke API keys."),
    "tenant": ("imprint.cli.access.tenant", "What a tenant holds, and its limits."),
    "encrypt": ("imprint.cli.custody.keys", "Encrypt what is kept, and change data keys."),
    "backup": ("imprint.cli.custody.backup", "Copy the workspace while it is in use."),
    "restore": ("imprint.cli.custody.backup", "Make a workspace of a backup."),
    "sweep": ("imprint.cli.custody.backup", "Erase what was forgotten long ago."),
    "audit": ("imprint.cli.custody.audit", "List, verify and export the audit trail."),
    "doctor": ("imprint.cli.judge", "Check this machine and the workspace, with advice."),
}


class App(click.Group):
    """The root group: finds verbs by name and turns every failure into one line and a code."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Name the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds a verb; None when there is no such verb."""
        place = VERBS.get(cmd_name)
        if place is None:
            return None
        command: click.Command = getattr(importlib.import_module(place[0]), f"{cmd_name}_verb")
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List verbs from the table, importing none of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        """Run one verb and leave the process with its exit code."""
        if "_IMPRINT_COMPLETE" in os.environ:  # shell completion speaks click's own protocol
            return super().main(args, "imprint", complete_var="_IMPRINT_COMPLETE", **extra)
        words = list(sys.argv[1:] if args is None else args)
        session = Session(json=wants_json(words))
        sys.exit(run(session, lambda: self._invoke(words, session)))

    def _invoke(self, words: list[str], session: Session) -> int:
        try:
            with self.make_context("imprint", words, obj=session) as ctx:
                code = self.invoke(ctx)
        except click.exceptions.Exit as leaving:
            return leaving.exit_code
        return code if isinstance(code, int) else 0


def wants_json(words: Sequence[str]) -> bool:
    """Tell whether `--json` was asked for, even when the rest of the line cannot be parsed."""
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options


def _version(ctx: click.Context, _: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"imprint {version('imprint')}")
        ctx.exit()


@click.command(
    cls=App,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    epilog="Exit codes: 0 ok, 1 unexpected, 2 usage, 3 invalid input, 4 not found, 5 conflict, "
    "6 denied, 7 busy, 8 corrupt, 130 interrupted, 141 reader gone.",
)
@click.option(
    "--home",
    metavar="DIR",
    help="Folder of the workspace (or IMPRINT_HOME; default ./imprint-data).",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and leave.",
)
@click.pass_obj
def app(session: Session, home: str | None) -> None:
    r"""Teach a class from one example and recognize it a second later.

    \b
    Example:
      imprint teach pets biscuit biscuit.jpg
      imprint classify pets garden.jpg
    """
    session.home = home or session.home


app.help = help_of(app.callback)


def main() -> None:
    """Entry point of the `imprint` command."""
    # Before numpy is loaded: requests are spread over threads already, and a BLAS that spreads each
    # product again spins on busy cores (25 times slower was measured). A setting of yours stays.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app()
