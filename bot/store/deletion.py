"""Deleting for good: a message with its answer, an answer, and all that a person wants forgotten."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, select, update

from bot.store import Transaction
from bot.store.context import delete_copies, forget_copies
from bot.store.events import erase_payloads
from bot.store.messages import delete_messages
from bot.store.references import MessageRef
from bot.store.schema import conversations, feedback, inbox, messages, posts, steps, turns
from bot.types import Address


async def delete_exchange(tx: Transaction, ref: MessageRef) -> int:
    """Delete a message, its answer, the copies of both, and the bytes that only they used; returns how many messages."""
    await _delete_copies_of_posts(tx, turns.c.source_id == ref.source_id)
    where = (messages.c.conversation_id == ref.conversation_id, messages.c.source_id == ref.source_id)
    gone = await delete_messages(tx, (*where, messages.c.ordinal >= 0))
    await erase_payloads(tx, inbox.c.id == ref.source_id)
    return gone


async def _delete_copies_of_posts(tx: Transaction, which: ColumnElement[bool]) -> None:
    """Delete the copies of what we posted in these turns."""
    posted = select(posts.c.channel, posts.c.platform_id).join(turns, turns.c.id == posts.c.turn_id)
    by_channel: dict[str, list[str]] = {}
    for row in await tx.connection.execute(posted.where(posts.c.tenant_id == tx.tenant_id, which)):
        by_channel.setdefault(row.channel, []).append(row.platform_id)
    for channel, platform_ids in by_channel.items():
        await delete_copies(tx, channel, platform_ids)


async def delete_answer(tx: Transaction, ref: MessageRef, platform_id: str) -> int:
    """Delete the answer that this post of ours is part of, unless it is being written anew; returns how many messages."""
    if ref.is_running or ref.receipt is None or platform_id not in ref.receipt.message_ids:
        return 0
    where = (messages.c.conversation_id == ref.conversation_id, messages.c.source_id == ref.source_id)
    return await delete_messages(tx, (*where, messages.c.ordinal > 0))


async def forget(tx: Transaction, address: Address, author_id: str | None) -> tuple[int, list[str]]:
    """Delete for good what this person said in a channel and its threads, or what anybody said (None), and the answers to it:
    messages and their copies, bytes, turns, and what the events carried. Returns how many messages, and the turns' ids.
    """
    here = select(conversations.c.id).where(
        conversations.c.tenant_id == tx.tenant_id, conversations.c.channel == address.channel
    )
    said: list[ColumnElement[bool]] = [messages.c.conversation_id.in_(here)]
    if author_id is not None:
        said += [messages.c.author_id == author_id, ~messages.c.is_context]
    sources = set((await tx.connection.scalars(select(messages.c.source_id).where(*said))).all())
    about = (turns.c.conversation_id.in_(here), *(() if author_id is None else (turns.c.source_id.in_(sources),)))
    asked = (await tx.connection.execute(select(turns.c.id, turns.c.sequence, turns.c.source_id).where(*about))).all()
    turn_ids = [row.id for row in asked]
    await erase_payloads(
        tx, inbox.c.id.in_(sources | {row.sequence for row in asked} | {row.source_id for row in asked})
    )
    await forget_copies(tx, address.channel, author_id)
    await _delete_copies_of_posts(tx, turns.c.id.in_(turn_ids))
    own = (messages.c.source_id.in_(sources), messages.c.ordinal >= 0) if author_id is not None else ()
    gone = await delete_messages(tx, (messages.c.conversation_id.in_(here), *own))
    await _delete_turns(tx, turn_ids)
    untitled = update(conversations).where(conversations.c.id.in_(here)).values(title="")
    await tx.connection.execute(untitled if author_id else untitled.values(is_open=False))
    return gone, turn_ids


async def _delete_turns(tx: Transaction, turn_ids: list[str]) -> None:
    """Delete the turns that have ended, and what belongs to any of the turns."""
    for table in (feedback, posts, steps):
        await tx.connection.execute(delete(table).where(table.c.turn_id.in_(turn_ids)))
    await tx.connection.execute(delete(turns).where(turns.c.id.in_(turn_ids), turns.c.ended_at.is_not(None)))
