"""Write the pages of docs/ that are read off the program, so that they cannot disagree with it.

    python tools/build_docs.py          # write them (make docs)
    python tools/build_docs.py --check  # say which are out of date, and fail if any is

`tests/docs/test_generated.py` compares every page with a fresh one.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import imprint
from http_page import http_page, metrics_page
from imprint import errors
from imprint.cli import VERBS, app
from imprint.cli.session import FAMILIES
from imprint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by tools/build_docs.py (make docs). Edit the program, not this page. -->\n"
SECTIONS = ("Args:", "Raises:", "Attributes:", "Returns:", "Yields:")
# What these settings default to depends on the machine; the page says how instead of what.
WORDED_DEFAULTS = {"cache": "`~/.cache/imprint`, or under `XDG_CACHE_HOME`"}


def first_paragraph(thing: Any) -> str:
    """Opening paragraph of a docstring, on one line and safe inside a table."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def leaves(family: type[errors.ImprintError]) -> Iterator[type[errors.ImprintError]]:
    """Every error below a family, in the order errors.py states them."""
    for child in family.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from leaves(child)


def errors_page() -> str:
    """Every deliberate failure: code, class, HTTP status, exit code, meaning."""
    from imprint.serve.problems import status_of

    parts = [
        "# Errors\n\n",
        "Everything Imprint refuses on purpose is an `imprint.errors.ImprintError` with a\n",
        "stable `code`. The six families answer the question *who can act*. The library raises\n",
        "the class, the server answers with the HTTP status and the code in\n",
        "`application/problem+json`, and the command line leaves with the exit code. A failure\n",
        "that is none of these is a defect: HTTP 500, exit code 1.\n",
    ]
    for family, exit_code in FAMILIES:
        rows = [
            (f"`{leaf.code}`", f"`{leaf.__name__}`", str(status_of(leaf)), first_paragraph(leaf))
            for leaf in (family, *leaves(family))
        ]
        parts.append(f"\n## {family.__name__}, exit code {exit_code}\n\n")
        parts.append(table(("code", "class", "HTTP", "when"), rows))
    return "".join(parts)


def settings_page() -> str:
    """Every setting with its environment name, default and meaning."""
    rows = []
    for one in fields(Settings):
        default = one.default if one.default is not MISSING else ""
        shown = WORDED_DEFAULTS.get(one.name) or (
            f"`{default}`" if default not in {"", None} else "none"
        )
        variable = f"`IMPRINT_{one.name.upper()}`"
        rows.append((f"`{one.name}`", variable, shown, one.metadata["help"]))
    return (
        "# Settings\n\n"
        "Read once at start-up; later sources win: built-in default, settings file, environment, "
        "flag. The file is TOML with these names at its top level; `IMPRINT_CONFIG` says where it "
        "is. Unknown names and unreadable values are refused at start-up. From Python, pass "
        "`settings=` to `imprint.open`.\n\n"
        + table(("name", "environment", "default", "meaning"), rows)
    )


def commands(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Full name and help text of a command and of everything below it."""
    context = click.Context(
        command,
        parent,
        name,
        **{**command.context_settings, "terminal_width": 88, "max_content_width": 88},
    )
    yield context.command_path, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            if child is not None:
                yield from commands(child, below, context)


def cli_page() -> str:
    """The help text of every verb."""
    parts = [
        "# Command line\n\n",
        "What `--help` prints, verb by verb. `--json` puts exactly one JSON document on standard ",
        "output; progress and notes go to standard error.\n\n",
        table(("verb", "does"), [(f"[`{v}`](#imprint-{v})", VERBS[v][1]) for v in VERBS]),
    ]
    parts += [f"\n## {path}\n\n```text\n{text}\n```\n" for path, text in commands(app, "imprint")]
    return "".join(parts)


def python_page() -> str:
    """Every public name and method with its signature and docstring."""
    parts = [
        "# Python\n\n",
        "Everything at the front door of the package. A `source` is a path, bytes, a `str` of\n",
        "text (text collections), a PIL image or a numpy array.\n",
    ]
    for name in imprint.__all__:
        thing = getattr(imprint, name)
        if inspect.ismodule(thing):
            parts.append(f"\n## imprint.{name}\n\nSee [errors.md](errors.md).\n")
            continue
        parts.append(entry(f"imprint.{name}", thing, "##"))
        if inspect.isclass(thing):
            parts += [entry(f"{name}.{m}", member, "###") for m, member in members(thing)]
    return "".join(parts)


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties a class of ours defines itself."""
    for name, member in vars(owner).items():
        if not name.startswith("_") and (
            inspect.isfunction(member) or isinstance(member, property)
        ):
            yield name, member


def entry(name: str, thing: Any, mark: str) -> str:
    """One heading, signature (where one calls it) and docstring."""
    doc = inspect.getdoc(thing) or ""
    # Workspaces, collections and bundles are opened, never constructed.
    is_made = not inspect.isclass(thing) or is_dataclass(thing) or hasattr(thing, "get_params")
    call = f"```text\n{call_of(name, thing)}\n```\n\n" if is_made and callable(thing) else ""
    return f"\n{mark} {name}\n\n{call}{prose_of(doc)}\n"


def call_of(name: str, thing: Any) -> str:
    """A call with its arguments, one on each line when they are many."""
    signature = inspect.signature(thing)
    taken: list[str] = []
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in taken:
            taken.append("*")
        if one.name != "self":
            default = "" if one.default is one.empty else f" = {one.default!r}"
            taken.append(f"{one.name}: {one.annotation}{default}")
    result = signature.return_annotation
    returns = "" if inspect.isclass(thing) else f" -> {result}"
    line = f"{name}({', '.join(taken)}){returns}"
    if len(line) <= 88:
        return line
    return f"{name}(\n    " + ",\n    ".join(taken) + f"\n){returns}"


def prose_of(doc: str) -> str:
    """A google-style docstring as Markdown: its sections become short lists."""
    lines = []
    for line in doc.splitlines():
        if line in SECTIONS:
            lines.append(f"*{line.rstrip(':')}*\n")
        elif line.startswith("        "):
            lines.append(f"  {line.strip()}")
        elif line.startswith("    ") and not line.lstrip().startswith(">>>"):
            lines.append(f"- {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "errors.md": errors_page,
    "settings.md": settings_page,
    "cli.md": cli_page,
    "python.md": python_page,
    "http.md": http_page,
    "metrics.md": metrics_page,
}


def page(name: str) -> str:
    """A generated page as it should be now."""
    title, _, rest = PAGES[name]().partition("\n")
    return f"{title}\n\n{NOTE}{rest}"


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    check = parser.parse_args().check
    stale = []
    for name in PAGES:
        path, text = DOCS / name, page(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    print(f"{'out of date' if check else 'written'}: {', '.join(stale) or 'nothing'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
