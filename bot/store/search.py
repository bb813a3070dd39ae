"""Finding earlier messages by their words, the newest first. Whether their place may be read is for the caller to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select

from bot.policy.visibility import SearchScope
from bot.store import Transaction
from bot.store.schema import conversations, messages
from bot.types import Role

own = messages.alias("own")


@dataclass(frozen=True)
class SearchHit:
    """A message of the history that a search found."""

    id: int
    text: str
    author_name: str
    role: Role
    created_at: datetime
    channel: str
    thread: str
    is_direct: bool
    """Said in a conversation that only the reader and Parley have; in any other place, the platform says who may read it."""
    title: str
    platform_id: str


async def search_messages(
    tx: Transaction, words: Sequence[str], scope: SearchScope, limit: int = 10, *, before: int | None = None
) -> list[SearchHit]:
    """The newest messages that hold all the words: of every shared place, and of the direct conversations within the scope.

    before: only messages older than the one of this id. Never found are what one person alone was shown, commands, and copies
    that were fetched as context.
    """
    query = (
        select(
            messages,
            conversations.c.channel,
            conversations.c.thread,
            conversations.c.is_direct,
            conversations.c.title,
        )
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(messages.c.tenant_id == tx.tenant_id, messages.c.for_model, ~messages.c.is_context, _is_candidate(scope))
        .where(*(messages.c.text.icontains(word, autoescape=True) for word in words), ~messages.c.text.startswith("/"))
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(messages.c.id < before)
    rows = await tx.connection.execute(query.execution_options(in_thread=True))
    return [
        SearchHit(
            row.id,
            row.text,
            row.author_name,
            row.role,
            row.created_at,
            row.channel,
            row.thread,
            row.is_direct,
            row.title,
            row.platform_id,
        )
        for row in rows
    ]


def _is_candidate(scope: SearchScope) -> ColumnElement[bool]:
    """`SearchScope.includes`, as a condition on a row of `conversations`, as far as the database knows."""
    if scope.place is not None:
        return ~conversations.c.is_direct
    said_here = (own.c.conversation_id == conversations.c.id, own.c.ordinal == 0)
    spoke = exists().where(*said_here, own.c.author_id == scope.reader_id, own.c.for_model)
    alone = ~exists().where(*said_here, own.c.author_id != scope.reader_id)
    return or_(~conversations.c.is_direct, and_(spoke, alone))
