"""SQLite under the store: connections, the one write lock, and its failures in our words.

Readers take a connection from a small pool and never wait for the writer (write-ahead log). The
writer holds a lock of this process and, through BEGIN IMMEDIATE, SQLite's lock between processes;
files of raw samples are written and removed under the same lock.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from imprint.errors import (
    ConflictError,
    ImprintError,
    InvalidOptionError,
    ReadOnlyError,
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
_BUSY, _LOCKED, _READ_ONLY, _IO, _CORRUPT, _FULL, _CANT_OPEN, _NOT_OURS = (
    5,
    6,
    8,
    10,
    11,
    13,
    14,
    26,
)


class SqliteConnections:
    """The connections to one database file, or the single connection of one in memory."""

    def __init__(self, address: str, *, timeout_s: float, read_only: bool = False) -> None:
        """Prepare; nothing is opened yet. `address` is a SQLite URI or `IN_MEMORY`."""
        self.in_memory = address == IN_MEMORY
        self.read_only = read_only
        self._address = address
        self._timeout_s = timeout_s
        # NullPool: sessions are kept here, where giving one back costs no round trip.
        self._engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=NullPool, paramstyle="named"
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
            with self._lock, _in_our_words(writing=False):
                yield self._writing_session()
            return
        with _in_our_words(writing=False):
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
    def writing(self) -> Iterator[Session]:
        """A session in a transaction: durable when the block has ended, undone when it raised."""
        self._acquire()
        try:
            with _in_our_words(writing=True):
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
def _in_our_words(*, writing: bool) -> Iterator[None]:
    try:
        yield
    except DBAPIError as failure:
        raise _translated(failure, writing=writing) from failure


def _translated(failure: DBAPIError, *, writing: bool) -> Exception:
    number = getattr(failure.orig, "sqlite_errorcode", None) or 0
    primary = number & 0xFF
    if primary == _FULL or (primary == _IO and writing):
        return StorageFullError(
            f"the disk is full or refused a write (SQLite {number}); nothing was stored; "
            "free some space and try again",
            retry_after_s=30.0,
        )
    if primary in (_BUSY, _LOCKED):
        return _locked()
    if primary in (_READ_ONLY, _CANT_OPEN) and writing:
        return ReadOnlyError("the workspace's files cannot be written; nothing was stored")
    if primary in (_CORRUPT, _NOT_OURS, _IO, _CANT_OPEN):
        return WorkspaceCorruptError(
            f"the workspace's database is damaged or unreadable (SQLite {number}); "
            "run `imprint doctor` and restore a backup"
        )
    if isinstance(failure, IntegrityError):
        return ConflictError("the write clashes with what is stored; nothing was stored")
    return failure


def _locked() -> WorkspaceLockedError:
    return WorkspaceLockedError(
        "another writer has held this workspace for too long; nothing was stored; try again",
        retry_after_s=2.0,
    )
