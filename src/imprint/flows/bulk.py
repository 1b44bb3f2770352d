"""Bulk teaching: a whole table or folder, in batches, with an outcome for every row.

Nothing is remembered between runs. A sample is known by its content, so a second run over the same
rows finds what the first one taught and goes on from there: an import that was killed is resumed by
starting it again.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from imprint.errors import ConflictError, ImprintError, InvalidInputError
from imprint.flows.policy import checked_label
from imprint.flows.tables import BadRow, TableRow
from imprint.intake.decode import to_sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imprint.flows.collection import Collection
    from imprint.types import Receipt

RowStatus = Literal["taught", "quarantined", "present", "conflict", "rejected"]
STATUSES: tuple[RowStatus, ...] = ("taught", "quarantined", "present", "conflict", "rejected")
_PAGE = 1000


class RowOutcome(NamedTuple):
    """What became of one row.

    "present" means that this very sample was taught under this label before, in this run or an
    earlier one. `code` and `message` say why a row is in conflict or rejected.
    """

    row: int
    place: str
    status: RowStatus
    label: str | None
    support_id: str | None
    code: str | None = None
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Shape this outcome as a JSON object, without what is empty."""
        return {name: part for name, part in self._asdict().items() if part is not None}


def import_rows(
    collection: Collection, rows: Iterable[TableRow | BadRow], *, batch: int = 256
) -> Iterator[RowOutcome]:
    """Teach every row; yields an outcome for each, in order, once its batch is durable.

    Rows taught before are recognized by their content and cost no embedding.

    Raises:
        BusyError, DeniedError, CorruptError: the store cannot go on; what was yielded stays.
    """
    known = _known(collection)
    remaining = iter(rows)
    while taken := list(islice(remaining, batch)):
        yield from _taught(collection, taken, known)


def _known(collection: Collection) -> dict[str, tuple[str | None, str]]:
    """Give (label, support_id) by content hash of everything taught already."""
    known: dict[str, tuple[str | None, str]] = {}
    after: str | None = None
    while page := collection.supports(limit=_PAGE, after=after):
        known.update({s.content_hash: (s.label, s.support_id) for s in page})
        after = page[-1].support_id
    return known


def _taught(
    collection: Collection, taken: list[TableRow | BadRow], known: dict[str, tuple[str | None, str]]
) -> Iterator[RowOutcome]:
    outcomes = [_without_teaching(collection, row, known) for row in taken]
    open_rows = [
        row
        for row, outcome in zip(taken, outcomes, strict=True)
        if outcome is None and isinstance(row, TableRow)
    ]
    pairs = [(row.label, row.source) for row in open_rows]
    results = collection.teach_many(pairs, batch=max(1, len(pairs)), origin="import")
    seen = {support_id for _, support_id in known.values()}
    fresh = iter(
        [_outcome(row, result, seen) for row, result in zip(open_rows, results, strict=True)]
    )
    for outcome in outcomes:
        yield next(fresh) if outcome is None else outcome


def _without_teaching(
    collection: Collection, row: TableRow | BadRow, known: dict[str, tuple[str | None, str]]
) -> RowOutcome | None:
    if isinstance(row, BadRow):
        return RowOutcome(row.row, row.place, "rejected", None, None, "invalid_row", row.message)
    if not known:
        return None
    try:
        named = checked_label(row.label)
        sample = to_sample(row.source, collection.modality)
    except ImprintError:
        return None  # teaching refuses it again, with its checks
    label, support_id = known.get(sample.content_hash, (None, None))
    if label != named:
        return None
    return RowOutcome(row.row, row.place, "present", label, support_id)


def _outcome(row: TableRow, result: Receipt | ImprintError, seen: set[str]) -> RowOutcome:
    if not isinstance(result, ImprintError):
        status: RowStatus = "taught" if result.state == "active" else "quarantined"
        if result.support_id in seen or _is_repeat(result):
            status = "present"
        seen.add(result.support_id)
        return RowOutcome(row.row, row.place, status, result.label, result.support_id)
    if isinstance(result, ConflictError):
        status = "conflict"
    elif isinstance(result, InvalidInputError):
        status = "rejected"
    else:
        raise result
    label = row.label if len(row.label) <= 200 else row.label[:200] + "…"
    return RowOutcome(row.row, row.place, status, label, None, result.code, str(result))


def _is_repeat(receipt: Receipt) -> bool:
    return any(check.name == "duplicate" and check.score >= 1.0 for check in receipt.checks)
