"""Migrations lead to the models, on both databases, and back."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from bot.store import open_store
from bot.store.migrate import alembic_config, migrate, newest_revision
from bot.store.schema import metadata


def difference(connection: Connection) -> list[object]:
    """What an automatic migration would still change."""
    context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_migrations_lead_to_the_models(store_url: str) -> None:
    """From nothing, the migrations build exactly the tables of the models; a second run changes nothing."""
    store = open_store(store_url)
    await migrate(store)
    await migrate(store)
    async with store.connect(write=True) as connection:
        assert await connection.run_sync(difference) == []
    await store.close()


async def test_migrations_lead_back(store_url: str) -> None:
    """Each migration can be taken back, down to an empty database, and made again."""
    store = open_store(store_url)
    await migrate(store)
    async with store.connect(write=True) as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert set(tables) <= {"alembic_version"}
    await migrate(store)
    async with store.connect(write=True) as connection:
        assert await connection.run_sync(difference) == []
    await store.close()


def test_there_is_one_newest_revision() -> None:
    """Migrations form one line."""
    assert newest_revision()
