"""Is this a sample one can learn from? Judged before embedding, from the sample alone."""
