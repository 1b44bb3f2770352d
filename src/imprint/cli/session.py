"""What every verb shares: the workspace it opens, where output goes, and how failure leaves.

Standard output carries the answer (with `--json` exactly one document); progress, notes and errors
go to standard error. Exit codes live only here.
"""

from __future__ import annotations

import errno
import inspect
import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.errors import (
    BusyError,
    ConflictError,
    CorruptError,
    DeniedError,
    ImprintError,
    InvalidInputError,
    NotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from imprint import Workspace
    from imprint.settings import Settings

OK, UNEXPECTED, USAGE, NOT_FOUND, BUSY, CORRUPT = 0, 1, 2, 4, 7, 8
INTERRUPTED = 130  # 128 + SIGINT
READER_GONE = 141  # 128 + SIGPIPE
FAMILIES: tuple[tuple[type[ImprintError], int], ...] = (
    (InvalidInputError, 3),
    (NotFoundError, NOT_FOUND),
    (ConflictError, 5),
    (DeniedError, 6),
    (BusyError, 7),
    (CorruptError, CORRUPT),
)
EPILOG = (
    "Exit codes: 0 ok, 1 unexpected, 2 usage, 3 invalid input, 4 not found, 5 conflict, 6 denied, "
    "7 busy, 8 corrupt."
)
SHOW_AFTER_S = 0.5
MODALITY_NAMES = ("image", "text", "audio")  # as in types, which would load numpy for --help


# An address of a back end is left to the store, which says what it can open.
_ADDRESS = re.compile(r"\w{2,}:/")


class Progress:
    """A bar on standard error: drawn on a terminal only, once the work takes noticeable time."""

    def __init__(self, label: str, total: int | None = None) -> None:
        self._label, self._total, self._done = label, total, 0
        self._started = self._drawn_at = time.monotonic()
        self._visible = sys.stderr.isatty()
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.clear()

    def at(self, done: int, total: int | None = None, label: str | None = None) -> None:
        """Say how far the work is."""
        self._done, self._total = done, total or self._total
        self._label = label or self._label
        now = time.monotonic()
        if self._visible and now - self._started > SHOW_AFTER_S and now - self._drawn_at > 0.1:
            self._drawn_at, self._drawn = now, True
            click.echo(f"\r{self._line(now)}\x1b[K", nl=False, err=True)

    def advance(self, by: int = 1) -> None:
        """Say that `by` more steps are done."""
        self.at(self._done + by)

    def heard(self, label: str, done: int, total: int) -> None:
        """Take progress as encoders report it: what is done, how much of how much."""
        self.at(done, total, label)

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        if self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._drawn = False

    def _line(self, now: float) -> str:
        if not self._total:
            return f"{self._label}  {self._done:,}"
        share = min(1.0, self._done / self._total)
        filled = round(24 * share)
        left_s = (now - self._started) / share * (1 - share) if share else 0.0
        bar = "#" * filled + "-" * (24 - filled)
        return f"{self._label}  [{bar}] {self._done:,}/{self._total:,}  {left_s:.0f} s left"


@dataclass
class Session:
    """One run of one verb: its flags, and the doors to the workspace and to the terminal."""

    json: bool = False
    home: str | None = None
    _progress: Progress | None = field(default=None, repr=False)

    def settings(self, access: str | None = None) -> Settings:
        """Read file, environment and flags."""
        from imprint.settings import read_settings

        return read_settings(home=self.home, access=access)

    def workspace(self, *, create: bool = True) -> Workspace:
        """Open the workspace of `--home`, showing encoder downloads and builds as they happen.

        Raises:
            NotFoundError: it is not there and `create` is False: reading never makes a folder.
        """
        import imprint

        settings = self.settings()
        home = Path(settings.home)
        if not create and not home.exists() and not _ADDRESS.match(str(home)):
            raise NotFoundError(
                "there is no workspace here yet; teach something first, or name another with --home"
            )
        self._progress = self._progress or Progress("preparing the encoder")
        return imprint.open(home, actor="cli", settings=settings, progress=self._progress.heard)

    def show(self, document: Any, text: str) -> None:
        """Print the answer: under `--json` the document (stage values will do), else the text."""
        if self._progress is not None:
            self._progress.clear()
        if self.json:
            from imprint.types import as_json

            text = json.dumps(as_json(document), ensure_ascii=False)
        click.echo(text)

    def note(self, text: str) -> None:
        """Say something beside the answer, on standard error."""
        if self._progress is not None:
            self._progress.clear()
        click.echo(text, err=True)

    def fail(self, code: str, message: str, checks: list[Any] | None = None, **more: Any) -> None:
        """Report a failure: one line on standard error, and a document under `--json`."""
        self.note(f"error: {' '.join(message.split())}")
        for check in checks or []:
            if check.get("verdict") != "pass":
                self.note(f"  {check['name']}: {check['hint']}")
        if self.json:
            error = {"code": code, "message": message, "checks": checks or [], **more}
            click.echo(json.dumps({"error": error}, ensure_ascii=False))


def verb(name: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a verb: adds `--home` and `--json`, hands the session over, states codes."""
    from imprint.cli import VERBS

    short = VERBS[name][1] if name in VERBS else None

    def made(function: Callable[..., Any]) -> click.Command:
        text = help_of(function)
        made_of = {"help": text, "short_help": short, "epilog": EPILOG, **settings}
        command: click.Command = click.command(name, cls=click.Command, **made_of)(
            click.pass_obj(function)
        )
        command.params += [_home(), _json()]
        return command

    return made


def verbs(name: str) -> Callable[[Callable[[], None]], click.Group]:
    """Make a function a group of verbs, such as `models list`."""
    from imprint.cli import VERBS

    def made(function: Callable[[], None]) -> click.Group:
        text = help_of(function)
        return click.Group(
            name, callback=function, help=text, short_help=VERBS[name][1], epilog=EPILOG
        )

    return made


def help_of(function: Callable[..., Any] | None) -> str:
    """Make help of a docstring; click wants a real backspace before lines to keep as they are."""
    return inspect.cleandoc(getattr(function, "__doc__", None) or "").replace("\\b\n", "\b\n")


def _set_home(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.obj.home = value


def _home() -> click.Option:
    return click.Option(
        ["--home"],
        metavar="DIR",
        expose_value=False,
        callback=_set_home,
        help="Folder of the workspace (or IMPRINT_HOME; default ./imprint-data).",
    )


def _json() -> click.Option:
    # The session knows already (wants_json); this makes the flag part of every verb's grammar.
    return click.Option(
        ["--json", "_json"],
        is_flag=True,
        expose_value=False,
        help="Print one JSON document and no text.",
    )


def run(session: Session, work: Callable[[], int]) -> int:
    """Do the work of a verb and return the exit code; failures become one line each."""
    try:
        code = work()
        sys.stdout.flush()
    except click.UsageError as error:
        return _usage(session, error)
    except (KeyboardInterrupt, click.Abort):
        session.fail("interrupted", "interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the one place where anything becomes an exit code
        return _failed(session, error)
    return code


def _usage(session: Session, error: click.UsageError) -> int:
    where = error.ctx.command_path if error.ctx else "imprint"
    message = error.format_message().strip()
    if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later
        click.echo(message, err=True)  # the message is the help page
        return USAGE
    session.fail("usage", f"{message.rstrip('.')}. See `{where} --help`.")
    return USAGE


def _reader_gone() -> int:
    # What reads our output has left. Point it at nothing so that the exit flush stays quiet too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE


def _failed(session: Session, error: Exception) -> int:
    if os.environ.get("IMPRINT_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    if isinstance(error, OSError) and not isinstance(error, ImprintError):
        return _system(session, error)
    if not isinstance(error, ImprintError):
        session.fail(
            "unexpected",
            f"something unexpected failed ({type(error).__name__}). "
            "Set IMPRINT_DEBUG=1 and run again to see where; please report it.",
        )
        return UNEXPECTED
    more = {"retry_after_s": error.retry_after_s} if isinstance(error, BusyError) else {}
    session.fail(error.code, str(error), shaped_checks(error), **more)
    return exit_code_of(error)


def _system(session: Session, error: OSError) -> int:
    # Files named on the command line (reports, exports) meet the disk here and not in the store.
    reason = error.strerror or type(error).__name__
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        session.fail("storage_full", "The disk is full. Free some space and run again.")
        return 7
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        session.fail("denied", f"{reason}: a file or folder may not be used. Check its owner.")
        return 6
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}:
        session.fail("not_found", f"{reason}: check the names given to this command.")
        return NOT_FOUND
    session.fail("unexpected", f"the system refused: {reason}. Set IMPRINT_DEBUG=1 for more.")
    return UNEXPECTED


def exit_code_of(error: ImprintError) -> int:
    """Give the exit code of an error's family."""
    return next((code for family, code in FAMILIES if isinstance(error, family)), UNEXPECTED)


def shaped_checks(error: ImprintError) -> list[Any]:
    """Shape the checks a refused source carries as JSON values."""
    return [check._asdict() for check in getattr(error, "checks", ())]


def shaped_error(error: ImprintError) -> dict[str, Any]:
    """Shape an error as the JSON object used for one item among many."""
    return {
        "error": {"code": error.code, "message": str(error), "checks": shaped_checks(error)},
    }
