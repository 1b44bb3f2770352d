"""The port to whoever holds the master key: it wraps and unwraps data keys, nothing else."""

from __future__ import annotations

from typing import Protocol


class KeyWrapper(Protocol):
    """A master key, here or in a key service. `context` is bound to what is wrapped."""

    @property
    def key_id(self) -> str:
        """Names the master key without saying anything about it; stored beside what it wrapped."""
        ...

    def wrap(self, key: bytes, context: dict[str, str]) -> bytes:
        """Raises KeyServiceError when the key service does not answer."""
        ...

    def unwrap(self, wrapped: bytes, context: dict[str, str]) -> bytes:
        """Give back what `wrap` was given.

        Raises:
            MasterKeyWrongError: another master key wrapped it, or for another context.
            KeyServiceError: the key service does not answer.
        """
        ...
