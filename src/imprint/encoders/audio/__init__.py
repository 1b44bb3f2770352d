"""Recordings to unit vectors: resampling, windows, and the network that ships as `audio-small`."""
