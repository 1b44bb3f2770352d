"""Encryption at rest: master keys wrap data keys, data keys seal rows and files."""
