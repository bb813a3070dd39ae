"""Bytes by their sha256: stored once for each tenant, kept while a message uses them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, select

from bot.errors import StoreError
from bot.store import Store, Transaction
from bot.store.schema import blob_uses, blobs, tenants
from bot.store.sqlite_driver import LARGE_BYTES
from bot.types import Blob

ORPHAN_AGE = timedelta(days=1)
"""How long bytes that no message uses are kept: a running turn writes them before its messages."""


class TenantBlobs:
    """The bytes of one tenant: the `Blobs` port on the store."""

    def __init__(self, store: Store, tenant_id: int) -> None:
        self._store = store
        self._tenant_id = tenant_id

    async def read(self, blob: Blob) -> bytes:
        """Read the bytes. Raises StoreError when they were deleted."""
        async with self._store.read(self._tenant_id) as tx:
            where = (blobs.c.tenant_id == tx.tenant_id, blobs.c.sha256 == blob.sha256)
            found = select(blobs.c.data).where(*where).execution_options(in_thread=blob.size_bytes > LARGE_BYTES)
            data = await tx.connection.scalar(found)
        if data is None:
            raise StoreError("The file was deleted and is no longer there.", detail=f"blob {blob.sha256}")
        return bytes(data)

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Store the bytes, once however often the same content is written."""
        blob = Blob(hashlib.sha256(data).hexdigest(), mime_type, len(data))
        async with self._store.begin(self._tenant_id) as tx:
            row = {
                "tenant_id": tx.tenant_id,
                "sha256": blob.sha256,
                "mime_type": mime_type,
                "size_bytes": blob.size_bytes,
                "data": data,
                "created_at": datetime.now(UTC),
            }
            await tx.connection.execute(tx.insert(blobs).values(row).on_conflict_do_nothing())
        return blob


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
