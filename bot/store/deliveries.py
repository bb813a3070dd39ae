"""Deliveries: answers that are written down and wait for a platform that was away when they were to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from bot.store import Store, Transaction
from bot.store.schema import deliveries, turns
from bot.types import Receipt, Reply, Turn, from_json, to_json


@dataclass(frozen=True)
class Delivery:
    """One answer that waits."""

    turn_id: str
    tenant_id: int
    conversation_id: int
    sequence: int
    platform: str
    tries: int
    is_claimed: bool
    """A process shows it, until `next_at` at the latest."""
    next_at: datetime
    created_at: datetime

    @property
    def outage(self) -> tuple[str, int]:
        """What has to come back: a platform, as one tenant reaches it."""
        return self.platform, self.tenant_id


COLUMNS = tuple(deliveries.c[name] for name in Delivery.__dataclass_fields__)


async def add_delivery(tx: Transaction, turn: Turn, reply: Reply, now: datetime) -> None:
    """Keep the reply until it is shown; written again, it replaces what was kept."""
    row = {
        "turn_id": turn.id,
        "tenant_id": tx.tenant_id,
        "conversation_id": turn.conversation_id,
        "sequence": select(turns.c.sequence).where(turns.c.id == turn.id).scalar_subquery(),
        "platform": turn.inbound.address.platform,
        "reply": to_json(reply),
        "next_at": now,
        "created_at": now,
    }
    kept = tx.insert(deliveries).values(row)
    await tx.connection.execute(
        kept.on_conflict_do_update(index_elements=["turn_id"], set_={"reply": kept.excluded.reply})
    )


async def list_deliveries(store: Store, limit: int = 1_000) -> list[Delivery]:
    """The answers that wait, those of each conversation in their order."""
    query = select(*COLUMNS).order_by(deliveries.c.sequence).limit(limit)
    async with store.connect(write=False) as connection:
        return [Delivery(*row) for row in await connection.execute(query)]


async def claim(store: Store, delivery: Delivery, until: datetime) -> bool:
    """Take it on, so that no other process tries it before then; False when another was faster."""
    mine = deliveries.c.turn_id == delivery.turn_id, deliveries.c.next_at == delivery.next_at
    async with store.connect(write=True) as connection:
        taken = await connection.execute(
            update(deliveries).where(*mine).values(is_claimed=True, next_at=until, tries=deliveries.c.tries + 1)
        )
    return bool(taken.rowcount)


async def postpone(store: Store, turn_ids: Sequence[str], next_at: datetime) -> None:
    """Try these no sooner than then; nobody has a claim to them any more."""
    changed = update(deliveries).where(deliveries.c.turn_id.in_(turn_ids)).values(is_claimed=False, next_at=next_at)
    async with store.connect(write=True) as connection:
        await connection.execute(changed)


async def load_reply(store: Store, delivery: Delivery) -> tuple[Reply, Receipt] | None:
    """The reply and where it goes; None when it is no longer there."""
    query = (
        select(deliveries.c.reply, turns.c.receipt)
        .join(turns, turns.c.id == deliveries.c.turn_id)
        .where(deliveries.c.turn_id == delivery.turn_id)
    )
    async with store.connect(write=False) as connection:
        row = (await connection.execute(query)).one_or_none()
    return (from_json(row.reply), from_json(row.receipt)) if row and row.receipt else None


async def remove_delivery(tx: Transaction, turn_id: str) -> None:
    """It is shown, or nobody waits for it any more."""
    await tx.connection.execute(delete(deliveries).where(deliveries.c.turn_id == turn_id))


async def count_deliveries(store: Store) -> Mapping[str, int]:
    """How many answers wait, by platform."""
    query = select(deliveries.c.platform, func.count()).group_by(deliveries.c.platform)
    async with store.connect(write=False) as connection:
        return {str(platform): int(count) for platform, count in await connection.execute(query)}
