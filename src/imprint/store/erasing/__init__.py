"""Erasing a tenant, and proving that nothing of it is left."""
