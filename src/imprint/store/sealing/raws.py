"""Raw bytes of a support, from their row or their file, opened and checked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from imprint.errors import BlobMissingError, SealBrokenError
from imprint.store.files import mismatch, verified
from imprint.store.sealing.records import file_place, raw_place

if TYPE_CHECKING:
    from imprint.store.files import RawFiles
    from imprint.store.sealing.keyring import Opener
    from imprint.store.session import Columns


def raw_content(
    row: Columns, opener: Opener, collection: int, files: RawFiles | None, tenant: str
) -> bytes:
    """The bytes behind a row of (hash, content, media type, added sequence, sealed by).

    Raises:
        BlobMissingError: they are gone or not those that were stored.
    """
    name, content, _, added, sealed_by = row
    stored = content if content is not None else _from_file(files, tenant, name)
    if sealed_by is None:
        return verified(stored, name)
    place = (
        raw_place(opener.tenant, collection, added)
        if content is not None
        else file_place(opener.tenant, name)
    )
    try:
        plain = opener.open(stored, place)
    except SealBrokenError as failure:
        raise mismatch(len(stored)) from failure
    if opener.keyed(hashlib.sha256(plain).hexdigest()) != name:
        raise mismatch(len(plain))
    return plain


def _from_file(files: RawFiles | None, tenant: str, name: str) -> bytes:
    if files is None:
        raise BlobMissingError("this workspace has no folder for raw samples")
    return files.load(tenant, name)
