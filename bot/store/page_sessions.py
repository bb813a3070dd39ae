"""Browsers that were let in to the page: `PageSessions` on the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select, update

from bot.ports import PageSession
from bot.store import Store, insert
from bot.store.schema import page_sessions


@dataclass(frozen=True)
class StoredPageSessions:
    """Sessions by the hash of their token. They belong to this installation, not to a tenant."""

    store: Store

    async def find(self, token_hash: str) -> PageSession | None:
        """Find the session of this token, however old."""
        found = select(page_sessions).where(page_sessions.c.token_hash == token_hash)
        async with self.store.connect(write=False) as connection:
            row = (await connection.execute(found)).one_or_none()
        return PageSession(row.visitor, row.last_seen_at) if row else None

    async def keep(self, token_hash: str, visitor: str, now: datetime) -> None:
        """Remember a new one."""
        row = {"token_hash": token_hash, "visitor": visitor, "created_at": now, "last_seen_at": now}
        async with self.store.connect(write=True) as connection:
            await connection.execute(insert(connection, page_sessions).values(row))

    async def touch(self, token_hash: str, now: datetime) -> None:
        """Write down that it was used."""
        where = page_sessions.c.token_hash == token_hash
        async with self.store.connect(write=True) as connection:
            await connection.execute(update(page_sessions).where(where).values(last_seen_at=now))

    async def drop(self, token_hash: str) -> None:
        """Forget it; harmless when unknown."""
        async with self.store.connect(write=True) as connection:
            await connection.execute(delete(page_sessions).where(page_sessions.c.token_hash == token_hash))

    async def drop_unused(self, since: datetime) -> None:
        """Forget those that were not used since then."""
        async with self.store.connect(write=True) as connection:
            await connection.execute(delete(page_sessions).where(page_sessions.c.last_seen_at < since))

    async def is_known(self, visitor: str) -> bool:
        """Return whether there is a session of this visitor."""
        found = select(exists().where(page_sessions.c.visitor == visitor))
        async with self.store.connect(write=False) as connection:
            return bool(await connection.scalar(found))
