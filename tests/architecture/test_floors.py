"""The import contracts of pyproject.toml hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from architecture.source import PACKAGE, ROOT, named, runtime_imports, source_files


def test_import_contracts_are_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(command), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Broken contracts") :]


def test_recipes_use_the_front_door_only() -> None:
    reached = {
        f"{named(path)} imports {name}"
        for path in source_files()
        if path.is_relative_to(PACKAGE / "recipes")
        for name in runtime_imports(path)
        if name.startswith("imprint.")
        and not name.startswith(("imprint.recipes", "imprint.train", "imprint.errors"))
        and name.count(".") > 1
    }
    assert reached == set()
