"""Unit vectors to neighbors."""
