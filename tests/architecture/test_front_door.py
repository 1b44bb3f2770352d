"""The front door is small, and walking through it does not wake the heavy libraries."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

import imprint
from architecture.source import ROOT

HEAVY = ("torch", "faiss", "onnxruntime", "onnx", "tokenizers", "sqlalchemy", "alembic", "sklearn")
DOORS = {
    "import imprint": (*HEAVY, "starlette", "uvicorn", "click", "PIL"),
    "import imprint.cli": (*HEAVY, "starlette", "uvicorn"),
}


@pytest.mark.parametrize("statement", DOORS)
def test_importing_a_door_loads_no_heavy_library(statement: str) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & set(DOORS[statement]) == set()


def test_the_front_door_has_at_most_15_names() -> None:
    public = [name for name in dir(imprint) if not name.startswith("_")]
    assert len(public) <= 15, public
    assert set(imprint.__all__) <= {*public, "__version__"}


def test_every_name_at_the_front_door_is_there_and_documented() -> None:
    for name in imprint.__all__:
        assert getattr(imprint, name).__doc__, name


def test_dependencies_have_lower_bounds_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    assert [
        one for one in required if "<" in one or "=" in one.replace(">=", "") or "~" in one
    ] == []
    assert [one for one in required if ">=" not in one and not one.startswith("imprint[")] == []


def test_ci_pins_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    }
    required = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    names = {one.split(">=")[0].split("[")[0].lower().replace("_", "-") for one in required}
    assert names - {"imprint"} - pinned == set()
