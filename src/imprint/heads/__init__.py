"""Unit vectors to decisions. Numpy only."""
