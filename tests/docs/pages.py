"""The committed documents, for tests that hold them to the program."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """README and its siblings, and everything under docs/."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def named(path: Path) -> str:
    """The document as a reader knows it: "docs/errors.md"."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Fenced blocks of one language, in order."""
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [code for kind, code in found if kind == language]


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))
