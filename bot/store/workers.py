"""Which processes of this installation are alive: each holds a lock under its name that its death frees at once.

SQLite: a lock on a file beside the database. PostgreSQL: an advisory lock of a connection kept for it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from bot.store import Store, insert
from bot.store.schema import workers

LOCK_SPACE = 7_274_540
"""Keeps these advisory locks apart from others in the same database."""


class StorePresence:
    """The `Presence` port on the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locks = _PostgresLocks(store) if store.is_shared else _FileLocks(store)
        self._name = ""

    async def claim(self, name: str) -> str:
        """Take this name, or with a number behind it when a living process has it."""
        tried, number = name, 1
        while not await self._locks.take(tried):
            number += 1
            tried = f"{name}-{number}"
        self._name = tried
        row = {"name": tried, "beat_at": datetime.now(UTC)}
        async with self._store.connect(write=True) as connection:
            await connection.execute(insert(connection, workers).values(row).on_conflict_do_nothing())
        return tried

    async def dead(self) -> Sequence[str]:
        """Names in the table whose lock nobody holds; this process keeps their locks until it buries them."""
        async with self._store.connect(write=False) as connection:
            names = (await connection.scalars(select(workers.c.name).where(workers.c.name != self._name))).all()
        return [name for name in names if await self._locks.take(name)]

    async def bury(self, name: str) -> None:
        """Forget a dead process."""
        async with self._store.connect(write=True) as connection:
            await connection.execute(delete(workers).where(workers.c.name == name))
        await self._locks.give(name)

    async def release(self) -> None:
        """Give the name back; its row stays, so that what was left unfinished under it is found."""
        await self._locks.close()


class _FileLocks:
    """Locks by flock, which the system frees when a process dies."""

    def __init__(self, store: Store) -> None:
        self._database = Path(store.url.database or "parley.db")
        self._held: dict[str, IO[bytes]] = {}

    async def take(self, name: str) -> bool:
        """Whether it is ours now."""
        file = self._path(name).open("ab")
        try:
            _lock(file)
        except OSError:
            file.close()
            return False
        self._held[name] = file
        return True

    async def give(self, name: str) -> None:
        """Free it and take its file away."""
        if file := self._held.pop(name, None):
            self._path(name).unlink(missing_ok=True)
            file.close()

    async def close(self) -> None:
        """Free all."""
        for name in list(self._held):
            await self.give(name)

    def _path(self, name: str) -> Path:
        return self._database.with_name(f"{self._database.name}.{name}.lock")


def _lock(file: IO[bytes]) -> None:
    """Raises OSError when another process holds it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class _PostgresLocks:
    """Advisory locks, which the server frees when the connection goes."""

    def __init__(self, store: Store) -> None:
        self._engine = create_async_engine(store.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection: AsyncConnection | None = None

    async def take(self, name: str) -> bool:
        """Whether it is ours now."""
        return bool(await self._ask("SELECT pg_try_advisory_lock(:space, :key)", name))

    async def give(self, name: str) -> None:
        """Free it."""
        await self._ask("SELECT pg_advisory_unlock(:space, :key)", name)

    async def _ask(self, statement: str, name: str) -> object:
        if self._connection is None:
            self._connection = await self._engine.connect()
        key = zlib.crc32(name.encode()) - 2**31
        return await self._connection.scalar(text(statement), {"space": LOCK_SPACE, "key": key})

    async def close(self) -> None:
        """Free all."""
        if self._connection is not None:
            await self._connection.close()
        await self._engine.dispose()
