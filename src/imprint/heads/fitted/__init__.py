"""Heads with fitted weights: one row per class, made by a rule that a fit provides."""
