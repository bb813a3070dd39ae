"""What platforms delivered, written down once: the record from which turns are made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from bot.store import Transaction, prepared
from bot.store.schema import inbox
from bot.types import (
    Command,
    InboundMessage,
    from_json,
    to_json,
)

INSERT_EVENT = prepared(inbox, lambda made: made.on_conflict_do_nothing().returning(inbox.c.id))


async def record_event(tx: Transaction, event_id: str, payload: Any, now: datetime) -> int | None:
    """Write an event down; gives its place in the order, or None when it was written before."""
    row = {"tenant_id": tx.tenant_id, "event_id": event_id, "payload": to_json(payload), "received_at": now}
    found: int | None = await tx.connection.scalar(INSERT_EVENT(tx.connection), row)
    return found


async def load_event(tx: Transaction, source_id: int) -> Any:
    """The event as it was written down."""
    return from_json(
        (
            await tx.connection.execute(
                select(inbox.c.payload).where(inbox.c.id == source_id, inbox.c.tenant_id == tx.tenant_id)
            )
        ).scalar_one()
    )


async def replace_payload(tx: Transaction, source_id: int, inbound: InboundMessage | Command) -> None:
    """What an event stands for, once it is known."""
    await tx.connection.execute(update(inbox).where(inbox.c.id == source_id).values(payload=to_json(inbound)))


async def erase_payloads(tx: Transaction, which: Any) -> None:
    """Empty what events carried, but keep their ids, so that a repeat of a forgotten event stays a repeat."""
    await tx.connection.execute(update(inbox).where(inbox.c.tenant_id == tx.tenant_id, which).values(payload={}))
