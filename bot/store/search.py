"""Finding earlier messages by their words, within what the person may see."""

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

    text: str
    author_name: str
    role: Role
    created_at: datetime
    channel: str
    thread: str
    title: str
    platform_id: str


async def search_messages(
    tx: Transaction, words: Sequence[str], scope: SearchScope, limit: int = 10
) -> list[SearchHit]:
    """The newest messages that hold all the words, within the scope.

    Never found are what one person alone was shown, commands, and copies that were fetched as context.
    """
    query = (
        select(messages, conversations.c.channel, conversations.c.thread, conversations.c.title)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(messages.c.tenant_id == tx.tenant_id, messages.c.for_model, ~messages.c.is_context, _is_in(scope))
        .where(*(messages.c.text.icontains(word, autoescape=True) for word in words), ~messages.c.text.startswith("/"))
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


def _is_in(scope: SearchScope) -> ColumnElement[bool]:
    """`SearchScope.includes`, as a condition on a row of `conversations`."""
    said_here = (own.c.conversation_id == conversations.c.id, own.c.ordinal == 0)
    spoke = exists().where(*said_here, own.c.author_id == scope.author_id, own.c.for_model)
    if scope.place is None:
        alone = ~exists().where(*said_here, own.c.author_id != scope.author_id)
        return and_(spoke, or_(~conversations.c.is_direct, alone))
    at_place = and_(conversations.c.channel == scope.place.channel, conversations.c.thread == scope.place.thread)
    return and_(~conversations.c.is_direct, or_(spoke, at_place))
