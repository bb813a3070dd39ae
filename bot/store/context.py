"""Context: copies of what was said before Parley was asked, fetched from the platform for the questions of one conversation.

A copy is no message of the conversation in which it stands: its author does not take part there, no search finds it, and its id
does not count as seen. What happens to the original at the platform, or by `/forget`, happens to every copy of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select, update

from bot.store import Transaction
from bot.store.graves import buried, bury
from bot.store.messages import asked_at, delete_messages, insert_message, kept_words, message_row, parts_of, with_text
from bot.store.schema import messages, posts, turns
from bot.types import Backfill, Edit, InboundMessage, Message, Text, from_json

_IS_TIE = and_(messages.c.is_context, ~messages.c.for_model)
TIE_ORDINAL = -1_000_000
"""Before all copies, which have no words in common with it."""
PARTIAL = Message("system", (Text("Earlier messages of this conversation exist, but could not be read."),))


async def add_context(tx: Transaction, conversation_id: int, source_id: int, backfill: Backfill) -> int:
    """Copy what was said before a source into the history, right before it; returns how many messages were new there.

    The order of a conversation is (time of the question, source, ordinal), so copies take their question's
    time and ordinals below 0.
    """
    known = await _known_ids(tx, conversation_id)
    fresh = [one for one in backfill.messages if one.message_id not in known]
    fresh = await _without_gone(tx, fresh)
    if not fresh:
        return 0
    at = await asked_at(tx, conversation_id, source_id) or fresh[-1].sent_at
    if not backfill.is_complete:
        note = message_row(tx, conversation_id, source_id, -len(fresh) - 1, PARTIAL, fresh[0].sent_at, at)
        await insert_message(tx, note | {"is_context": True}, PARTIAL)
    for ordinal, original in enumerate(fresh, start=-len(fresh)):
        await _insert_copy(tx, conversation_id, source_id, ordinal, original, at)
    return len(fresh)


async def _without_gone(tx: Transaction, fetched: list[InboundMessage]) -> list[InboundMessage]:
    """Without what was deleted while it was fetched, or had been forgotten here before."""
    gone: set[tuple[str, str]] = set()
    for channel in {one.address.channel for one in fetched}:
        ids = [one.message_id for one in fetched if one.address.channel == channel]
        gone |= {(channel, found) for found in await buried(tx, channel, ids)}
    return [one for one in fetched if (one.address.channel, one.message_id) not in gone]


async def _known_ids(tx: Transaction, conversation_id: int) -> set[str]:
    """The platform's ids of all messages of the conversation, our own posts among them."""
    said_ids = select(messages.c.platform_id).where(messages.c.conversation_id == conversation_id, ~_IS_TIE)
    posted = select(posts.c.platform_id).join(turns, turns.c.id == posts.c.turn_id)
    posted = posted.where(turns.c.conversation_id == conversation_id)
    return {*(await tx.connection.scalars(said_ids)).all(), *(await tx.connection.scalars(posted)).all()}


async def _insert_copy(
    tx: Transaction, conversation_id: int, source_id: int, ordinal: int, original: InboundMessage, at: datetime
) -> None:
    author = original.author
    message = Message("user" if author.id else "assistant", parts_of(original, original.text), author.name)
    row = message_row(tx, conversation_id, source_id, ordinal, message, original.sent_at, at)
    row |= {"author_id": author.id, "author_name": author.name, "platform_id": original.message_id}
    await insert_message(tx, row | {"is_context": True, "origin_channel": original.address.channel}, message)


async def tie(tx: Transaction, conversation_id: int, source_id: int, inbound: InboundMessage) -> None:
    """Note whose words a message repeats, by an empty row that no model reads: so it is found when the original goes."""
    message = Message("user", ())
    row = message_row(tx, conversation_id, source_id, TIE_ORDINAL, message, inbound.sent_at)
    row |= {"author_id": inbound.about_author_id, "platform_id": inbound.about_message_id, "for_model": False}
    await insert_message(tx, row | {"is_context": True, "origin_channel": inbound.address.channel}, message)


async def tied_to(tx: Transaction, channel: str, *, platform_ids: Iterable[str] = (), author_id: str = "") -> list[Any]:
    """The conversation and source of what repeats these messages of the channel, or any that this person wrote there."""
    which = (
        messages.c.author_id == author_id if author_id else messages.c.platform_id.in_([*filter(None, platform_ids)])
    )
    where = (messages.c.tenant_id == tx.tenant_id, _IS_TIE, messages.c.origin_channel == channel, which)
    query = select(messages.c.conversation_id, messages.c.source_id).where(*where)
    return list((await tx.connection.execute(query)).all())


def _copies_from(tx: Transaction, channel: str) -> tuple[Any, ...]:
    """Select copies whose original is in the channel. An unknown origin, as very old copies have, counts as every channel."""
    is_copy = and_(messages.c.is_context, messages.c.for_model)
    return (messages.c.tenant_id == tx.tenant_id, is_copy, messages.c.origin_channel.in_((channel, "")))


async def edit_copies(tx: Transaction, edit: Edit) -> int:
    """Give every copy the words that the author gave the original; returns how many copies there are."""
    where = [*_copies_from(tx, edit.address.channel), messages.c.platform_id == edit.message_id]
    if edit.author.id:
        where.append(messages.c.author_id == edit.author.id)
    copies = (await tx.connection.execute(select(messages.c.id, messages.c.role, messages.c.parts).where(*where))).all()
    for row in copies:
        message = Message(row.role, with_text(from_json(row.parts), edit.text))
        values = kept_words(message)
        await tx.connection.execute(update(messages).where(messages.c.id == row.id).values(values))
    return len(copies)


async def delete_copies(tx: Transaction, channel: str, platform_ids: Iterable[str]) -> int:
    """Delete all copies of originals that were deleted; returns how many copies."""
    ids = [platform_id for platform_id in platform_ids if platform_id]
    return await delete_messages(tx, (*_copies_from(tx, channel), messages.c.platform_id.in_(ids))) if ids else 0


async def forget_copies(tx: Transaction, channel: str, author_id: str | None) -> None:
    """Delete the copies, in all conversations, of what this person said in the channel, or of what anybody said (None).

    The originals may still stand at the platform: they are not to be fetched again.
    """
    where: tuple[Any, ...] = (messages.c.is_context, messages.c.origin_channel == channel)
    if author_id is not None:
        where = (*_copies_from(tx, channel), messages.c.author_id == author_id)
    ids = select(messages.c.platform_id).where(messages.c.tenant_id == tx.tenant_id, *where)
    await bury(tx, channel, (await tx.connection.scalars(ids)).all())
    await delete_messages(tx, where)
