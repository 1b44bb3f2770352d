"""Self-training: unlabeled samples join as supports where the head is sure, and stays so."""
