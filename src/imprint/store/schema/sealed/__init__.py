"""Statements about keys and about values sealed with them."""
