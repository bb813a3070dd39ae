"""What was said before Parley joined, fetched from the platform and put before the question that asked for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from bot.store import Transaction
from bot.store.messages import insert_message, message_row, parts_of
from bot.store.schema import messages, posts, turns
from bot.types import (
    Backfill,
    Message,
    Text,
)

PARTIAL = Message("system", (Text("Earlier messages of this conversation exist, but could not be read."),))


async def add_earlier(tx: Transaction, conversation_id: int, source_id: int, earlier: Backfill, now: datetime) -> int:
    """Put what was said before that source into the history, right before it; what is known already stays. Gives how many were new.

    The order of a conversation is (source, ordinal), so they take ordinals below 0.
    """
    known = await _known_ids(tx, conversation_id)
    fresh = [one for one in earlier.messages if one.message_id not in known]
    if fresh and not earlier.is_complete:
        note = message_row(tx, conversation_id, source_id, -len(fresh) - 1, PARTIAL, fresh[0].sent_at)
        await insert_message(tx, note, PARTIAL)
    for ordinal, one in enumerate(fresh, start=-len(fresh)):
        message = Message("user" if one.author.id else "assistant", parts_of(one, one.text), one.author.name)
        row = message_row(tx, conversation_id, source_id, ordinal, message, one.sent_at)
        row |= {"author_id": one.author.id, "author_name": one.author.name, "platform_id": one.message_id}
        await insert_message(tx, row, message)
    return len(fresh)


async def _known_ids(tx: Transaction, conversation_id: int) -> set[str]:
    """The platform's ids of all messages of the conversation, our own posts among them."""
    said_ids = select(messages.c.platform_id).where(messages.c.conversation_id == conversation_id)
    posted = select(posts.c.platform_id).join(turns, turns.c.id == posts.c.turn_id)
    posted = posted.where(turns.c.conversation_id == conversation_id)
    return {*(await tx.connection.scalars(said_ids)).all(), *(await tx.connection.scalars(posted)).all()}
