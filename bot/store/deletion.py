"""What leaves the history for good: deleted messages, deleted answers, and all that a person wants forgotten."""

from __future__ import annotations

from sqlalchemy import and_, delete, or_, select, update

from bot.store import Transaction
from bot.store.events import erase_payloads
from bot.store.messages import delete_messages
from bot.store.references import MessageRef
from bot.store.schema import conversations, feedback, inbox, messages, posts, steps, turns
from bot.types import (
    Address,
)


async def delete_exchange(tx: Transaction, ref: MessageRef) -> int:
    """A message was deleted: it, its answer and their bytes leave the history; gives how many messages."""
    where = [messages.c.conversation_id == ref.conversation_id, messages.c.source_id == ref.source_id]
    if ref.ordinal < 0:
        return await delete_messages(tx, [*where, messages.c.ordinal == ref.ordinal])
    gone = await delete_messages(tx, [*where, messages.c.ordinal >= 0])
    await erase_payloads(tx, inbox.c.id == ref.source_id)
    return gone


async def delete_answer(tx: Transaction, ref: MessageRef, platform_id: str) -> int:
    """A post of ours was deleted: the answer leaves the history, unless it is being written anew; gives how many messages."""
    if ref.is_running or ref.receipt is None or platform_id not in ref.receipt.message_ids:
        return 0
    where = (messages.c.conversation_id == ref.conversation_id, messages.c.source_id == ref.source_id)
    return await delete_messages(tx, (*where, messages.c.ordinal > 0))


async def forget(tx: Transaction, address: Address, author_id: str | None) -> tuple[int, list[str]]:
    """Delete for good what this person said in a channel and its threads, or what anybody did (None), and the answers to it:
    messages, bytes, turns and what its events carried. Gives how many messages, and the turns.
    """
    here = select(conversations.c.id).where(
        conversations.c.tenant_id == tx.tenant_id, conversations.c.channel == address.channel
    )
    mine = (messages.c.conversation_id.in_(here), *((messages.c.author_id == author_id,) if author_id else ()))
    said_here = (await tx.connection.execute(select(messages.c.id, messages.c.source_id).where(*mine))).all()
    asked = select(messages.c.source_id).where(*mine, messages.c.ordinal == 0)
    about = turns.c.conversation_id.in_(here) if author_id is None else turns.c.source_id.in_(asked)
    found = (await tx.connection.execute(select(turns.c.id, turns.c.sequence, turns.c.source_id).where(about))).all()
    sources = {row.source_id for row in found} | {row.source_id for row in said_here}
    if author_id is not None:
        sources = set((await tx.connection.scalars(asked)).all())
    await erase_payloads(tx, inbox.c.id.in_(sources | {row.sequence for row in found}))
    answers = (messages.c.conversation_id.in_(here), messages.c.source_id.in_(sources), messages.c.ordinal >= 0)
    gone = await delete_messages(tx, (or_(messages.c.id.in_([row.id for row in said_here]), and_(*answers)),))
    turn_ids = [row.id for row in found]
    for table in (feedback, posts, steps):
        await tx.connection.execute(delete(table).where(table.c.turn_id.in_(turn_ids)))
    await tx.connection.execute(delete(turns).where(turns.c.id.in_(turn_ids), turns.c.ended_at.is_not(None)))
    untitled = update(conversations).where(conversations.c.id.in_(here)).values(title="")
    await tx.connection.execute(untitled if author_id else untitled.values(is_open=False))
    return gone, turn_ids
