"""Training: the only owner of torch."""
