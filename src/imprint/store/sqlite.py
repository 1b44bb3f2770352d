"""SQLite under the store: connections, the one write lock, and its failures in our words.

Readers take a connection from a small pool and never wait for the writer (write-ahead log). The
writer holds a lock of this process and, through BEGIN IMMEDIATE, SQLite's lock between processes;
files of raw samples are written and removed under the same lock.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from imprint.errors import (
    BusyError,
    ConflictError,
    ImprintError,
    InvalidOptionError,
    ReadOnlyError,
    SampleTooLargeError,
    StorageFullError,
    WorkspaceCorruptError,
    WorkspaceLockedError,
)
from imprint.store.session import Session, Statements

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_MEMORY = ":memory:"
_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA cell_size_check=ON",
)
# SQLite's extended result code holds the primary one in its lowest byte.
_BUSY, _LOCKED, _READ_ONLY, _IO, _CORRUPT, _FULL = 5, 6, 8, 10, 11, 13
_CANT_OPEN, _TOO_BIG, _NOT_OURS = 14, 18, 26
# Of the input/output failures, those of reading: bad sectors, a file cut short.
_IO_READING = {266, 522, 8202, 8458}


class SqliteConnections:
    """The connections to one database file, or the single connection of one in memory."""

    def __init__(self, address: str, *, timeout_s: float, read_only: bool = False) -> None:
        """Prepare; nothing is opened yet. `address` is a SQLite URI or `IN_MEMORY`."""
        self.in_memory = address == IN_MEMORY
        self.read_only = read_only
        self._address = address
        self._timeout_s = timeout_s
        # NullPool: sessions are kept here, where giving one back costs no round trip.
        # hide_parameters: values are samples, and exceptions are printed.
        self._engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=NullPool,
            paramstyle="named",
            hide_parameters=True,
        )
        self._statements = Statements(self._engine.dialect)
        self._idle: deque[Session] = deque()
        self._writer: Session | None = None
        # In memory, readers share the writer's connection and so its lock too.
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._closed = threading.Event()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees the last commit, whoever made it."""
        if self._closed.is_set():
            raise InvalidOptionError("this workspace is closed; open it again")
        if self.in_memory:
            with self._lock, _in_our_words():
                yield self._writing_session()
            return
        with _in_our_words():
            try:
                session = self._idle.pop()
            except IndexError:
                session = self._open()
            try:
                yield session
            finally:
                self._idle.append(session)
                if self._closed.is_set():
                    self._close_idle()

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session that sees one commit throughout, for reads of many statements."""
        with self.reading() as session:
            session.native("BEGIN")
            try:
                yield session
            finally:
                with suppress(DBAPIError):
                    session.native("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session in a transaction: durable when the block has ended, undone when it raised."""
        self._acquire()
        try:
            with _in_our_words():
                session = self._writing_session()
                session.broken = False
                session.native("BEGIN IMMEDIATE")
                try:
                    yield session
                    _commit(session)
                except BaseException:
                    with suppress(DBAPIError):  # a full disk makes SQLite roll back by itself
                        session.native("ROLLBACK")
                    raise
        finally:
            self._owner = None
            self._lock.release()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database and empty it, if no reader is in the way."""
        if not self.in_memory and not self.read_only:
            with suppress(ImprintError), self.reading() as session:
                session.native("PRAGMA wal_checkpoint(TRUNCATE)")

    def rewrite(self) -> bool:
        """Write the whole database anew without its free space, and empty the log.

        Returns whether both were done: a reader in another process can be in the way.
        """
        if self.read_only:
            return False
        with suppress(ImprintError), self.reading() as session:
            session.native("VACUUM")
            if self.in_memory:
                return True
            return bool(session.native("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0)
        return False

    def close(self) -> None:
        """Close every connection that is not in use now, and the others when they come back."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._close_idle()
        if self._lock.acquire(timeout=self._timeout_s):
            try:
                if self._writer is not None:
                    self._writer.close()
            finally:
                self._lock.release()

    def _acquire(self) -> None:
        if self._closed.is_set():
            raise InvalidOptionError("this workspace is closed; open it again")
        if self.read_only:
            raise ReadOnlyError(
                "this workspace is open for reading only; open it where its folder can be written"
            )
        if self._owner == threading.get_ident():
            raise InvalidOptionError("a transaction of this thread is still open; end it first")
        if not self._lock.acquire(timeout=self._timeout_s):
            raise _locked()
        self._owner = threading.get_ident()

    def _writing_session(self) -> Session:
        if self._writer is None:
            self._writer = self._open()
        return self._writer

    def _open(self) -> Session:
        return Session(self._engine.connect(), self._statements)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._address,
            uri=not self.in_memory,
            isolation_level=None,  # transactions begin where `writing` says, nowhere else
            check_same_thread=False,  # one thread at a time is ensured here
            timeout=self._timeout_s,
            cached_statements=256,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def _commit(session: Session) -> None:
    if session.broken:
        raise WorkspaceCorruptError("a write failed halfway and was undone; nothing was stored")
    session.native("COMMIT")


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except DBAPIError as failure:
        raise _translated(failure) from failure


def _translated(failure: DBAPIError) -> Exception:
    number = getattr(failure.orig, "sqlite_errorcode", 0)
    primary = number & 0xFF
    if primary == _IO and number in _IO_READING:
        primary = _CORRUPT
    if isinstance(failure, IntegrityError):
        return ConflictError("the write clashes with what is stored; nothing was stored")
    if not number and isinstance(failure.orig, sqlite3.OperationalError):
        return _damaged(number)  # the driver's own complaint: text that is no UTF-8
    refusal = _REFUSALS.get(primary)
    return failure if refusal is None else refusal(number)


def _full(number: int) -> StorageFullError:
    return StorageFullError(
        f"the disk is full or refused a write (SQLite {number}); nothing was stored; free some "
        "space and try again",
        retry_after_s=30.0,
    )


def _locked(_number: int = _BUSY) -> WorkspaceLockedError:
    return WorkspaceLockedError(
        "another writer has held this workspace for too long; nothing was stored; try again",
        retry_after_s=2.0,
    )


def _unwritable(number: int) -> ReadOnlyError:
    return ReadOnlyError(
        f"the workspace's files cannot be written (SQLite {number}); nothing was stored; open it "
        "where its folder can be written"
    )


def _damaged(number: int) -> WorkspaceCorruptError:
    return WorkspaceCorruptError(
        f"the workspace's database is damaged or no database (SQLite {number}); run "
        "`imprint doctor` and restore a backup"
    )


def _unopened(number: int) -> BusyError:
    return BusyError(
        f"the workspace's database could not be opened (SQLite {number}); check permissions, free "
        "space and the limit of open files"
    )


def _too_large(_number: int) -> SampleTooLargeError:
    return SampleTooLargeError("a value is larger than the database can hold; nothing was stored")


_REFUSALS: dict[int, Callable[[int], ImprintError]] = {
    _BUSY: _locked,
    _LOCKED: _locked,
    _READ_ONLY: _unwritable,
    _IO: _full,
    _CORRUPT: _damaged,
    _FULL: _full,
    _CANT_OPEN: _unopened,
    _TOO_BIG: _too_large,
    _NOT_OURS: _damaged,
}
