"""One connection that runs SQLAlchemy Core statements, each compiled once per back end.

Statements are module constants; their text is kept by identity. Going through the compiled text
halves the cost of a write's statements; see docs/measurements/store.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import DBAPIError, IntegrityError

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import Dialect
    from sqlalchemy.engine.cursor import CursorResult
    from sqlalchemy.sql import ClauseElement
    from sqlalchemy.sql.compiler import SQLCompiler

Values = dict[str, Any]
Columns = tuple[Any, ...]  # one row


class Statements:
    """Compiled texts for one dialect, shared by all sessions of a store."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._kept: dict[int, tuple[str, Values, ClauseElement]] = {}

    def text(self, statement: ClauseElement) -> tuple[str, Values]:
        """The statement in the back end's own words, and the values it brings itself."""
        kept = self._kept.get(id(statement))
        if kept is None:
            compiled = cast("SQLCompiler", statement.compile(dialect=self._dialect))
            own = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
            kept = (str(compiled), own, statement)  # the statement too: its identity is the key
            self._kept[id(statement)] = kept
        return kept[0], kept[1]


class Session:
    """A connection in autocommit mode; whoever hands it out says where transactions begin and end.

    `broken` turns true when the back end failed in the middle of something: such a transaction must
    not be committed, even when the caller swallowed the exception.
    """

    __slots__ = ("_connection", "_statements", "broken")

    def __init__(self, connection: Connection, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements
        self.broken = False

    def rows(self, statement: ClauseElement, values: Values | None = None) -> list[Columns]:
        """Every row of a query."""
        words, own = self._statements.text(statement)
        return cast("list[Columns]", self._execute(words, own | (values or {})).fetchall())

    def one(self, statement: ClauseElement, values: Values | None = None) -> Columns | None:
        """The first row of a query, or None."""
        words, own = self._statements.text(statement)
        found = self._execute(words, own | (values or {}))
        row = found.fetchone()
        found.close()
        return cast("Columns | None", row)

    def run(self, statement: ClauseElement, values: Values | list[Values]) -> None:
        """Write once, or once per element of a list."""
        words, own = self._statements.text(statement)
        if own:
            values = [own | v for v in values] if isinstance(values, list) else own | values
        self._execute(words, values)

    def native(self, words: str) -> list[Columns]:
        """Run the back end's own words (transaction control, pragmas)."""
        result = self._execute(words, None)
        return cast("list[Columns]", result.fetchall()) if result.returns_rows else []

    def connection(self) -> Connection:
        """The SQLAlchemy connection, for making tables and migrations."""
        return self._connection

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()

    def _execute(self, words: str, values: Values | list[Values] | None) -> CursorResult[*Columns]:
        try:
            return self._connection.exec_driver_sql(words, values)
        except IntegrityError:
            raise
        except DBAPIError:
            self.broken = True
            raise
