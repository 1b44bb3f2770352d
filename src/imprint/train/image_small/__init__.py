"""The recipe of the image encoder that ships: sets, views, network, loop, export, bank."""
