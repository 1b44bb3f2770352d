"""Stored rows with their sealed parts opened, in the shape rows.py reads.

Rows from before encryption pass as they are: a workspace can hold both while it is being sealed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.store.sealing.records import (
    answer_place,
    embedding_place,
    generation_place,
    opened,
    request_place,
    support_place,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.sealing.keyring import Opener
    from imprint.store.session import Columns

FLOAT_BYTES = 4


def plain_support(row: Columns, opener: Opener, collection: int) -> Columns:
    """A support's columns; the last one, `sealed`, is gone."""
    *columns, sealed = row
    if sealed is not None:
        private, _ = opened(opener, sealed, support_place(opener.tenant, collection, columns[4]))
        columns[3], columns[-1] = private["content_hash"], private["metadata"]
    return tuple(columns)


def plain_changes(
    rows: Sequence[Columns], opener: Opener, collection: int, encoder_version: str, dim: int
) -> list[Columns]:
    """Changes without the last two columns; a sealed vector brings its content hash along."""
    plain: list[Columns] = []
    size = dim * FLOAT_BYTES
    for row in rows:
        if row[10] is None:
            plain.append(row[:9])
            continue
        place = embedding_place(opener.tenant, collection, row[9], encoder_version)
        content = opener.open(row[7], place)
        plain.append((*row[:6], content[size:].decode(), content[:size], None))
    return plain


def plain_generation(row: Columns, opener: Opener, collection: int) -> Columns:
    """A calibration's columns without `sealed`."""
    *columns, sealed = row
    if sealed is not None:
        place = generation_place(opener.tenant, collection, columns[0])
        columns[3] = opened(opener, sealed, place)[0]["parameters"]
    return tuple(columns)


def plain_answer(row: Columns, opener: Opener) -> Columns:
    """A logged answer's columns without `sealed`."""
    *columns, sealed = row
    if sealed is not None:
        private, vector = opened(opener, sealed, answer_place(opener.tenant, columns[0]))
        columns[2], columns[3], columns[10] = private["content_hash"], vector, private["detail"]
    return tuple(columns)


def plain_request(row: Columns, opener: Opener, key: str) -> tuple[str, str]:
    """Fingerprint and outcome of a request."""
    fingerprint, outcome, sealed = row
    if sealed is None:
        return fingerprint, outcome
    private, _ = opened(opener, sealed, request_place(opener.tenant, key))
    return private["fingerprint"], private["outcome"]
