"""Limits of tenants, and what each class holds, counted by triggers.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = (
    "INSERT INTO usage (collection, label, n_live, n_bytes) VALUES (NEW.collection, "
    "coalesce(NEW.label, ''), NEW.removed_sequence IS NULL, NEW.size_bytes) "
    "ON CONFLICT (collection, label) DO UPDATE SET n_live = n_live + excluded.n_live, "
    "n_bytes = n_bytes + excluded.n_bytes;"
)
LEFT = (
    "UPDATE usage SET n_live = n_live - (OLD.removed_sequence IS NULL), "
    "n_bytes = n_bytes - OLD.size_bytes "
    "WHERE collection = OLD.collection AND label = coalesce(OLD.label, '');"
)
TRIGGERS = (
    f"CREATE TRIGGER usage_adds AFTER INSERT ON supports BEGIN {ADDED} END",
    f"CREATE TRIGGER usage_leaves AFTER DELETE ON supports BEGIN {LEFT} END",
    (
        "CREATE TRIGGER usage_changes AFTER UPDATE OF collection, label, removed_sequence, "
        f"size_bytes ON supports BEGIN {LEFT} {ADDED} END"
    ),
    (
        "CREATE TRIGGER usage_ends AFTER DELETE ON collections "
        "BEGIN DELETE FROM usage WHERE collection = OLD.id; END"
    ),
)


def upgrade() -> None:
    """Make both tables, count what is there, and keep counting."""
    op.create_table(
        "quotas",
        sa.Column("tenant", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("most", BIG, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_quotas_tenant")),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_quotas")),
    )
    op.create_table(
        "usage",
        sa.Column("collection", BIG, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("n_live", BIG, nullable=False),
        sa.Column("n_bytes", BIG, nullable=False),
        sa.PrimaryKeyConstraint("collection", "label", name=op.f("pk_usage")),
    )
    op.execute(
        "INSERT INTO usage (collection, label, n_live, n_bytes) "
        "SELECT collection, coalesce(label, ''), sum(removed_sequence IS NULL), sum(size_bytes) "
        "FROM supports GROUP BY collection, coalesce(label, '')"
    )
    if op.get_bind().dialect.name == "sqlite":
        for trigger in TRIGGERS:
            op.execute(trigger)
