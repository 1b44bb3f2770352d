"""Extra supports made by a network that learned, from other classes, how samples of one vary."""
