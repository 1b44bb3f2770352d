"""The demo: two collections taught from one example per class, asked, explained and corrected."""

from __future__ import annotations

from imprint.recipes.demo.narration import account, opening
from imprint.recipes.demo.report import write_report
from imprint.recipes.demo.scenes import Scene, symbols_scene, tickets_scene
from imprint.recipes.demo.story import Told, tell

__all__ = [
    "Scene",
    "Told",
    "account",
    "opening",
    "symbols_scene",
    "tell",
    "tickets_scene",
    "write_report",
]
