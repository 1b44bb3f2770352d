"""Run by alembic for each command; the connection and its transaction are the caller's."""

from __future__ import annotations

from alembic import context

from imprint.store.schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
