"""Edits that arrive before the message they are about: the newest wording waits for it, for two days at most.

Each is an event of its own whose id names the message, so that one look finds it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from bot.store import Store, Transaction
from bot.store.schema import inbox
from bot.types import Edit, from_json, to_json

PREFIX = "edited:"
KEEP = timedelta(days=2)
"""No platform delivers a message later than that."""


def _name(channel: str, platform_id: str) -> str:
    return f"{PREFIX}{hashlib.sha256(f'{channel}/{platform_id}'.encode()).hexdigest()}"


async def keep_early_edit(tx: Transaction, edit: Edit, now: datetime) -> None:
    """Keep the wording until its message arrives; the newest of several stays."""
    before = await find_early_edit(tx, edit.address.channel, edit.message_id)
    if before is not None and before.sent_at > edit.sent_at:
        return
    name = _name(edit.address.channel, edit.message_id)
    row = {"tenant_id": tx.tenant_id, "event_id": name, "payload": to_json(edit), "received_at": now}
    made = tx.insert(inbox).values(row)
    await tx.connection.execute(
        made.on_conflict_do_update(index_elements=["tenant_id", "event_id"], set_={"payload": row["payload"]})
    )


async def find_early_edit(tx: Transaction, channel: str, platform_id: str) -> Edit | None:
    """The wording that waits for this message."""
    where = (inbox.c.tenant_id == tx.tenant_id, inbox.c.event_id == _name(channel, platform_id))
    payload = await tx.connection.scalar(select(inbox.c.payload).where(*where))
    return from_json(payload) if payload else None


async def drop_early_edit(tx: Transaction, channel: str, platform_id: str) -> None:
    """Its message is here, or is gone for good."""
    where = (inbox.c.tenant_id == tx.tenant_id, inbox.c.event_id == _name(channel, platform_id))
    await tx.connection.execute(delete(inbox).where(*where))


async def forget_early_edits(tx: Transaction, channel: str, author_id: str | None) -> None:
    """Delete those of this person in the channel, or everybody's (None)."""
    waiting = select(inbox.c.id, inbox.c.payload).where(inbox.c.tenant_id == tx.tenant_id, *_ALL)
    rows = [(row.id, from_json(row.payload)) for row in await tx.connection.execute(waiting) if row.payload]
    gone = [id for id, edit in rows if edit.address.channel == channel and author_id in (None, edit.author.id)]
    await tx.connection.execute(delete(inbox).where(inbox.c.id.in_(gone)))


_ALL = (inbox.c.event_id >= PREFIX, inbox.c.event_id < f"{PREFIX[:-1]};")
"""All event ids that begin so, as an index finds them."""


async def drop_old_edits(store: Store, now: datetime) -> None:
    """Delete those whose message never came."""
    async with store.connect(write=True) as connection:
        await connection.execute(delete(inbox).where(*_ALL, inbox.c.received_at < now - KEEP))
