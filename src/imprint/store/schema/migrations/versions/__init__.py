"""One file per revision, oldest first. A revision that was released never changes."""
