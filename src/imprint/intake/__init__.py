"""May this come in? Decoding before embedding, screening after it."""
