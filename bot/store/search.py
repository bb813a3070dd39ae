"""Finding earlier messages by their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, or_, select

from bot.store import Transaction
from bot.store.schema import conversations, messages
from bot.types import (
    Address,
    Role,
)


@dataclass(frozen=True)
class SearchHit:
    """A message of the history that a search found."""

    text: str
    author_name: str
    role: Role
    created_at: datetime
    channel: str
    thread: str
    title: str
    platform_id: str


async def search_messages(
    tx: Transaction, words: Sequence[str], author_id: str, address: Address, limit: int = 10
) -> list[SearchHit]:
    """The newest messages holding all the words, among what this person may see from here; never what was for one person's eyes.

    That is: this channel, and the conversations in which they took part; never another person's direct conversation.
    """
    own = messages.alias("own")
    mine = exists(select(own.c.id).where(own.c.conversation_id == conversations.c.id, own.c.author_id == author_id))
    visible = or_(mine, and_(conversations.c.channel == address.channel, ~conversations.c.is_direct))
    query = (
        select(messages, conversations.c.channel, conversations.c.thread, conversations.c.title)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(messages.c.tenant_id == tx.tenant_id, messages.c.for_model, visible, ~messages.c.text.startswith("/"))
        .where(*(messages.c.text.icontains(word, autoescape=True) for word in words))
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    rows = await tx.connection.execute(query.execution_options(in_thread=True))
    return [
        SearchHit(
            row.text, row.author_name, row.role, row.created_at, row.channel, row.thread, row.title, row.platform_id
        )
        for row in rows
    ]
