"""How long supports of one tenant live: when they expire, and until when they can come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imprint.store.rows import to_moment, to_number
from imprint.store.schema import lifetimes

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from sqlalchemy.sql import ClauseElement

    from imprint.store.session import Columns, Session, Values
    from imprint.store.sqlite import SqliteConnections

_BEFORE_ALL = -(2**62)


class Life(NamedTuple):
    """When a support was taught, its own expiry, and whether it was brought back since."""

    taught_at: datetime
    expires_at: datetime | None
    renewed: bool

    def ends(self, max_age: timedelta | None) -> datetime | None:
        """When it stops answering; None: never."""
        if max_age is None or self.renewed:
            return self.expires_at
        by_age = self.taught_at + max_age
        return by_age if self.expires_at is None else min(by_age, self.expires_at)


class Lifetimes:
    """Questions about age; `max_age` None means that a collection has no maximum age."""

    def __init__(
        self, connections: SqliteConnections, place: Callable[[Session, str], Columns]
    ) -> None:
        self._connections = connections
        self._place = place

    def due(
        self, collection_id: str, now: datetime, max_age: timedelta | None, limit: int
    ) -> list[str]:
        """Live supports whose time is over, in teaching order."""
        values = {"now": to_number(now), "taught_before": _taught_before(now, max_age)}
        return self._ids(lifetimes.DUE, collection_id, {**values, "limit": limit})

    def next_expiry(
        self,
        collection_id: str,
        max_age: timedelta | None,
        *,
        after: int = 0,
        beyond: datetime | None = None,
    ) -> datetime | None:
        """The first moment, past `beyond`, at which a support touched after that write expires."""
        now = _BEFORE_ALL if beyond is None else to_number(beyond)
        taught = _BEFORE_ALL if beyond is None else _taught_before(beyond, max_age)
        values = {"now": now, "taught_before": taught, "after": after}
        with self._connections.reading() as session:
            number = self._place(session, collection_id)[0]
            row = session.one(lifetimes.NEXT, {"number": number, **values})
        own, oldest = row or (None, None)
        ends = [] if own is None else [to_moment(own)]
        if max_age is not None and oldest is not None:
            ends.append(to_moment(oldest) + max_age)
        return min(ends, default=None)

    def forgotten(self, collection_id: str, before: datetime, limit: int) -> list[str]:
        """Supports forgotten before that moment and not erased yet, in teaching order."""
        values = {"cutoff": to_number(before), "limit": limit}
        return self._ids(lifetimes.FORGOTTEN, collection_id, values)

    def lost(self, collection_id: str, sequence: int, before: datetime) -> list[str | None]:
        """Labels of the supports that were live after that write and forgotten before `before`."""
        values = {"sequence": sequence, "cutoff": to_number(before)}
        return [row[0] for row in self._rows(lifetimes.LOST, collection_id, values)]

    def life(self, collection_id: str, support_id: str) -> Life:
        """Of one support, live or forgotten."""
        (row,) = self._rows(lifetimes.LIFE, collection_id, {"support_id": support_id})
        return _life(*row)

    def ages(self, collection_id: str) -> list[tuple[str, Life]]:
        """Label and life of every active support of a class, in teaching order."""
        rows = self._rows(lifetimes.AGES, collection_id, {})
        return [(row[0], _life(*row[1:])) for row in rows]

    def _ids(self, statement: ClauseElement, collection_id: str, values: Values) -> list[str]:
        return [row[0] for row in self._rows(statement, collection_id, values)]

    def _rows(self, statement: ClauseElement, collection_id: str, values: Values) -> list[Columns]:
        with self._connections.reading() as session:
            number = self._place(session, collection_id)[0]
            return list(session.rows(statement, {"number": number, **values}))


def _taught_before(now: datetime, max_age: timedelta | None) -> int:
    return _BEFORE_ALL if max_age is None else to_number(now - max_age)


def _life(taught_at: int, expires_at: int | None, reason: str | None) -> Life:
    until = None if expires_at is None else to_moment(expires_at)
    return Life(to_moment(taught_at), until, reason == lifetimes.RENEWED)
