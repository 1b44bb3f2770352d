"""The recipe of `audio-small`: invented words and sounds, a small network, export and bank."""
