"""Alembic's entry: runs on the connection and in the transaction that `database.migrate` opened."""

from __future__ import annotations

from alembic import context

from playground.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
