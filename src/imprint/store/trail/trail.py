"""The trail of a whole workspace, for its operator: listing, exporting, verifying."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imprint.errors import InvalidOptionError
from imprint.store.rows import from_json, to_moment
from imprint.store.schema import trail
from imprint.store.trail.append import head_of
from imprint.store.trail.chain import EMPTY
from imprint.store.trail.verify import TrailProblem, verified_trail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imprint.store.sealing.keyring import Keyring
    from imprint.store.session import Columns
    from imprint.store.sqlite import SqliteConnections
    from imprint.store.trail.verify import TrailReport

_ANCHOR = re.compile(r"(\d{1,18}):([0-9a-fA-F]{64})")
_PAGE = 1_000


class Trail:
    """Reads the trail; the keyring gives the workspace's audit key where there is one."""

    def __init__(self, connections: SqliteConnections, keyring: Keyring) -> None:
        self._connections = connections
        self._keyring = keyring

    def anchor(self) -> str:
        """Number of rows and hash of the last one; verifying later can prove it was passed."""
        with self._connections.reading() as session:
            head = head_of(session) or EMPTY
        return f"{head.n_rows}:{head.hash.hex()}"

    def verify(self, anchor: str | None = None) -> TrailReport:
        """Follow the whole chain; `anchor` is what `anchor` or an earlier report gave.

        Raises:
            InvalidOptionError: the anchor is not of the form "rows:hash".
        """
        wanted = None if anchor is None else _parsed(anchor)
        with self._connections.snapshot() as session:
            report = verified_trail(session, self._keyring.audit_key(session), wanted)
            if not self._keyring.audit_key_lost(session):
                return report
        lost = TrailProblem(None, "the key that seals the head was taken away")
        return replace(report, ok=False, problems=(*report.problems, lost))

    def rows(self, tenant: str | None = None, after: int = 0) -> Iterator[dict[str, Any]]:
        """Every row as a JSON object, oldest first, with what is needed to check its hash."""
        chosen = {} if tenant is None else {"name": tenant}
        statement = trail.ROWS if tenant is None else trail.ROWS_OF
        while True:
            with self._connections.reading() as session:
                page = session.rows(statement, {**chosen, "after": after, "limit": _PAGE})
            yield from map(_shaped, page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]


def _parsed(anchor: str) -> tuple[int, str]:
    found = _ANCHOR.fullmatch(anchor.strip())
    if found is None:
        raise InvalidOptionError(
            "an anchor is the number of rows, a colon and 64 hexadecimal digits, as "
            "`imprint audit verify` prints it"
        )
    return int(found[1]), found[2]


def _shaped(row: Columns) -> dict[str, Any]:
    audit_id, tenant, at, actor, verb, collection, detail, salt, digest, value, name = row
    shaped: dict[str, Any] = {
        "audit_id": audit_id,
        "tenant": name,
        "tenant_number": tenant,
        "at": to_moment(at).isoformat(),
        "at_us": at,
        "actor": actor,
        "verb": verb,
        "collection": collection,
        "detail": from_json(detail),
    }
    for key, blob in (("salt", salt), ("digest", digest), ("hash", value)):
        if blob is not None:
            shaped[key] = blob.hex()
    return shaped
