"""Distances, the losses made of them, and how features answer an episode."""
