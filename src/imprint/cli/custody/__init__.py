"""Verbs of whoever answers for what is kept: audit, encryption, tenants, backups."""
