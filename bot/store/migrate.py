"""Migrates the database to the newest revision; does nothing when it is there."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from bot.store import Store

PROJECT = Path(__file__).resolve().parents[2]
LOCK = 7_274_539
"""The number of the advisory lock by which, on PostgreSQL, one process at a time migrates. Any number will do."""
log = logging.getLogger(__name__)


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings as pyproject.toml holds them, on this connection."""
    config = Config(toml_file=PROJECT / "pyproject.toml")
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """The revision that this code works with."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


async def migrate(store: Store) -> None:
    """Upgrade to the newest revision, one process at a time. Raises StoreError."""
    newest = newest_revision()
    async with store.connect(write=True) as connection:
        if store.is_shared:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        if await connection.run_sync(_revision) != newest:
            log.info("migrating the database to %s", newest)
            await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "head"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
