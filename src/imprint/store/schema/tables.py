"""The tables of a workspace, as SQLAlchemy metadata that SQLite and PostgreSQL both understand.

Times are whole microseconds since 1970 in UTC and JSON is text, so that rows need no conversion by
the driver and mean the same in every back end. A support is addressed by (collection,
added_sequence): known before it is inserted, so a group needs no round trip for generated ids.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from imprint.store.schema.counting import USAGE_TRIGGERS

# Revisions this code can read, oldest first; the last one is what it writes.
REVISIONS = ("0001", "0002", "0003", "0004")
HEAD = REVISIONS[-1]

Big = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in INTEGER columns
# Partial indexes name their condition for SQLite only: naming PostgreSQL here would import its
# whole dialect at every start; `index.dialect_kwargs` takes it when that back end is opened.
_LIVE = text("removed_sequence IS NULL")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))

tenants = Table(
    "tenants",
    metadata,
    Column("id", Big, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("sealed_at", Big),
    Column("erased_at", Big),
    sqlite_autoincrement=True,
)

# One wrapped key per row. `tenant` NULL is the workspace itself (its audit key). Of a tenant's keys
# of purpose "seal" the newest that is not retired seals; retired ones are kept until nothing is
# left that they sealed. Key numbers stand in ciphertexts and are never given out again.
data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Big, primary_key=True),
    Column("tenant", Big, ForeignKey("tenants.id")),
    Column("purpose", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master_key", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("retired_at", Big),
    Index(None, "tenant"),
    sqlite_autoincrement=True,
)

# `sealed_at` of a tenant is when its last plain row was sealed, NULL while some may be left.
#
# AUTOINCREMENT: the number of a dropped collection is never given out again, so a number
# remembered by another process can only lead to nothing, never to someone else's rows.
collections = Table(
    "collections",
    metadata,
    Column("id", Big, primary_key=True),
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("collection_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("encoder_name", Text, nullable=False),
    Column("encoder_version", Text, nullable=False),
    Column("dim", Integer, nullable=False),
    Column("policy", Text, nullable=False),
    Column("sequence", Big, nullable=False),
    Column("created_at", Big, nullable=False),
    UniqueConstraint("tenant", "name"),
    UniqueConstraint("tenant", "collection_id"),
    sqlite_autoincrement=True,
)

# `label` NULL is a negative. Forgetting sets `removed_sequence`; erasing also sets `erased_at`,
# blanks what could identify the sample and deletes the rows below. Where the tenant has a key,
# `metadata` is "{}" and `content_hash` a keyed hash; `sealed` holds the two, sealed by key number
# `sealed_by`. `reason` says why a support was taken out or held back.
supports = Table(
    "supports",
    metadata,
    Column("collection", Big, ForeignKey("collections.id"), nullable=False),
    Column("added_sequence", Big, nullable=False),
    Column("changed_sequence", Big, nullable=False),
    Column("removed_sequence", Big),
    Column("support_id", Text, nullable=False),
    Column("label", Text),
    Column("state", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("taught_at", Big, nullable=False),
    Column("taught_by", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("media_type", Text),
    Column("size_bytes", Big, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("erased_at", Big),
    Column("removed_at", Big),
    Column("expires_at", Big),
    Column("reason", Text),
    Column("sealed", LargeBinary),
    Column("sealed_by", Big),
    PrimaryKeyConstraint("collection", "added_sequence"),
    UniqueConstraint("collection", "support_id"),
    Index(
        "uq_supports_live_content", "collection", "content_hash", unique=True, sqlite_where=_LIVE
    ),
    Index(None, "collection", "changed_sequence"),
    Index(None, "collection", "label", "added_sequence"),
)

_SUPPORT = ("collection", "added_sequence")
_SUPPORT_KEY = ("supports.collection", "supports.added_sequence")

# What a support was before a review or a return changed it: its label, state and removal as they
# stood for every sequence under `until_sequence`.
revisions = Table(
    "revisions",
    metadata,
    Column("collection", Big, nullable=False),
    Column("added_sequence", Big, nullable=False),
    Column("until_sequence", Big, nullable=False),
    Column("label", Text),
    Column("state", Text, nullable=False),
    Column("removed_sequence", Big),
    PrimaryKeyConstraint("collection", "added_sequence", "until_sequence"),
    ForeignKeyConstraint(_SUPPORT, _SUPPORT_KEY),
)

# One row per encoder version, so that a change of encoder can embed beside the old rows.
# `checksum` is the CRC-32 of the bytes: SQLite itself would hand out a damaged page's content.
# A sealed vector carries its support's content hash inside the seal.
embeddings = Table(
    "embeddings",
    metadata,
    Column("collection", Big, nullable=False),
    Column("added_sequence", Big, nullable=False),
    Column("encoder_version", Text, nullable=False),
    Column("checksum", Big, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("sealed_by", Big),
    PrimaryKeyConstraint("collection", "added_sequence", "encoder_version"),
    ForeignKeyConstraint(_SUPPORT, _SUPPORT_KEY),
)

# Raw bytes: small ones in `content`, larger ones (content NULL) in the file named by `sha256`.
# Where the tenant has a key, `sha256` is the keyed hash of the bytes and the bytes are sealed.
raws = Table(
    "raws",
    metadata,
    Column("collection", Big, nullable=False),
    Column("added_sequence", Big, nullable=False),
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content", LargeBinary),
    Column("sealed_by", Big),
    PrimaryKeyConstraint("collection", "added_sequence"),
    ForeignKeyConstraint(_SUPPORT, _SUPPORT_KEY),
    Index("ix_raws_files", "tenant", "sha256", sqlite_where=text("content IS NULL")),
)

# Files whose last row was deleted by a committed transaction and that still have to be unlinked.
doomed_files = Table(
    "doomed_files",
    metadata,
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("sha256", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "sha256"),
)

generations = Table(
    "generations",
    metadata,
    Column("collection", Big, ForeignKey("collections.id"), nullable=False),
    Column("generation", Big, nullable=False),
    Column("encoder_version", Text, nullable=False),
    Column("sequence", Big, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("sealed", LargeBinary),
    Column("sealed_by", Big),
    PrimaryKeyConstraint("collection", "generation"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Big, primary_key=True),
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("collection", Big, ForeignKey("collections.id"), nullable=False),
    Column("answer_id", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("encoder_version", Text, nullable=False),
    Column("generation", Big, nullable=False),
    Column("sequence", Big, nullable=False),
    Column("decision", Text, nullable=False),
    Column("label", Text),
    Column("confidence", Double, nullable=False),
    Column("detail", Text, nullable=False),
    Column("answered_at", Big, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Column("sealed_by", Big),
    UniqueConstraint("tenant", "answer_id"),
    Index(None, "collection"),
    sqlite_autoincrement=True,
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Big, primary_key=True),
    Column("collection", Big, ForeignKey("collections.id"), nullable=False),
    Column("answer_id", Text, nullable=False),
    Column("label", Text),
    Column("at", Big, nullable=False),
    Index(None, "collection"),
)

requests = Table(
    "requests",
    metadata,
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at", Big, nullable=False),
    Column("sealed", LargeBinary),
    Column("sealed_by", Big),
    PrimaryKeyConstraint("tenant", "key"),
    Index(None, "at"),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
    Column("revoked_at", Big),
)

# See trail/chain.py: `hash` binds a row to the one before it; a row of an erased tenant keeps only
# the `digest` of what it said.
audit = Table(
    "audit",
    metadata,
    Column("id", Big, primary_key=True),
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("at", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("collection", Text),
    Column("detail", Text, nullable=False),
    Column("salt", LargeBinary),
    Column("digest", LargeBinary),
    Column("hash", LargeBinary),
    Index(None, "tenant"),
    sqlite_autoincrement=True,
)

# One row: where the chain ends, so that a tail cut off is missed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("n_rows", Big, nullable=False),
    Column("last_id", Big, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("seal", LargeBinary),
)

# Copies made of this workspace, so that erasing a tenant knows where else to look.
backups = Table(
    "backups",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Big, nullable=False),
    Column("place", Text, nullable=False),
    Column("manifest_sha256", Text, nullable=False),
    sqlite_autoincrement=True,
)

# What a tenant may hold and ask for: a row for each limit that is set.
quotas = Table(
    "quotas",
    metadata,
    Column("tenant", Big, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("most", Big, nullable=False),
    PrimaryKeyConstraint("tenant", "name"),
)

# What each class holds; the label "" is that of negatives. Triggers keep it.
usage = Table(
    "usage",
    metadata,
    Column("collection", Big, nullable=False),
    Column("label", Text, nullable=False),
    Column("n_live", Big, nullable=False),
    Column("n_bytes", Big, nullable=False),
    PrimaryKeyConstraint("collection", "label"),
)
for _trigger in USAGE_TRIGGERS:
    event.listen(metadata, "after_create", DDL(_trigger).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]

AUDIT_TRIGGERS = tuple(
    f"CREATE TRIGGER audit_forbids_{verb.lower()} BEFORE {verb} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
for _trigger in AUDIT_TRIGGERS:
    event.listen(audit, "after_create", DDL(_trigger).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
