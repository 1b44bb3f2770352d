"""Reads the house's own source as syntax trees, for tests about its shape."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "imprint"
GROUND_FLOOR = ("encoders", "heads", "index", "measure", "intake", "rollout")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_files() -> list[Path]:
    """Every Python file of the package, sorted."""
    return sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> str:
    """The file as a reader knows it: "store/ports.py"."""
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions() -> Iterator[tuple[Path, Function]]:
    """Every function and method of the package with the file that holds it."""
    for path in source_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, Function):
                yield path, node


def body_without_docstring(function: Function) -> list[ast.stmt]:
    """The statements that run."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.body[1:] if is_docstring else function.body


def n_code_lines(function: Function) -> int:
    """Lines from the first statement that runs to the last."""
    body = body_without_docstring(function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def n_statements(function: Function) -> int:
    """Statements at any depth, the docstring not counted."""
    return sum(
        isinstance(node, ast.stmt)
        for top in body_without_docstring(function)
        for node in ast.walk(top)
    )


def decorator_names(function: Function) -> set[str]:
    """Last word of each decorator: `@router.get("/x")` gives "get"."""
    names = set()
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(target, ast.Attribute):
            names.add(target.attr)
        elif isinstance(target, ast.Name):
            names.add(target.id)
    return names


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, leaving out what stands under `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield from runtime_nodes(child)


def runtime_imports(path: Path) -> Iterator[str]:
    """Dotted names a file imports when it runs, those inside functions too."""
    for node in runtime_nodes(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(node: ast.AST) -> str:
    """`np.random.rand` of an attribute chain; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
