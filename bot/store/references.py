"""Finds what an id of the platform refers to: a person's message or a post of ours, with the turn about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, or_, select

from bot.store import Transaction, locks
from bot.store.schema import conversations, messages, posts, turns
from bot.store.turns import latest_turns
from bot.types import (
    Address,
    Receipt,
    from_json,
)

SELECT_MESSAGE_ID = (
    select(messages.c.id)
    .join(conversations, conversations.c.id == messages.c.conversation_id)
    .where(
        messages.c.tenant_id == bindparam("tenant"),
        messages.c.platform_id == bindparam("named"),
        messages.c.ordinal == 0,
        conversations.c.channel == bindparam("at"),
    )
    .limit(1)
)


async def exists(tx: Transaction, address: Address, platform_id: str, *, lock: bool = False) -> bool:
    """Whether the history holds a message with this id of the platform. A copy fetched as context does not count.

    lock: make other processes that ask the same wait until this transaction has ended. SQLite allows one writer anyway.
    """
    if lock:
        await locks.hold(tx, f"{address.channel}/{platform_id}")
    where = {"tenant": tx.tenant_id, "named": platform_id, "at": address.channel}
    return await tx.connection.scalar(SELECT_MESSAGE_ID, where) is not None


@dataclass(frozen=True)
class MessageRef:
    """A message of the platform, found in the history."""

    conversation_id: int
    source_id: int
    turn_id: str
    """The latest turn about it, or empty."""
    receipt: Receipt | None
    is_running: bool
    author_id: str
    text: str
    message_id: str = ""
    """The platform's id of the person's message."""
    edited_at: datetime | None = None
    """When it was worded so at the platform; None for its first wording."""


async def find_message(tx: Transaction, address: Address, platform_id: str) -> MessageRef | None:
    """Find the message with this id of the platform, or the one that the post with this id answers, with its latest turn."""
    answered = select(turns.c.source_id).join(posts, posts.c.turn_id == turns.c.id)
    answered = answered.where(
        posts.c.tenant_id == tx.tenant_id, posts.c.channel == address.channel, posts.c.platform_id == platform_id
    )
    query = (
        select(messages, conversations.c.channel)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(
            messages.c.tenant_id == tx.tenant_id,
            conversations.c.channel == address.channel,
            messages.c.ordinal == 0,
            or_(messages.c.platform_id == platform_id, messages.c.source_id.in_(answered)),
        )
        .order_by(messages.c.source_id.desc())
        .limit(1)
    )
    row = (await tx.connection.execute(query)).one_or_none()
    if row is None:
        return None
    turn = (await latest_turns(tx, row.conversation_id)).get(row.source_id)
    receipt = from_json(turn.receipt) if turn is not None and turn.receipt else None
    turn_id, is_running = (turn.id, turn.ended_at is None) if turn is not None else ("", False)
    return MessageRef(
        row.conversation_id,
        row.source_id,
        turn_id,
        receipt,
        is_running,
        row.author_id,
        row.text,
        row.platform_id,
        row.edited_at,
    )
