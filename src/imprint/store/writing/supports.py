"""Supports: stored with embedding and raw bytes, forgotten, erased."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from imprint.errors import (
    ConflictError,
    DuplicateSupportError,
    LabelConflictError,
    SupportNotFoundError,
)
from imprint.store.files import INLINE_LIMIT_BYTES
from imprint.store.rows import checked_bytes, to_json
from imprint.store.schema import writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.ports import NewSupport
    from imprint.store.session import Values
    from imprint.store.writing.scope import Scope


class SupportWrites:
    """The support verbs of a transaction."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def add(self, collection_id: str, supports: Sequence[NewSupport]) -> list[int]:
        """See Transaction."""
        number, sequence, encoder_version, dim = self._scope.collection(collection_id)
        if not supports:
            return []
        vectors = [checked_bytes(support, encoder_version, dim) for support in supports]
        sequences = list(range(sequence + 1, sequence + 1 + len(supports)))
        self._insert_supports(number, sequences, supports)
        self._scope.session.run(
            writes.ADD_EMBEDDING,
            [
                {
                    "collection": number,
                    "added_sequence": at,
                    "encoder_version": encoder_version,
                    "checksum": zlib.crc32(vector),
                    "vector": vector,
                    "sealed_by": None,
                }
                for at, vector in zip(sequences, vectors, strict=True)
            ],
        )
        self._insert_raws(number, sequences, supports)
        self._scope.session.run(writes.ADVANCE, {"number": number, "new_sequence": sequences[-1]})
        return sequences

    def remove(self, collection_id: str, support_ids: Sequence[str], *, erase: bool) -> int:
        """See Transaction."""
        number, sequence, _, _ = self._scope.collection(collection_id)
        places = [self._place(number, one, erase=erase) for one in dict.fromkeys(support_ids)]
        if not places:
            return int(sequence)
        sequence += 1
        self._scope.session.run(
            writes.FORGET,
            [
                {"number": number, "added": added, "removed": before or sequence}
                | {"changed": sequence}
                for added, before in places
            ],
        )
        if erase:
            self._erase(number, [added for added, _ in places])
        self._scope.session.run(writes.ADVANCE, {"number": number, "new_sequence": sequence})
        return int(sequence)

    def _insert_supports(
        self, number: int, sequences: list[int], new: Sequence[NewSupport]
    ) -> None:
        rows: list[Values] = [
            {
                "collection": number,
                "added_sequence": at,
                "changed_sequence": at,
                "removed_sequence": None,
                "support_id": support.support_id,
                "label": support.label,
                "state": support.state,
                "content_hash": support.content_hash,
                "taught_at": self._scope.now,
                "taught_by": self._scope.actor,
                "origin": support.origin,
                "media_type": support.raw.media_type if support.raw else None,
                "size_bytes": len(support.raw.content) if support.raw else 0,
                "metadata": to_json(support.metadata),
                "erased_at": None,
                "removed_at": None,
                "expires_at": None,
                "reason": None,
                "sealed": None,
                "sealed_by": None,
            }
            for at, support in zip(sequences, new, strict=True)
        ]
        # One INSERT undoes itself; several need a savepoint, so that a caller who catches the
        # conflict and goes on does not keep the rows before it.
        several = len(rows) > 1
        if several:
            self._scope.session.native("SAVEPOINT adding")
        try:
            self._scope.session.run(writes.ADD_SUPPORT, rows if several else rows[0])
        except IntegrityError as failure:
            if several:
                self._scope.session.native("ROLLBACK TO SAVEPOINT adding")
                self._scope.session.native("RELEASE SAVEPOINT adding")
            raise self._clash(number, new) from failure
        if several:
            self._scope.session.native("RELEASE SAVEPOINT adding")

    def _clash(self, number: int, new: Sequence[NewSupport]) -> ConflictError:
        seen: dict[str, tuple[str, str | None]] = {}
        for at, support in enumerate(new):
            found = seen.get(support.content_hash) or self._scope.session.one(
                writes.SAME_CONTENT, {"number": number, "content_hash": support.content_hash}
            )
            if found is not None:
                return _same_content(found[0], found[1], support.label, at)
            seen[support.content_hash] = (support.support_id, support.label)
        return ConflictError("a support with one of these ids exists already; nothing was stored")

    def _insert_raws(self, number: int, sequences: list[int], new: Sequence[NewSupport]) -> None:
        rows: list[Values] = []
        large: dict[str, bytes] = {}
        for at, support in zip(sequences, new, strict=True):
            if support.raw is None:
                continue
            content = support.raw.content
            sha256 = hashlib.sha256(content).hexdigest()
            inline = self._scope.files is None or len(content) <= INLINE_LIMIT_BYTES
            if not inline:
                large[sha256] = content
            rows.append(
                {
                    "collection": number,
                    "added_sequence": at,
                    "tenant": self._scope.tenant,
                    "sha256": sha256,
                    "content": content if inline else None,
                    "sealed_by": None,
                }
            )
        if self._scope.files is not None and large:
            self._scope.written.extend(large)
            self._scope.files.write(self._scope.tenant_name, large)
        if rows:
            self._scope.session.run(writes.ADD_RAW, rows)

    def _place(self, number: int, support_id: str, *, erase: bool) -> tuple[int, int | None]:
        row = self._scope.session.one(
            writes.BY_SUPPORT_ID, {"number": number, "support_id": support_id}
        )
        added, removed, erased = row or (0, None, None)
        # What was forgotten softly can still be erased; what was erased is gone for good.
        if row is None or erased is not None or (removed is not None and not erase):
            raise SupportNotFoundError("one of these supports does not exist; nothing was removed")
        return added, removed

    def _erase(self, number: int, places: list[int]) -> None:
        keys: list[Values] = [{"number": number, "added": added} for added in places]
        for key in keys:
            file = self._scope.session.one(writes.FILE_OF, key)
            if file is not None:
                self._scope.doom(file[0])
        self._scope.session.run(writes.BLANK, [key | {"at": self._scope.now} for key in keys])
        self._scope.session.run(writes.DROP_EMBEDDING, keys)
        self._scope.session.run(writes.DROP_RAW, keys)
        self._scope.erased = True


def _same_content(
    support_id: str, label: str | None, wanted: str | None, at: int
) -> LabelConflictError | DuplicateSupportError:
    if label == wanted:
        return DuplicateSupportError(
            f"sample {at} of this write is already taught under the same label", support_id
        )
    return LabelConflictError(
        f"sample {at} of this write is already taught under another label; forget that support "
        "first, or teach this one under the same label"
    )
