"""The first schema.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    _tenants()
    _audit()
    _collections()
    _doomed_files()
    _keys()
    _requests()
    _answers()
    _feedback()
    _generations()
    _supports()
    _embeddings()
    _raws()
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_forbids_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("name", name=op.f("uq_tenants_name")),
        sqlite_autoincrement=True,
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_audit_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_tenant"), "audit", ["tenant"], unique=False)


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("id", BIG, nullable=False),
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("encoder_name", sa.Text(), nullable=False),
        sa.Column("encoder_version", sa.Text(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_collections_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint(
            "tenant", "collection_id", name=op.f("uq_collections_tenant_collection_id")
        ),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_collections_tenant_name")),
        sqlite_autoincrement=True,
    )


def _doomed_files() -> None:
    op.create_table(
        "doomed_files",
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_doomed_files_tenant")),
        sa.PrimaryKeyConstraint("tenant", "sha256", name=op.f("pk_doomed_files")),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=True),
        sa.Column("revoked_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_keys_tenant")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_requests_tenant")),
        sa.PrimaryKeyConstraint("tenant", "key", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_at"), "requests", ["at"], unique=False)


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", BIG, nullable=False),
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("collection", BIG, nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("encoder_version", sa.Text(), nullable=False),
        sa.Column("generation", BIG, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("answered_at", BIG, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.id"], name=op.f("fk_answers_collection")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_answers_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        sa.UniqueConstraint("tenant", "answer_id", name=op.f("uq_answers_tenant_answer_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_answers_collection"), "answers", ["collection"], unique=False)


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", BIG, nullable=False),
        sa.Column("collection", BIG, nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.id"], name=op.f("fk_feedback_collection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_collection"), "feedback", ["collection"], unique=False)


def _generations() -> None:
    op.create_table(
        "generations",
        sa.Column("collection", BIG, nullable=False),
        sa.Column("generation", BIG, nullable=False),
        sa.Column("encoder_version", sa.Text(), nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.id"], name=op.f("fk_generations_collection")
        ),
        sa.PrimaryKeyConstraint("collection", "generation", name=op.f("pk_generations")),
    )


def _supports() -> None:
    op.create_table(
        "supports",
        sa.Column("collection", BIG, nullable=False),
        sa.Column("added_sequence", BIG, nullable=False),
        sa.Column("changed_sequence", BIG, nullable=False),
        sa.Column("removed_sequence", BIG, nullable=True),
        sa.Column("support_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("taught_at", BIG, nullable=False),
        sa.Column("taught_by", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("size_bytes", BIG, nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("erased_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.id"], name=op.f("fk_supports_collection")
        ),
        sa.PrimaryKeyConstraint("collection", "added_sequence", name=op.f("pk_supports")),
        sa.UniqueConstraint(
            "collection", "support_id", name=op.f("uq_supports_collection_support_id")
        ),
    )
    op.create_index(
        op.f("ix_supports_collection_changed_sequence"),
        "supports",
        ["collection", "changed_sequence"],
        unique=False,
    )
    op.create_index(
        op.f("ix_supports_collection_label_added_sequence"),
        "supports",
        ["collection", "label", "added_sequence"],
        unique=False,
    )
    op.create_index(
        "uq_supports_live_content",
        "supports",
        ["collection", "content_hash"],
        unique=True,
        sqlite_where=sa.text("removed_sequence IS NULL"),
    )


def _embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("collection", BIG, nullable=False),
        sa.Column("added_sequence", BIG, nullable=False),
        sa.Column("encoder_version", sa.Text(), nullable=False),
        sa.Column("checksum", BIG, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection", "added_sequence"],
            ["supports.collection", "supports.added_sequence"],
            name=op.f("fk_embeddings_collection_added_sequence"),
        ),
        sa.PrimaryKeyConstraint(
            "collection", "added_sequence", "encoder_version", name=op.f("pk_embeddings")
        ),
    )


def _raws() -> None:
    op.create_table(
        "raws",
        sa.Column("collection", BIG, nullable=False),
        sa.Column("added_sequence", BIG, nullable=False),
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection", "added_sequence"],
            ["supports.collection", "supports.added_sequence"],
            name=op.f("fk_raws_collection_added_sequence"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_raws_tenant")),
        sa.PrimaryKeyConstraint("collection", "added_sequence", name=op.f("pk_raws")),
    )
    op.create_index(
        "ix_raws_files",
        "raws",
        ["tenant", "sha256"],
        unique=False,
        sqlite_where=sa.text("content IS NULL"),
    )
