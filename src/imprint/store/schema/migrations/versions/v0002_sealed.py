"""Audit rows form a chain; rows can be sealed; copies of the workspace are on record.

Revision ID: 0002
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ROWS_AT_ONCE = 1_000


def upgrade() -> None:
    """Add columns and tables, then bind the audit rows that are there to each other."""
    _columns()
    _data_keys()
    _audit_head()
    _backups()
    _chain()


def _columns() -> None:
    added: dict[str, list[tuple[str, Any]]] = {
        "tenants": [("sealed_at", BIG), ("erased_at", BIG)],
        "supports": [("removed_at", BIG), ("expires_at", BIG), ("reason", sa.Text())],
        "embeddings": [("sealed_by", BIG)],
        "raws": [("sealed_by", BIG)],
        "audit": [(name, sa.LargeBinary()) for name in ("salt", "digest", "hash")],
    }
    for table, columns in added.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    for table in ("supports", "generations", "answers", "requests"):
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=True))
        op.add_column(table, sa.Column("sealed_by", BIG, nullable=True))


def _data_keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", BIG, nullable=False),
        sa.Column("tenant", BIG, nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master_key", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("retired_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_data_keys_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_data_keys_tenant"), "data_keys", ["tenant"], unique=False)


def _audit_head() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("n_rows", BIG, nullable=False),
        sa.Column("last_id", BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )


def _backups() -> None:
    op.create_table(
        "backups",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backups")),
        sqlite_autoincrement=True,
    )


def _chain() -> None:
    """Hash what is there, oldest first. The rule is written out: this file never changes."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TRIGGER audit_forbids_update")
    last, last_id, n_rows = bytes(32), 0, 0
    page = sa.text(
        "SELECT id, tenant, at, actor, verb, collection, detail FROM audit "
        "WHERE id > :after ORDER BY id LIMIT :limit"
    )
    bind = sa.text("UPDATE audit SET salt = :salt, hash = :hash WHERE id = :id")
    while rows := connection.execute(page, {"after": last_id, "limit": ROWS_AT_ONCE}).fetchall():
        for row in rows:
            salt = os.urandom(16)
            words = json.dumps(tuple(row), ensure_ascii=True, separators=(",", ":"))
            digest = hashlib.sha256(salt + words.encode()).digest()
            last = hashlib.sha256(last + digest).digest()
            last_id, n_rows = row[0], n_rows + 1
            connection.execute(bind, {"salt": salt, "hash": last, "id": last_id})
    if n_rows:
        head = sa.text("INSERT INTO audit_head (id, n_rows, last_id, hash) VALUES (1, :n, :i, :h)")
        connection.execute(head, {"n": n_rows, "i": last_id, "h": last})
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "CREATE TRIGGER audit_forbids_update BEFORE UPDATE ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        )
