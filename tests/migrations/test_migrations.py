"""Migrations lead to the models, on both databases, and back."""

from __future__ import annotations

from datetime import UTC, datetime

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, text

from bot.store import open_store, schema
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


NOW = datetime(2026, 11, 23, tzinfo=UTC)


def before_0003(connection: Connection) -> None:
    """A database of revision 0002: a message in a channel and one in a direct conversation, each with a copy before it."""
    command.upgrade(alembic_config(connection), "0002")
    connection.execute(
        text("INSERT INTO tenants (id, platform, workspace, created_at) VALUES (1, 'p', 'w', :now)"), {"now": NOW}
    )
    for id_, channel, is_direct in ((1, "C1", False), (2, "D1", True)):
        row = {"id": id_, "channel": channel, "is_direct": is_direct, "now": NOW}
        connection.execute(
            text(
                "INSERT INTO conversations (id, tenant_id, channel, thread, is_direct, created_at, updated_at)"
                " VALUES (:id, 1, :channel, '', :is_direct, :now, :now)"
            ),
            row,
        )
        for ordinal, author in ((-1, "B"), (0, "A"), (1, "")):
            connection.execute(
                text(
                    "INSERT INTO messages (tenant_id, conversation_id, source_id, ordinal, role, author_id, parts, created_at)"
                    " VALUES (1, :id, :id, :ordinal, 'user', :author, '[]', :now)"
                ),
                {**row, "ordinal": ordinal, "author": author},
            )


async def test_old_copies_are_told_from_messages(store_url: str) -> None:
    """0003: what was fetched before says so, and where its original stands as far as that is known; messages stay what they are."""
    store = open_store(store_url)
    async with store.connect(write=True) as connection:
        await connection.run_sync(before_0003)
    await migrate(store)
    kept = schema.messages.c
    query = select(kept.conversation_id, kept.ordinal, kept.is_context, kept.origin_channel)
    async with store.connect(write=False) as connection:
        rows = (await connection.execute(query.order_by(kept.conversation_id, kept.ordinal))).all()
    assert [tuple(row) for row in rows] == [
        (1, -1, True, "C1"),
        (1, 0, False, ""),
        (1, 1, False, ""),
        (2, -1, True, ""),
        (2, 0, False, ""),
        (2, 1, False, ""),
    ]
    await store.close()


async def test_going_back_keeps_the_bytes_of_messages(store_url: str) -> None:
    """0003 taken back leaves the messages and their uses of bytes; SQLite would drop these with a table that is rebuilt."""
    store = open_store(store_url)
    async with store.connect(write=True) as connection:
        await connection.run_sync(before_0003)
        await connection.execute(
            text("INSERT INTO blob_uses (tenant_id, message_id, sha256) SELECT 1, id, 'abc' FROM messages")
        )
    await migrate(store)
    async with store.connect(write=True) as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0002"))
        assert await connection.scalar(select(func.count()).select_from(schema.blob_uses)) == 6
    await store.close()
