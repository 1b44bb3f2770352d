"""Shapes of requests and responses, as JSON Schemas that document and check."""
