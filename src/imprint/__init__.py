"""Imprint learns a class from one example and recognizes it from then on."""
