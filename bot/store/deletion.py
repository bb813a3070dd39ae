"""Deleting for good: a message with its answer, an answer, and all that a person wants forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update

from bot.store import Transaction
from bot.store.context import TIE_ORDINAL, delete_copies, forget_copies, tied_to
from bot.store.conversations import retitle
from bot.store.early_edits import forget_early_edits
from bot.store.events import erase_payloads
from bot.store.graves import bury
from bot.store.messages import delete_messages
from bot.store.references import MessageRef
from bot.store.schema import conversations, feedback, inbox, messages, posts, steps, turns
from bot.types import Address


async def delete_exchange(tx: Transaction, ref: MessageRef) -> int:
    """Delete a message, its answer, the copies of both, what repeats them, and the bytes that only they used; returns how many
    messages.
    """
    gone = await _delete_source(tx, ref.conversation_id, ref.source_id)
    await retitle(tx, ref.conversation_id, ref.text)
    return gone


async def _delete_source(tx: Transaction, conversation_id: int, source_id: int) -> int:
    await delete_copies_of_answers(tx, source_id)
    where = (messages.c.conversation_id == conversation_id, messages.c.source_id == source_id)
    gone = await delete_messages(tx, (*where, messages.c.ordinal >= 0))
    await erase_payloads(tx, inbox.c.id == source_id)
    return gone


async def delete_repeats(tx: Transaction, channel: str, platform_ids: Iterable[str]) -> int:
    """Delete what message menus made of these messages, with the answers: their words are the original's. Returns how many."""
    return await _delete_tied(tx, await tied_to(tx, channel, platform_ids=platform_ids))


async def _delete_tied(tx: Transaction, tied: Sequence[Any]) -> int:
    for row in tied:
        where = (messages.c.conversation_id == row.conversation_id, messages.c.source_id == row.source_id)
        said = await tx.connection.scalar(select(messages.c.text).where(*where, messages.c.ordinal == 0))
        await delete_messages(tx, (*where, messages.c.ordinal == TIE_ORDINAL))  # before what follows comes here again
        await _delete_source(tx, row.conversation_id, row.source_id)
        await retitle(tx, row.conversation_id, said or "")
    return len(tied)


async def delete_copies_of_answers(tx: Transaction, source_id: int) -> None:
    """Delete the copies of the answers to a message, and what repeats them: they go, or other ones come in their place."""
    await _delete_copies_of_posts(tx, turns.c.source_id == source_id)


async def _delete_copies_of_posts(tx: Transaction, which: ColumnElement[bool], *, for_good: bool = False) -> None:
    """Delete the copies of what we posted in these turns, and what repeats it. for_good: it is not to be fetched again."""
    posted = select(posts.c.channel, posts.c.platform_id).join(turns, turns.c.id == posts.c.turn_id)
    by_channel: dict[str, list[str]] = {}
    for row in await tx.connection.execute(posted.where(posts.c.tenant_id == tx.tenant_id, which)):
        by_channel.setdefault(row.channel, []).append(row.platform_id)
    for channel, platform_ids in by_channel.items():
        await delete_copies(tx, channel, platform_ids)
        await delete_repeats(tx, channel, platform_ids)
        if for_good:
            await bury(tx, channel, platform_ids)


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
    await _bury_sources(tx, address.channel, sources)
    await forget_copies(tx, address.channel, author_id)
    await forget_early_edits(tx, address.channel, author_id)
    await _delete_tied(tx, await tied_to(tx, address.channel, author_id=author_id) if author_id else ())
    await _delete_copies_of_posts(tx, turns.c.id.in_(turn_ids), for_good=True)
    own = (messages.c.source_id.in_(sources), messages.c.ordinal >= 0) if author_id is not None else ()
    gone = await delete_messages(tx, (messages.c.conversation_id.in_(here), *own))
    await _delete_turns(tx, turn_ids)
    untitled = update(conversations).where(conversations.c.id.in_(here)).values(title="")
    await tx.connection.execute(untitled if author_id else untitled.values(is_open=False))
    return gone, turn_ids


async def _bury_sources(tx: Transaction, channel: str, sources: Iterable[int]) -> None:
    """What was forgotten may still stand at the platform: it is not to come back from there."""
    query = select(messages.c.platform_id).where(messages.c.source_id.in_(sources), messages.c.ordinal == 0)
    await bury(tx, channel, (await tx.connection.scalars(query)).all())


async def _delete_turns(tx: Transaction, turn_ids: list[str]) -> None:
    """Delete the turns that have ended, and what belongs to any of the turns."""
    for table in (feedback, posts, steps):
        await tx.connection.execute(delete(table).where(table.c.turn_id.in_(turn_ids)))
    await tx.connection.execute(delete(turns).where(turns.c.id.in_(turn_ids), turns.c.ended_at.is_not(None)))
