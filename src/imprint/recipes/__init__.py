"""Worked scenarios. They import only what a user imports: the front door."""
