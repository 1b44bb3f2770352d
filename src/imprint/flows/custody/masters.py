"""Which master keys the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.settings import Settings
    from imprint.store.sealing.masters.wrapper import KeyWrapper


def master_keys(settings: Settings) -> list[KeyWrapper]:
    """The master key in use, then the one before it; empty when what is kept is not encrypted.

    Raises:
        InvalidOptionError: more than one is named, or one cannot be read as a key.
        MasterKeyMissingError, UnsafeKeyFileError: its file is missing or open to others.
    """
    named = [
        name
        for name in ("master_key_file", "master_key", "kms_key")
        if getattr(settings, name) not in (None, "")
    ]
    if len(named) > 1:
        raise InvalidOptionError(
            f"name one master key, not {len(named)}: {' and '.join(named)} are set"
        )
    if not named:
        return []
    masters = [_named(settings, named[0])]
    if settings.old_master_key_file is not None:
        from imprint.store.sealing.masters.local import read_key_file

        masters.append(read_key_file(settings.old_master_key_file))
    return masters


def _named(settings: Settings, name: str) -> KeyWrapper:
    if name == "kms_key":
        from imprint.store.sealing.masters.kms import KmsMasterKey

        return KmsMasterKey(
            settings.kms_key,
            region=settings.kms_region or None,
            endpoint=settings.kms_endpoint or None,
        )
    from imprint.store.sealing.masters.local import parsed_key, read_key_file

    if settings.master_key_file is not None:
        return read_key_file(settings.master_key_file)
    return parsed_key(settings.master_key)
