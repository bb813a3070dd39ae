"""Events as platforms delivered them, each recorded once; turns are made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from bot.store import Transaction, prepared
from bot.store.schema import inbox
from bot.types import (
    Command,
    Edit,
    InboundMessage,
    from_json,
    to_json,
)

INSERT_EVENT = prepared(inbox, lambda made: made.on_conflict_do_nothing().returning(inbox.c.id))


async def record_event(tx: Transaction, event_id: str, payload: Any, now: datetime) -> int | None:
    """Record an event; returns its place in the order, or None when it was recorded before."""
    row = {"tenant_id": tx.tenant_id, "event_id": event_id, "payload": to_json(payload), "received_at": now}
    found: int | None = await tx.connection.scalar(INSERT_EVENT(tx.connection), row)
    return found


async def load_event(tx: Transaction, source_id: int) -> Any:
    """Load the event as it was recorded."""
    return from_json(
        (
            await tx.connection.execute(
                select(inbox.c.payload).where(inbox.c.id == source_id, inbox.c.tenant_id == tx.tenant_id)
            )
        ).scalar_one()
    )


async def replace_payload(tx: Transaction, source_id: int, inbound: InboundMessage | Command | Edit) -> None:
    """Replace what an event carried, once it is known what it stands for."""
    await tx.connection.execute(update(inbox).where(inbox.c.id == source_id).values(payload=to_json(inbound)))


async def erase_payloads(tx: Transaction, which: Any) -> None:
    """Erase what events carried. Their ids stay, so that a repeat of a forgotten event is still known as one."""
    await tx.connection.execute(update(inbox).where(inbox.c.tenant_id == tx.tenant_id, which).values(payload={}))


async def erase_payload(tx: Transaction, source_id: int) -> None:
    """Erase what one event carried."""
    await erase_payloads(tx, inbox.c.id == source_id)
