"""Ground-floor rooms take values and return values; the world arrives as an argument."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from architecture.source import (
    GROUND_FLOOR,
    PACKAGE,
    dotted,
    named,
    runtime_imports,
    runtime_nodes,
    source_files,
    tree,
)

if TYPE_CHECKING:
    from pathlib import Path

IMPURE_IMPORTS = ("time", "logging", "random", "secrets", "uuid")
IMPURE_CALLS = {"print", "input", "os.getenv", "os.putenv", "os.chdir", "os.getcwd"}
# Ways to draw numbers that state their seed; everything else in numpy.random is shared state.
SEEDED = {"Generator", "PCG64", "SeedSequence", "default_rng"}

PURE_FILES = [path for path in source_files() if named(path).split("/")[0] in GROUND_FLOOR] + [
    PACKAGE / name for name in ("vectors.py", "types.py", "errors.py")
]


def impurities(path: Path) -> set[str]:
    """What in this file reaches for the clock, the environment, a log or shared randomness."""
    found = {
        f"imports {name}"
        for name in runtime_imports(path)
        if name.startswith(tuple(f"{bad}." for bad in IMPURE_IMPORTS)) or name in IMPURE_IMPORTS
    }
    for node in runtime_nodes(tree(path)):
        name = dotted(node.func) if isinstance(node, ast.Call) else dotted(node)
        if isinstance(node, ast.Call):
            called_now = name.rpartition(".")[2] in {"now", "utcnow", "today"} and "." in name
            unseeded = name.endswith("default_rng") and not (node.args or node.keywords)
            if name in IMPURE_CALLS or called_now or unseeded:
                found.add(f"calls {name}()")
        elif name.startswith("os.environ") or (
            name.startswith(("np.random.", "numpy.random.")) and name.split(".")[2] not in SEEDED
        ):
            found.add(f"uses {name}")
    return found


@pytest.mark.parametrize("path", PURE_FILES, ids=named)
def test_a_ground_floor_file_uses_no_clock_environment_log_or_shared_randomness(
    path: Path,
) -> None:
    assert impurities(path) == set()


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "import logging",
        "import random",
        "x = os.environ['HOME']",
        "x = datetime.now()",
        "x = datetime.datetime.now(tz=UTC)",
        "x = np.random.rand(3)",
        "np.random.seed(0)",
        "x = np.random.default_rng()",
        "print('x')",
    ],
)
def test_the_purity_check_notices(line: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(line)
    assert impurities(path)


@pytest.mark.parametrize(
    "line", ["x = np.random.default_rng(7)", "def f(now: datetime) -> datetime: return now"]
)
def test_the_purity_check_lets_arguments_pass(line: str, tmp_path: Path) -> None:
    path = tmp_path / "fine.py"
    path.write_text(line)
    assert impurities(path) == set()
