"""Which processes of this installation are alive: each holds a lock under its name, which the system frees when the process dies.

SQLite: a lock on a file beside the database. PostgreSQL: an advisory lock of a connection kept for it.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from sqlalchemy import delete, exc, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from bot.errors import StoreError
from bot.store import Store, insert
from bot.store.file_locks import lock_file, lock_path
from bot.store.schema import workers

HEARTBEAT_TIMEOUT = timedelta(seconds=20)
"""On PostgreSQL, others may work in the place of a process that was silent for so long. A living one is heard every 5 seconds."""
KEEP_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Keeps firewalls from dropping the idle connection. Source: libpq, connection parameters."""
LOCK_SPACE = 7_274_540
"""Keeps these advisory locks apart from others in the same database."""

log = logging.getLogger(__name__)


class StoreWorkerRegistry:
    """The `WorkerRegistry` port on the store."""

    def __init__(self, store: Store, heartbeat_timeout: timedelta = HEARTBEAT_TIMEOUT) -> None:
        """heartbeat_timeout: how long a process is silent before it counts as dead, where locks alone do not tell."""
        self._store = store
        self._heartbeat_timeout = heartbeat_timeout
        self._locks = _PostgresLocks(store) if store.is_shared else _FileLocks(store)
        self._name = ""

    async def register(self, name: str) -> str:
        """Register under this name, or under the name with a number when a living process holds it; gives the name."""
        tried, number = name, 1
        while not await self._locks.acquire(tried):
            number += 1
            tried = f"{name}-{number}"
        self._name = tried
        row = {"name": tried, "beat_at": datetime.now(UTC)}
        async with self._store.connect(write=True) as connection:
            await connection.execute(
                insert(connection, workers)
                .values(row)
                .on_conflict_do_update(index_elements=["name"], set_={"beat_at": row["beat_at"]})
            )
        return tried

    async def expired(self) -> Sequence[str]:
        """The names of dead processes: those whose lock nobody holds. This process holds their locks until it removes them.

        Called every few seconds, it also records that this process is alive, and takes its lock again if the server lost it.
        """
        now = datetime.now(UTC)
        if self._name and self._store.is_shared:
            await self._locks.acquire(self._name)
            async with self._store.connect(write=True) as connection:
                await connection.execute(update(workers).where(workers.c.name == self._name).values(beat_at=now))
        silent = select(workers.c.name).where(workers.c.name != self._name)
        if self._store.is_shared:  # a lock on a file never gets lost; one in a server goes with the server
            silent = silent.where(workers.c.beat_at < now - self._heartbeat_timeout)
        async with self._store.connect(write=False) as connection:
            names = (await connection.scalars(silent)).all()
        return [name for name in names if await self._locks.acquire(name)]

    async def remove(self, name: str) -> None:
        """Remove a dead process and release its lock."""
        async with self._store.connect(write=True) as connection:
            await connection.execute(delete(workers).where(workers.c.name == name))
        await self._locks.release(name)

    async def deregister(self) -> None:
        """Release the name. Its row stays, so that the next process finds what was left unfinished under it."""
        await self._locks.close()


class _FileLocks:
    """Locks by flock, which the system frees when a process dies."""

    def __init__(self, store: Store) -> None:
        self._url = store.url
        self._held: dict[str, IO[bytes]] = {}

    async def acquire(self, name: str) -> bool:
        """Try to lock the name; whether this process holds it now."""
        file = lock_file(self._path(name))
        if file is not None:
            self._held[name] = file
        return file is not None

    async def release(self, name: str) -> None:
        """Unlock the name and delete its file."""
        if file := self._held.pop(name, None):
            self._path(name).unlink(missing_ok=True)
            file.close()

    async def close(self) -> None:
        """Unlock all names."""
        for name in list(self._held):
            await self.release(name)

    def _path(self, name: str) -> Path:
        return lock_path(self._url, name)


class _PostgresLocks:
    """Advisory locks, which the server frees when the connection goes."""

    def __init__(self, store: Store) -> None:
        self._engine = create_async_engine(
            store.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=KEEP_ALIVE
        )
        self._connection: AsyncConnection | None = None
        self._held: set[str] = set()

    async def acquire(self, name: str) -> bool:
        """Try to lock the name; whether this process holds it now. Raises StoreError."""
        await self._connected()
        if name not in self._held and await self._ask("SELECT pg_try_advisory_lock(:space, :key)", name):
            self._held.add(name)
        return name in self._held

    async def release(self, name: str) -> None:
        """Unlock the name. Raises StoreError."""
        self._held.discard(name)
        await self._ask("SELECT pg_advisory_unlock(:space, :key)", name)

    async def _connected(self) -> None:
        """Drop a connection that does not answer any more; its locks went with it."""
        if (connection := self._connection) is None:
            return
        try:
            await connection.execute(text("SELECT 1"))
        except exc.DBAPIError as error:
            log.warning("the connection that shows this process to be alive was lost (%s)", type(error.orig).__name__)
            await connection.invalidate()
            await connection.close()
            self._connection = None
            self._held.clear()

    async def _ask(self, statement: str, name: str) -> object:
        key = zlib.crc32(name.encode()) - 2**31
        try:
            if self._connection is None:
                self._connection = await self._engine.connect()
            return await self._connection.scalar(text(statement), {"space": LOCK_SPACE, "key": key})
        except exc.DBAPIError as error:
            raise StoreError("The database cannot be reached right now.", detail=str(error.orig)) from error

    async def close(self) -> None:
        """Unlock all names."""
        if self._connection is not None:
            await self._connection.close()
        await self._engine.dispose()
