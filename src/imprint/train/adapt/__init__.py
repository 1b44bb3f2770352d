"""Adapting a sentence encoder to an owner's classes from a few examples of each."""
