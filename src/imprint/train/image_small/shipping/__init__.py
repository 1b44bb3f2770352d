"""From trained weights to what the package holds: one graph, its card, its 8-bit twin, a bank."""
