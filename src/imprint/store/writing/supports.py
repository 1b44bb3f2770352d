"""Supports: stored with embedding and raw bytes, forgotten, erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from imprint.errors import (
    ConflictError,
    DuplicateSupportError,
    LabelConflictError,
    SupportNotFoundError,
)
from imprint.store.files import INLINE_LIMIT_BYTES
from imprint.store.rows import checked_bytes
from imprint.store.schema import writes
from imprint.store.writing.support_rows import (
    embedding_values,
    file_bytes,
    raw_values,
    support_values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.ports import NewSupport
    from imprint.store.session import Columns, Values
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
                embedding_values(self._scope, number, at, support, vector)
                for at, support, vector in zip(sequences, supports, vectors, strict=True)
            ],
        )
        self._insert_raws(number, sequences, supports)
        self._scope.session.run(writes.ADVANCE, {"number": number, "new_sequence": sequences[-1]})
        return sequences

    def remove(
        self,
        collection_id: str,
        support_ids: Sequence[str],
        *,
        erase: bool,
        reason: str | None = None,
    ) -> int:
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
                | {"changed": sequence, "at": self._scope.now, "why": reason}
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
        if self._scope.sealer is not None and self._scope.sealer.mixed:
            self._refuse_known(number, new)
        rows = [
            support_values(self._scope, number, at, support)
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

    def _refuse_known(self, number: int, new: Sequence[NewSupport]) -> None:
        # Rows from before encryption have plain hashes, which the unique index of keyed hashes
        # does not compare with.
        for at, support in enumerate(new):
            found = self._known(number, support)
            if found is not None:
                raise _same_content(found[0], found[1], support.label, at)

    def _known(self, number: int, support: NewSupport) -> Columns | None:
        sealer = self._scope.sealer
        hashes = {
            "content_hash": support.content_hash,
            "keyed_hash": None if sealer is None else sealer.keyed(support.content_hash),
        }
        return self._scope.session.one(writes.SAME_CONTENT, {"number": number, **hashes})

    def _clash(self, number: int, new: Sequence[NewSupport]) -> ConflictError:
        seen: dict[str, tuple[str, str | None]] = {}
        for at, support in enumerate(new):
            found = seen.get(support.content_hash) or self._known(number, support)
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
            inline = self._scope.files is None or len(content) <= INLINE_LIMIT_BYTES
            row = raw_values(self._scope, number, at, content, inline=inline)
            if not inline:
                large[row["sha256"]] = file_bytes(self._scope, row["sha256"], content)
            rows.append(row)
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
