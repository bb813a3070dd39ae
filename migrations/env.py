"""How Alembic reaches the database: on a connection handed over by `bot.migrate`, or by DATABASE_URL from its own command line."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from bot.store.schema import metadata


def migrate(connection: Connection) -> None:
    """Run on this connection. Batch mode: SQLite cannot alter a table in place."""
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, compare_server_default=True
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """For Alembic's own command line."""
    from bot.config import load
    from bot.database import store_url
    from bot.store import open_store

    store = open_store(store_url(load()))
    try:
        async with store.connect(write=True) as connection:
            await connection.run_sync(migrate)
    finally:
        await store.close()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    asyncio.run(connect_and_migrate())
