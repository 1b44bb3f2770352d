"""What surrounds teaching: screening, review of what is held, going back, feedback."""
