"""Does this support fit what was taught before? Judged after embedding, from vectors alone."""
