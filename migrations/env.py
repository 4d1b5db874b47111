"""Alembic's entry: the connection comes from `storage.migrate`, or from DELIBERATE_DATABASE_URL for `alembic`."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine

from storage.database import parse_url
from storage.tables import metadata


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


def _from_environment() -> None:
    engine = create_engine(parse_url(os.environ.get("DELIBERATE_DATABASE_URL", "")), poolclass=NullPool)
    with engine.begin() as connection:
        _migrate(connection)


given = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    _from_environment()
