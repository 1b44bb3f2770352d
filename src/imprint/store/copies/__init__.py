"""Copies of a workspace: made while it is in use, verified, restored."""
