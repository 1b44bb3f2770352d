"""Changes to a sample that leave its class as it is, for training."""
