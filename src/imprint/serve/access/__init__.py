"""Who comes in: keys, bearer tokens of an identity provider, client certificates."""
