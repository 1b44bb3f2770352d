"""Master keys: in a file, in the environment, or in a key service."""
