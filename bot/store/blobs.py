"""Bytes by their sha256: stored once for each tenant, kept while a message uses them; large ones come and go in pieces."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from sqlalchemy import bindparam, delete, exists, func, literal_column, select

from bot.errors import StoreError
from bot.policy.limits import UNRATED, Limits
from bot.store import Store, Transaction, locks
from bot.store.schema import blob_uses, blobs, conversations, messages, tenants, turns
from bot.store.sqlite_driver import LARGE_BYTES, in_thread
from bot.types import Blob

ORPHAN_AGE = timedelta(days=1)
"""How long bytes that no message uses are kept: a running turn writes them before its messages."""
PIECE_BYTES = 4 * 2**20
"""How much of large bytes is in memory at once. SQLite walks through what stands before a piece, so smaller ones take longer."""


THIS = "what you send"
"""What bytes without a name are called in a refusal."""


class TenantBlobs:
    """The bytes of one tenant: the `Blobs` port on the store."""

    def __init__(self, store: Store, tenant_id: int, limits: Limits = UNRATED) -> None:
        """limits: how much is kept for one person; any amount unless they are given."""
        self._limits = limits
        self._store = store
        self._tenant_id = tenant_id

    async def read(self, blob: Blob) -> bytes:
        """Read the bytes. Raises StoreError when they were deleted."""
        data = None
        async with self._store.read(self._tenant_id) as tx:
            size = await tx.connection.scalar(select(blobs.c.size_bytes).where(*_is(tx, blob.sha256)))
            if size is not None:
                found = select(blobs.c.data).where(*_is(tx, blob.sha256))
                data = await tx.connection.scalar(found.execution_options(in_thread=size > LARGE_BYTES))
        if data is None:
            raise _deleted(blob.sha256)
        return bytes(data)

    async def read_pieces(self, sha256: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """Yield so many bytes from there on, in pieces, and no other bytes. Raises StoreError when they were deleted.

        No transaction is open between two pieces: whoever takes them may be slow.
        """
        while count > 0:
            async with self._store.read(self._tenant_id) as tx:
                piece = await _piece(tx, sha256, first, min(count, PIECE_BYTES))
            if not piece:
                raise _deleted(sha256)
            yield piece
            first, count = first + len(piece), count - len(piece)

    async def size_for(self, sha256: str, person_id: str, turn_id: str = "") -> int | None:
        """Return how many bytes these are, if this person may see them; None otherwise, and when there are none.

        They may see what a message uses in a conversation that they alone have with Parley. turn_id: of a turn there that brings
        them, as the caller knows: while it is under way they may see them too.
        """
        async with self._store.read(self._tenant_id) as tx:
            seen = _used_in_own(tx, sha256, person_id)
            if turn_id:
                seen = seen | _is_under_way(tx, turn_id, person_id)
            size: int | None = await tx.connection.scalar(
                select(blobs.c.size_bytes).where(*_is(tx, sha256)).where(seen)
            )
        return size

    async def write(self, data: bytes, mime_type: str, author_id: str = "", name: str = THIS) -> Blob:
        """Store the bytes, once however often the same content is written.

        author_id: for whom they are kept. Raises LimitError, with the name in it, when that is more than is kept for one person.
        """
        digest = await asyncio.to_thread(_sha256, data) if len(data) > LARGE_BYTES else _sha256(data)
        blob = Blob(digest, mime_type, len(data))
        async with self._store.begin(self._tenant_id) as tx:
            await self._check_room(tx, blob, author_id, name)
            await _insert(tx, blob, data, author_id)
        return blob

    async def write_pieces(self, pieces: AsyncIterable[bytes], mime_type: str, author_id: str = "") -> Blob:
        """Store bytes that come in pieces. Until the last is there they wait in a file of no name; memory holds one at a time.

        author_id: who brings them, as in `write`. Raises what `pieces` raises, too.
        """
        digest, size = hashlib.sha256(), 0
        file = await asyncio.to_thread(tempfile.TemporaryFile)
        try:
            async for piece in pieces:
                digest.update(piece)
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
            blob = Blob(digest.hexdigest(), mime_type, size)
            async with self._store.begin(self._tenant_id) as tx:
                await self._check_room(tx, blob, author_id, THIS)
                if size <= PIECE_BYTES:
                    file.seek(0)
                    await _insert(tx, blob, file.read(), author_id)
                else:
                    await _insert_file(tx, blob, file, author_id)
        finally:
            await asyncio.to_thread(file.close)  # the system takes a while to let go of a large file
        return blob

    async def _check_room(self, tx: Transaction, blob: Blob, author_id: str, name: str) -> None:
        """Raise LimitError unless there is room, or the bytes are there already. One is looked at at a time for one person."""
        most = self._limits.stored_bytes
        if not most or not author_id:
            return
        await locks.hold(tx, f"keeping/{author_id}")
        is_full = await stored_bytes(tx, author_id) + blob.size_bytes > most
        if is_full and await tx.connection.scalar(select(blobs.c.sha256).where(*_is(tx, blob.sha256))) is None:
            raise self._limits.error("stored_bytes", name=name)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is(tx: Transaction, sha256: str) -> tuple[Any, ...]:
    return (blobs.c.tenant_id == tx.tenant_id, blobs.c.sha256 == sha256)


def _deleted(sha256: str) -> StoreError:
    return StoreError("The file was deleted and is no longer there.", detail=f"blob {sha256}")


def _used_in_own(tx: Transaction, sha256: str, person_id: str) -> Any:
    using = select(blob_uses.c.sha256).join(messages, messages.c.id == blob_uses.c.message_id)
    using = using.join(conversations, conversations.c.id == messages.c.conversation_id)
    where = (blob_uses.c.tenant_id == tx.tenant_id, blob_uses.c.sha256 == sha256)
    return using.where(*where, *_is_own(person_id)).exists()


def _is_under_way(tx: Transaction, turn_id: str, person_id: str) -> Any:
    found = select(turns.c.id).join(conversations, conversations.c.id == turns.c.conversation_id)
    where = (turns.c.tenant_id == tx.tenant_id, turns.c.id == turn_id, turns.c.ended_at.is_(None))
    return found.where(*where, *_is_own(person_id)).exists()


def _is_own(person_id: str) -> tuple[Any, ...]:
    said = messages.alias("said")
    spoke = exists().where(
        said.c.conversation_id == conversations.c.id,
        said.c.author_id == person_id,
        said.c.ordinal == 0,
        ~said.c.is_context,
    )
    return (conversations.c.is_direct, spoke)


async def _insert(tx: Transaction, blob: Blob, data: Any, author_id: str = "") -> bool:
    """Insert a row unless there is one; returns whether there was none."""
    row = {
        "tenant_id": tx.tenant_id,
        "sha256": blob.sha256,
        "mime_type": blob.mime_type,
        "size_bytes": blob.size_bytes,
        "data": data,
        "author_id": author_id,
        "created_at": datetime.now(UTC),
    }
    adding = tx.insert(blobs).values(row).on_conflict_do_nothing()
    made = await tx.connection.execute(adding.execution_options(in_thread=blob.size_bytes > LARGE_BYTES))
    return bool(made.rowcount > 0)


async def _piece(tx: Transaction, sha256: str, first: int, count: int) -> bytes:
    if tx.connection.dialect.name != "sqlite":
        cut = select(func.substring(blobs.c.data, first + 1, count)).where(*_is(tx, sha256))
        return bytes(await tx.connection.scalar(cut) or b"")
    rowid = await _rowid(tx, sha256)
    return await _with_sqlite(tx, lambda raw: _read_slice(raw, rowid, first, count)) if rowid is not None else b""


async def _insert_file(tx: Transaction, blob: Blob, file: IO[bytes], author_id: str) -> None:
    """Insert what a file holds, in pieces: no statement carries all of it."""
    file.seek(0)
    if tx.connection.dialect.name == "sqlite":
        if await _insert(tx, blob, func.zeroblob(blob.size_bytes), author_id):
            rowid = await _rowid(tx, blob.sha256)
            assert rowid is not None
            await _with_sqlite(tx, lambda raw: _write_file(raw, rowid, file))
        return
    # A large object takes pieces; the server makes the row of it, and it is gone with the transaction.
    made = await tx.connection.scalar(select(func.lo_create(0)))
    at = 0
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        await tx.connection.execute(select(func.lo_put(made, at, piece)))
        at += len(piece)
    await _insert(tx, blob, func.lo_get(made), author_id)
    await tx.connection.execute(select(func.lo_unlink(made)))


async def _rowid(tx: Transaction, sha256: str) -> int | None:
    found: int | None = await tx.connection.scalar(
        select(literal_column("rowid")).select_from(blobs).where(*_is(tx, sha256))
    )
    return found


async def _with_sqlite(tx: Transaction, work: Any) -> Any:
    """Do something with the standard library's connection, on a thread."""
    raw: Any = (await tx.connection.get_raw_connection()).driver_connection
    return await in_thread(raw, lambda: work(raw))


def _read_slice(raw: sqlite3.Connection, rowid: int, first: int, count: int) -> bytes:
    with raw.blobopen("blobs", "data", rowid, readonly=True) as opened:
        opened.seek(first)
        return opened.read(count)


def _write_file(raw: sqlite3.Connection, rowid: int, file: IO[bytes]) -> None:
    with raw.blobopen("blobs", "data", rowid) as opened:
        while piece := file.read(PIECE_BYTES):
            opened.write(piece)


STORED_BYTES = select(func.coalesce(func.sum(blobs.c.size_bytes), 0)).where(
    blobs.c.tenant_id == bindparam("tenant"), blobs.c.author_id == bindparam("author")
)


async def stored_bytes(tx: Transaction, author_id: str) -> int:
    """How many bytes are kept for this person."""
    return int(await tx.connection.scalar(STORED_BYTES, {"tenant": tx.tenant_id, "author": author_id}) or 0)


async def note_uses(tx: Transaction, message_id: int, used: Iterable[Blob]) -> None:
    """Record that this message uses these bytes."""
    rows = [
        {"tenant_id": tx.tenant_id, "message_id": message_id, "sha256": sha} for sha in {blob.sha256 for blob in used}
    ]
    if rows:
        await tx.connection.execute(tx.insert(blob_uses).on_conflict_do_nothing(), rows)


async def drop_unused(tx: Transaction, among: Iterable[str] | None = None, *, now: datetime | None = None) -> int:
    """Delete bytes that no message uses, and return how many: those `among`, or all that are older than a day."""
    used = exists().where(blob_uses.c.tenant_id == blobs.c.tenant_id, blob_uses.c.sha256 == blobs.c.sha256)
    where = [blobs.c.tenant_id == tx.tenant_id, ~used]
    if among is not None:
        where.append(blobs.c.sha256.in_(list(among)))
    else:
        where.append(blobs.c.created_at < (now or datetime.now(UTC)) - ORPHAN_AGE)
    gone = delete(blobs).where(*where).execution_options(in_thread=True)  # overwriting megabytes takes its time
    return (await tx.connection.execute(gone)).rowcount


async def drop_unused_everywhere(store: Store, now: datetime) -> int:
    """Delete the bytes of all tenants that no message uses and that are older than a day; returns how many."""
    gone = 0
    async with store.connect(write=True) as connection:
        for tenant_id in (await connection.scalars(select(tenants.c.id))).all():
            gone += await drop_unused(Transaction(connection, tenant_id), now=now)
    return gone
