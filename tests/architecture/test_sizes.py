"""A newcomer can read any file, function or room in one sitting.

Statements per function (30) and complexity (8) are checked by ruff.
"""

from __future__ import annotations

import ast
from collections import Counter

from architecture.source import (
    PACKAGE,
    decorator_names,
    functions,
    n_code_lines,
    n_statements,
    named,
    source_files,
)


def test_no_file_is_longer_than_350_lines() -> None:
    sizes = {
        named(path): sum(bool(line.strip()) for line in path.read_text("utf-8").splitlines())
        for path in source_files()
    }
    assert {name: n for name, n in sizes.items() if n > 350} == {}


def test_nine_functions_in_ten_are_shorter_than_25_lines() -> None:
    lengths = [n_code_lines(function) for _, function in functions()]
    assert sum(n < 25 for n in lengths) / len(lengths) >= 0.9


def test_no_room_holds_more_than_ten_files() -> None:
    rooms = Counter(
        path.parent.relative_to(PACKAGE).as_posix()
        for path in source_files()
        if path.name != "__init__.py" and path.parent != PACKAGE
    )
    assert {room: n for room, n in rooms.items() if n > 10} == {}


def test_http_handlers_are_at_most_15_lines() -> None:
    handlers = {
        f"{named(path)}:{function.name}": n_code_lines(function)
        for path, function in functions()
        if named(path).startswith("serve/routes/")
        and not function.name.startswith("_")
        and any(ast.unparse(a.annotation or a) == "Call" for a in function.args.args)
    }
    assert handlers
    assert {name: n for name, n in handlers.items() if n > 15} == {}


def test_command_line_verbs_are_at_most_12_statements() -> None:
    verbs = {
        f"{named(path)}:{function.name}": n_statements(function)
        for path, function in functions()
        if named(path).startswith("cli") and decorator_names(function) & {"command", "verb"}
    }
    assert verbs
    assert {name: n for name, n in verbs.items() if n > 12} == {}
