"""Attacks on a collection by whoever may teach it: makers of bad examples, and what became of them.

Everything here is made from samples the attacker could have; an encoder comes as a callable.
"""
