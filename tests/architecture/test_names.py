"""Names say what a thing is: no word that fits everything, no rope of inheritance."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from architecture.source import named, runtime_imports, source_files, tree

if TYPE_CHECKING:
    from pathlib import Path

BANNED = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "processor"}
BANNED |= {"data", "info"}
UNSAFE_FORMATS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal"}
UNSAFE_FORMATS |= {"shelve"}
# RFC 2397 calls it a data URI; asyncio's protocols name their methods themselves.
EXEMPT = {"read_data_uri", "data_received"}
BY_FILE = pytest.mark.parametrize("path", source_files(), ids=named)


def words(name: str) -> set[str]:
    """`TenantStore` and `tenant_store` are both {"tenant", "store"}."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


def public_definitions(path: Path) -> set[str]:
    """Names of functions, methods and classes that others may use."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = {node.name for node in ast.walk(tree(path)) if isinstance(node, kinds)}
    return {name for name in found if not name.startswith("_")}


@BY_FILE
def test_no_public_name_holds_a_word_that_fits_everything(path: Path) -> None:
    names = public_definitions(path) | set(named(path).removesuffix(".py").split("/"))
    assert {name for name in names if words(name) & BANNED} - EXEMPT == set()


def test_words_are_split_as_people_read_them() -> None:
    assert words("BaseTextManager2") == {"base", "text", "manager", "2"}
    assert words("metadata_of") == {"metadata", "of"}


@BY_FILE
def test_nothing_reads_or_writes_a_format_that_can_run_code(path: Path) -> None:
    roots = {name.split(".")[0] for name in runtime_imports(path)}
    assert roots & UNSAFE_FORMATS == set()
    assert "allow_pickle=True" not in path.read_text("utf-8")


@BY_FILE
def test_nothing_is_left_for_later(path: Path) -> None:
    left = re.findall(r"\b(?:TODO|FIXME|XXX|HACK|NotImplementedError)\b", path.read_text("utf-8"))
    assert left == []


def test_classes_inherit_one_level_deep_except_errors() -> None:
    bases = {
        node.name: [ast.unparse(parent).split("[")[0].split(".")[-1] for parent in node.bases]
        for path in source_files()
        if named(path) != "errors.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    }

    def depth(name: str) -> int:
        return max(
            (1 + depth(parent) for parent in bases.get(name, []) if parent in bases), default=0
        )

    assert {name: depth(name) for name in bases if depth(name) > 1} == {}
