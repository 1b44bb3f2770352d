"""Unit vectors to neighbors."""

from imprint.index.exact import ExactIndex

__all__ = ["ExactIndex"]
