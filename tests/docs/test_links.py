"""Links lead somewhere, and nothing in the repository names the machine it was written on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.pages import ROOT, documents, named, prose

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
KEPT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".html", ".js", ".css", ".sh", ".json", ""}
SKIPPED = {".git", ".venv", "node_modules", "__pycache__", "dist", "build", "imprint-data"}
# A folder of one machine, or the address of a package registry: neither means anything elsewhere.
MACHINE_PATH = re.compile(r"(?<![\w.\-/<>])/(?:work|farm|root|opt|home|Users)/\w")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|conda\.anaconda|extra-index-url"
)


def anchors(path: Path) -> set[str]:
    """Heading anchors as Markdown viewers make them."""
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("#").strip().lower()
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def committed_files() -> list[Path]:
    """Text files of the working tree that are ours."""
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in KEPT
        and not any(
            part in SKIPPED or (part.startswith(".") and part != ".ci")
            for part in path.relative_to(ROOT).parts
        )
    )


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(prose(path)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def test_no_file_names_a_folder_of_one_machine_or_a_package_registry() -> None:
    found = []
    for path in committed_files():
        if path.name in {"test_links.py"}:  # states the patterns
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{named(path)}: {match.group()}"
            for pattern in (MACHINE_PATH, REGISTRY)
            for match in pattern.finditer(text)
        ]
    assert found == []


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_test_and_file_named_in_a_document_exists() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    missing = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        names = re.findall(r"`(test_\w+)`", text)
        files = re.findall(r"`((?:tests|src|tools|benchmarks)/[\w/]+\.py)`", text)
        missing += [f"{named(path)}: {name}" for name in names if name not in defined]
        missing += [f"{named(path)}: {file}" for file in files if not (ROOT / file).exists()]
    assert missing == []


def test_every_measurement_and_decision_is_listed() -> None:
    for folder in ("measurements", "decisions"):
        listed = (ROOT / "docs" / folder / "README.md").read_text(encoding="utf-8")
        records = {path.name for path in (ROOT / "docs" / folder).glob("*.md")} - {"README.md"}
        assert {name for name in records if f"]({name})" not in listed} == set()
