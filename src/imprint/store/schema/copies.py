"""Statements of the list of copies."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select, update

from imprint.store.schema.tables import backups

ADD = insert(backups).values(
    at=bindparam("at"), place=bindparam("place"), manifest_sha256=bindparam("manifest_sha256")
)
EVERY = select(backups.c.id, backups.c.at, backups.c.place, backups.c.manifest_sha256).order_by(
    backups.c.id
)
CHANGED = (
    update(backups)
    .where(backups.c.id == bindparam("copy"))
    .values(manifest_sha256=bindparam("new_sha256"))
)
DROP = delete(backups).where(backups.c.id == bindparam("copy"))
