"""Encoders in use: one that is being loaded holds up nobody else."""

from __future__ import annotations

import threading

from flows.words import WordEncoder
from imprint.flows.answering.encoding import EncoderShelf


def test_a_loaded_encoder_is_found_while_another_is_being_fetched(settings):
    shelf = EncoderShelf(settings)
    words = shelf.given(WordEncoder(), "text")
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(shelf.versioned(words.version)))
    with shelf._loading:  # as while a fetch is under way in another thread
        asking.start()
        asking.join(5)
        assert found == [words]
