"""One tenant's repositories: every statement carries the tenant's number."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from imprint.errors import (
    AnswerNotFoundError,
    BlobMissingError,
    CollectionNotFoundError,
    ConflictError,
    ImprintError,
    SupportNotFoundError,
)
from imprint.store.erasing.lifetimes import Lifetimes
from imprint.store.rows import (
    from_json,
    to_answer,
    to_audit,
    to_changes,
    to_collection,
    to_generation,
    to_moment,
    to_number,
    to_support,
)
from imprint.store.schema import erasing, reads, writes
from imprint.store.sealing.keyring import Opener
from imprint.store.sealing.raws import raw_content
from imprint.store.sealing.reading import (
    plain_answer,
    plain_changes,
    plain_generation,
    plain_request,
    plain_support,
)
from imprint.store.writing.answers import answer_values
from imprint.store.writing.scope import Scope
from imprint.store.writing.transaction import SqlTransaction
from imprint.types import RawItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from imprint.store.ports import AnswerRow, AuditRow, Change, CollectionRow, GenerationRow
    from imprint.store.session import Columns, Session, Values
    from imprint.store.workspace import SqlStore
    from imprint.types import Support, SupportState

_NOBODY = 0  # the number of a tenant who has written nothing yet; rows are numbered from one


class SqlTenantStore:
    """Implements TenantStore over any back end that gives sessions."""

    def __init__(self, store: SqlStore, name: str) -> None:
        self._store = store
        self._name = name
        self._known: int | None = None
        self.lifetimes = Lifetimes(store.connections, self._place)

    @contextmanager
    def transaction(
        self,
        verb: str,
        *,
        actor: str,
        now: datetime,
        collection: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> Iterator[SqlTransaction]:
        """See TenantStore. `detail` is written at the end: it may be completed until then."""
        scope: Scope | None = None
        durable = False
        try:
            with self._store.connections.writing() as session:
                number = self._number_or_new(session)
                scope = Scope(session, number, self._name, to_number(now), actor)
                scope.files = self._store.files
                scope.sealer = self._store.keyring.writer(session, number, scope.now)
                scope.seal_key = self._store.keyring.audit_key(session, scope.now)
                made = SqlTransaction(scope)
                watch = self._store.quotas.watch(session, number)
                yield made
                watch.check()
                made.put_audit(verb, collection, detail or {})
            durable = True
            self._known = number
        finally:
            if scope is not None:
                self._tidy(scope, durable=durable)

    def collections(self) -> list[CollectionRow]:
        """See TenantStore."""
        with self._store.connections.reading() as session:
            tenant = self._number(session)
            return [to_collection(row) for row in session.rows(reads.COLLECTIONS, tenant)]

    def collection(self, name: str) -> CollectionRow:
        """See TenantStore."""
        with self._store.connections.reading() as session:
            row = session.one(reads.COLLECTION, {**self._number(session), "name": name})
        if row is None:
            raise CollectionNotFoundError(f"there is no collection named {name!r}")
        return to_collection(row)

    def sequence(self, collection_id: str) -> int:
        """See TenantStore."""
        with self._store.connections.reading() as session:
            row = session.one(
                reads.SEQUENCE, {**self._number(session), "collection_id": collection_id}
            )
        if row is None:
            raise _no_collection()
        return int(row[0])

    def changes(self, collection_id: str, after: int = 0) -> list[Change]:
        """See TenantStore."""
        with self._store.seeing() as session:
            number, dim, encoder_version = self._place(session, collection_id)
            values: Values = {"number": number, "encoder_version": encoder_version}
            rows = (
                session.rows(reads.CHANGES_AFTER, {**values, "after": after})
                if after > 0
                else session.rows(reads.CHANGES_ALL, values)
            )
            rows = plain_changes(rows, self._opener(session), number, encoder_version, dim)
        return to_changes(rows, dim)

    def as_of(self, collection_id: str, sequence: int) -> list[Change]:
        """See TenantStore."""
        with self._store.seeing() as session:
            number, dim, encoder_version = self._place(session, collection_id)
            values = {"number": number, "encoder_version": encoder_version, "sequence": sequence}
            rows = session.rows(reads.AS_OF, values)
            rows = plain_changes(rows, self._opener(session), number, encoder_version, dim)
        return to_changes(rows, dim, sequence)

    def supports(
        self,
        collection_id: str,
        *,
        label: str | None = None,
        state: SupportState | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Support]:
        """See TenantStore."""
        with self._store.seeing() as session:
            number, _, encoder_version = self._place(session, collection_id)
            values: Values = {"number": number, "limit": limit, "after": 0}
            if after is not None:
                last = session.one(reads.TAUGHT_AT, {"number": number, "support_id": after})
                if last is None:
                    raise _no_support()
                values["after"] = last[0]
            if label is not None:
                values["label"] = label
            if state is not None:
                values["state"] = state
            rows = session.rows(reads.PAGES[label is not None, state is not None], values)
            opener = self._opener(session)
            rows = [plain_support(row, opener, number) for row in rows]
        return [to_support(row, encoder_version) for row in rows]

    def support(self, collection_id: str, support_id: str) -> Support:
        """See TenantStore."""
        with self._store.seeing() as session:
            number, _, encoder_version = self._place(session, collection_id)
            row = session.one(reads.SUPPORT, {"number": number, "support_id": support_id})
            if row is None:
                raise _no_support()
            row = plain_support(row, self._opener(session), number)
        return to_support(row, encoder_version)

    def find_content(self, collection_id: str, content_hash: str) -> Support | None:
        """See TenantStore."""
        with self._store.seeing() as session:
            number, _, encoder_version = self._place(session, collection_id)
            opener = self._opener(session)
            values = {"content_hash": content_hash, "keyed_hash": opener.keyed(content_hash)}
            row = session.one(reads.SAME_CONTENT, {"number": number, **values})
            if row is None:
                return None
            row = plain_support(row, opener, number)
        return to_support(row, encoder_version)

    def raw(self, collection_id: str, support_id: str) -> RawItem | None:
        """See TenantStore."""
        try:
            return self._raw(collection_id, support_id)
        except BlobMissingError:
            # It may just have been erased: then there is no support either, and that is the answer.
            return self._raw(collection_id, support_id)

    def generation(self, collection_id: str, generation: int | None = None) -> GenerationRow | None:
        """See TenantStore."""
        with self._store.seeing() as session:
            number = self._place(session, collection_id)[0]
            row = (
                session.one(reads.NEWEST_GENERATION, {"number": number})
                if generation is None
                else session.one(reads.GENERATION, {"number": number, "generation": generation})
            )
            if row is None:
                return None
            row = plain_generation(row, self._opener(session), number)
        return to_generation(row)

    def log_answers(self, rows: Iterable[AnswerRow]) -> None:
        """See TenantStore."""
        waiting = list(rows)
        if not waiting:
            return
        with self._store.connections.writing() as session:
            tenant = self._number(session)["tenant"]
            numbers = {row.collection_id: 0 for row in waiting}
            for collection_id in numbers:
                numbers[collection_id] = self._place(session, collection_id)[0]
            now = to_number(waiting[0].answered_at)
            sealer = self._store.keyring.writer(session, tenant, now)
            session.run(
                writes.ADD_ANSWER,
                [answer_values(row, tenant, numbers[row.collection_id], sealer) for row in waiting],
            )
            session.run(writes.CUT_ANSWERS, {"cap": self._store.answer_cap})

    def answer(self, answer_id: str) -> AnswerRow:
        """See TenantStore."""
        with self._store.seeing() as session:
            row = session.one(reads.ANSWER, {**self._number(session), "answer_id": answer_id})
            if row is None:
                raise AnswerNotFoundError(
                    "no such answer on record; the prediction log keeps the newest answers only"
                )
            row = plain_answer(row, self._opener(session))
        return to_answer(row)

    def recent_answers(self, collection_id: str, limit: int = 256) -> list[AnswerRow]:
        """See TenantStore."""
        with self._store.seeing() as session:
            number = self._place(session, collection_id)[0]
            rows = session.rows(reads.RECENT_ANSWERS, {"number": number, "limit": limit})
            opener = self._opener(session)
            return [to_answer(plain_answer(row, opener)) for row in rows]

    def feedback(self, collection_id: str) -> list[tuple[str, str | None, datetime]]:
        """See TenantStore."""
        with self._store.connections.reading() as session:
            number = self._place(session, collection_id)[0]
            rows = session.rows(reads.FEEDBACK, {"number": number})
        return [(answer_id, label, to_moment(at)) for answer_id, label, at in rows]

    def recall_request(self, key: str) -> tuple[str, dict[str, Any]] | None:
        """See TenantStore."""
        with self._store.seeing() as session:
            row = session.one(reads.REQUEST, {**self._number(session), "key": key})
            if row is None:
                return None
            fingerprint, outcome = plain_request(row, self._opener(session), key)
        return fingerprint, from_json(outcome)

    def audit(self, limit: int = 100, after: int = 0) -> list[AuditRow]:
        """See TenantStore."""
        with self._store.connections.reading() as session:
            values = {**self._number(session), "limit": limit, "after": after}
            return [to_audit(row) for row in session.rows(reads.AUDIT, values)]

    def _number(self, session: Session) -> dict[str, int]:
        """This tenant's number as statement values."""
        if self._known is None:
            row = session.one(reads.TENANT, {"name": self._name})
            if row is None:
                return {"tenant": _NOBODY}
            self._known = row[0]
        return {"tenant": self._known}

    def _number_or_new(self, session: Session) -> int:
        # Kept only after the commit: an undone transaction takes the new tenant with it.
        if self._known is not None and not self._erased(session, self._known):
            return self._known
        row = session.one(reads.TENANT, {"name": self._name})
        if row is None:
            session.run(writes.ADD_TENANT, {"name": self._name})
            row = session.one(reads.TENANT, {"name": self._name})
        if row is None:
            raise ConflictError("the tenant could not be made; try again")
        return int(row[0])

    @staticmethod
    def _erased(session: Session, number: int) -> bool:
        """Whether the tenant was erased since: its name may belong to a new one by now."""
        row = session.one(erasing.ERASED, {"tenant": number})
        return row is None or row[0] is not None

    def _place(self, session: Session, collection_id: str) -> Columns:
        row = session.one(reads.PLACE, {**self._number(session), "collection_id": collection_id})
        if row is None:
            raise _no_collection()
        return row

    def _opener(self, session: Session) -> Opener:
        return Opener(self._store.keyring, session, self._number(session)["tenant"])

    def _raw(self, collection_id: str, support_id: str) -> RawItem | None:
        with self._store.seeing() as session:
            key = {"number": self._place(session, collection_id)[0], "support_id": support_id}
            row = session.one(reads.RAW, key)
            if row is None and session.one(reads.SUPPORT, key) is None:
                raise _no_support()
            if row is None:
                return None
            opener = self._opener(session)
            content = raw_content(row, opener, key["number"], self._store.files, self._name)
            return RawItem(content, row[2])

    def _tidy(self, done: Scope, *, durable: bool) -> None:
        """Unlink files nothing refers to any more. What fails here, the next opening does."""
        candidates = done.doomed if durable else done.written
        if candidates:
            with suppress(ImprintError):
                self._store.sweep([(self._name, sha256) for sha256 in candidates])
        if durable and done.erased:
            self._store.connections.checkpoint()


def _no_collection() -> CollectionNotFoundError:
    return CollectionNotFoundError("no such collection; it may have been dropped")


def _no_support() -> SupportNotFoundError:
    return SupportNotFoundError("no such support in this collection; it may have been forgotten")
