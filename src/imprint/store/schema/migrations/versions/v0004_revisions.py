"""Supports keep what they were before a review or a return changed them.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table of revisions."""
    op.create_table(
        "revisions",
        sa.Column("collection", BIG, nullable=False),
        sa.Column("added_sequence", BIG, nullable=False),
        sa.Column("until_sequence", BIG, nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("removed_sequence", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["collection", "added_sequence"],
            ["supports.collection", "supports.added_sequence"],
            name=op.f("fk_revisions_collection_added_sequence"),
        ),
        sa.PrimaryKeyConstraint(
            "collection", "added_sequence", "until_sequence", name=op.f("pk_revisions")
        ),
    )
