"""The messages of a conversation: what people said and what models read of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Row, Select, and_, bindparam, delete, exists, or_, select, update

from bot.redaction import redact_long, redact_within
from bot.store import Transaction, prepared
from bot.store.blobs import drop_unused, note_uses
from bot.store.conversations import retitle, touch
from bot.store.events import replace_payload
from bot.store.references import MessageRef
from bot.store.schema import blob_uses, messages, turns
from bot.types import (
    Attachment,
    Audio,
    Blob,
    Command,
    File,
    Image,
    InboundMessage,
    Message,
    Part,
    Quoted,
    Text,
    UnreadAttachment,
    clean_text,
    from_json,
    to_json,
)


def words_of(inbound: InboundMessage | Command) -> str:
    """What a person said, as the history shows it: a command with its name, but for `/ask`, which is plain talk."""
    if isinstance(inbound, InboundMessage) or inbound.name == "ask":
        return inbound.text
    return f"/{inbound.name} {inbound.text}".strip()


DELETE_COPY = delete(messages).where(
    messages.c.tenant_id == bindparam("tenant"),
    messages.c.platform_id == bindparam("named"),
    messages.c.conversation_id == bindparam("conversation"),
    messages.c.is_context,
    messages.c.for_model,
)


async def add_user_message(
    tx: Transaction,
    conversation_id: int,
    source_id: int,
    inbound: InboundMessage | Command,
    *,
    for_model: bool = True,
    edited_at: datetime | None = None,
) -> None:
    """Add what a person said to the history, as it came; `settle` adds what was heard and seen in it.

    edited_at: when it was worded so, if that is not its first wording. Replaces a copy that was fetched as context before the
    message arrived.
    """
    if inbound.message_id:
        where = {"tenant": tx.tenant_id, "conversation": conversation_id, "named": inbound.message_id}
        await tx.connection.execute(DELETE_COPY, where)
    text = words_of(inbound)
    message = Message("user", parts_of(inbound, text))
    row = message_row(tx, conversation_id, source_id, 0, message, inbound.sent_at)
    row |= {"author_id": inbound.author.id, "author_name": inbound.author.name, "for_model": for_model}
    await insert_message(tx, row | {"platform_id": inbound.message_id, "edited_at": edited_at}, message)
    await touch(tx, conversation_id, inbound.sent_at, said=text)


def parts_of(inbound: InboundMessage | Command, text: str) -> tuple[Part, ...]:
    """The words, what others wrote along with them, and each attachment as not read yet."""
    words: tuple[Part, ...] = (Text(text),) if text else ()
    return (*words, *quoted_in(inbound), *(UnreadAttachment(attachment) for attachment in inbound.attachments))


def quoted_in(inbound: InboundMessage | Command) -> tuple[Quoted, ...]:
    """What others wrote that came along with it; nothing comes along with a command."""
    return inbound.quoted if isinstance(inbound, InboundMessage) else ()


def message_row(
    tx: Transaction,
    conversation_id: int,
    source_id: int,
    ordinal: int,
    message: Message,
    now: datetime,
    asked_at: datetime | None = None,
) -> dict[str, Any]:
    """The columns that every message has. asked_at: when its question was said; now for the question itself."""
    return {
        "tenant_id": tx.tenant_id,
        "conversation_id": conversation_id,
        "source_id": source_id,
        "ordinal": ordinal,
        "role": message.role,
        **kept_words(message),
        "created_at": now,
        "asked_at": asked_at or now,
    }


def kept_words(message: Message) -> dict[str, Any]:
    """The columns that hold what a message says. A secret of ours is not kept, whoever wrote it."""
    parts = redact_within(to_json(message.parts), redact_long)
    return {"text": redact_long(plain_text(message)), "parts": parts}


INSERT_MESSAGE = prepared(messages, lambda made: made.on_conflict_do_nothing().returning(messages.c.id))


async def insert_message(tx: Transaction, row: Mapping[str, Any], message: Message) -> None:
    """Insert the message and its uses of bytes, unless one is there already."""
    made = await tx.connection.scalar(INSERT_MESSAGE(tx.connection), row)
    if made is not None:
        await note_uses(tx, made, blobs_of(message))


def plain_text(message: Message) -> str:
    """The words of a message as search sees them, with transcripts and what was read in pictures and files."""
    words: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | Image(text=text) | File(text=text) | Audio(transcript=text) | Quoted(text):
                words.append(text)
    return clean_text("\n".join(word for word in words if word))


def blobs_of(message: Message) -> list[Blob]:
    """The bytes that a message uses."""
    return [part.blob for part in message.parts if isinstance(part, Image | Audio | File)]


async def edit_message(
    tx: Transaction, ref: MessageRef, inbound: InboundMessage | Command, edited_at: datetime | None = None
) -> None:
    """Change the words of a message, and the event that a further turn reads. What was heard and seen in it stays.

    edited_at: when it was worded so, at the platform.
    """
    where = (
        messages.c.conversation_id == ref.conversation_id,
        messages.c.source_id == ref.source_id,
        messages.c.ordinal == 0,
    )
    row = (await tx.connection.execute(select(messages.c.id, messages.c.parts).where(*where))).one()
    message = Message("user", with_text(from_json(row.parts), inbound.text))
    values = kept_words(message) | {"edited_at": edited_at}
    await tx.connection.execute(update(messages).where(messages.c.id == row.id).values(values))
    await retitle(tx, ref.conversation_id, ref.text, inbound.text)
    await replace_payload(tx, ref.source_id, inbound)


def with_text(parts: Sequence[Part], text: str) -> tuple[Part, ...]:
    """The parts with these words in place of the old ones."""
    return (Text(text), *(part for part in parts if not isinstance(part, Text)))


async def delete_messages(tx: Transaction, where: Iterable[Any]) -> int:
    """Delete messages and the bytes that only they used; returns how many messages."""
    ids = select(messages.c.id).where(messages.c.tenant_id == tx.tenant_id, *where)
    used = (await tx.connection.scalars(select(blob_uses.c.sha256).where(blob_uses.c.message_id.in_(ids)))).all()
    await tx.connection.execute(delete(blob_uses).where(blob_uses.c.message_id.in_(ids)))
    gone = (await tx.connection.execute(delete(messages).where(messages.c.id.in_(ids)))).rowcount
    if used:
        await drop_unused(tx, used)
    return gone


def _before(query: Select[Any]) -> Select[Any]:
    """Restrict the query to the messages before a source, newest first.

    A conversation is in the order in which it was held at the platform, whenever its messages arrived here; answers stand behind
    their questions.
    """
    table, source = messages.c, bindparam("source", type_=Integer)
    asked = messages.alias("asked")
    same = (asked.c.conversation_id == bindparam("conversation"), asked.c.source_id == source, asked.c.ordinal == 0)
    moment = select(asked.c.asked_at).where(*same).scalar_subquery()
    earlier = or_(
        table.asked_at < moment,
        and_(table.asked_at == moment, table.source_id < source),
        and_(table.source_id == source, table.ordinal < 0),
    )
    where = (table.tenant_id == bindparam("tenant"), table.conversation_id == bindparam("conversation"), earlier)
    in_order = query.where(*where).order_by(table.asked_at.desc(), table.source_id.desc(), table.ordinal.desc())
    return in_order.limit(bindparam("most", type_=Integer))


async def asked_at(tx: Transaction, conversation_id: int, source_id: int) -> datetime | None:
    """When the question was said at its platform; None when it is gone."""
    same = (messages.c.conversation_id == conversation_id, messages.c.source_id == source_id, messages.c.ordinal == 0)
    found: datetime | None = await tx.connection.scalar(select(messages.c.asked_at).where(*same))
    return found


async def noted_after(tx: Transaction, conversation_id: int, moment: datetime, limit: int) -> list[int]:
    """The sources of what people said there after that moment and that nothing answers, oldest first."""
    answered = exists().where(turns.c.conversation_id == conversation_id, turns.c.source_id == messages.c.source_id)
    where = (messages.c.conversation_id == conversation_id, messages.c.ordinal == 0, messages.c.asked_at > moment)
    query = select(messages.c.source_id).where(messages.c.tenant_id == tx.tenant_id, *where, ~answered)
    return list(await tx.connection.scalars(query.order_by(messages.c.asked_at, messages.c.source_id).limit(limit)))


SAID = ("role", "parts", "author_name", "author_id", "is_context", "origin_channel")
SELECT_HISTORY = _before(select(*(messages.c[name] for name in SAID)).where(messages.c.for_model))
SELECT_PARTS_BEFORE = _before(select(messages.c.id, messages.c.parts))


async def history_with_origins(
    tx: Transaction, conversation_id: int, before: int, limit: int = 200
) -> list[tuple[Message, str]]:
    """Load the newest messages before that source, oldest first, without unfinished answers.

    Each comes with the channel from which it was copied as context; empty where it was said here.
    """
    where = {"tenant": tx.tenant_id, "conversation": conversation_id, "source": before, "most": limit}
    rows = (await tx.connection.execute(SELECT_HISTORY, where)).all()
    return [(_message(row), row.origin_channel) for row in reversed(rows)]


def _message(row: Row[Any]) -> Message:
    return Message(row.role, from_json(row.parts), row.author_name, row.author_id, row.is_context)


async def question(tx: Transaction, conversation_id: int, source_id: int) -> Message | None:
    """Load what a person said there, as far as it was understood; None when it was deleted."""
    where = (messages.c.tenant_id == tx.tenant_id, messages.c.conversation_id == conversation_id)
    row = (
        await tx.connection.execute(
            select(messages).where(*where, messages.c.source_id == source_id, messages.c.ordinal == 0)
        )
    ).one_or_none()
    return _message(row) if row else None


async def unread(tx: Transaction, conversation_id: int, before: int, limit: int) -> list[tuple[int, Attachment]]:
    """List attachments of the newest earlier messages that were not read yet and may be readable, with their message's id."""
    where = {"tenant": tx.tenant_id, "conversation": conversation_id, "source": before, "most": 50}
    found = [
        (row.id, part.attachment)
        for row in await tx.connection.execute(SELECT_PARTS_BEFORE, where)
        for part in from_json(row.parts)
        if isinstance(part, UnreadAttachment) and (not part.reason or part.is_retryable)
    ]
    return found[:limit]


async def replace_attachment(tx: Transaction, message_id: int, attachment: Attachment, parts: Sequence[Part]) -> None:
    """Replace an attachment of an earlier message by the parts that were read from it."""
    row = (await tx.connection.execute(select(messages).where(messages.c.id == message_id))).one_or_none()
    if row is None:
        return
    made: list[Part] = []
    for part in from_json(row.parts):
        made += parts if isinstance(part, UnreadAttachment) and part.attachment == attachment else [part]
    message = Message(row.role, tuple(made))
    values = kept_words(message)
    await tx.connection.execute(update(messages).where(messages.c.id == message_id).values(values))
    await note_uses(tx, message_id, blobs_of(message))
