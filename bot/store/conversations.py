"""Events, conversations, their messages and the turns that answer them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Row, Select, and_, bindparam, case, delete, func, or_, select, text, update
from sqlalchemy import exists as exists_

from bot.errors import StoreError
from bot.store import Store, Transaction, prepared
from bot.store.blobs import drop_unused, note_uses
from bot.store.schema import blob_uses, conversations, feedback, inbox, messages, posts, steps, tenants, turns
from bot.types import (
    Address,
    Attachment,
    Audio,
    Author,
    Backfill,
    Blob,
    ButtonPress,
    Command,
    Conversation,
    File,
    Image,
    InboundMessage,
    Message,
    Part,
    Receipt,
    Reply,
    ResumePoint,
    Role,
    Settings,
    StepRecord,
    Text,
    TimelineEntry,
    ToolCall,
    ToolResult,
    Turn,
    UnreadAttachment,
    clean_text,
    from_json,
    to_json,
)

TITLE_LENGTH = 80
PARTIAL = Message("system", (Text("Earlier messages of this conversation exist, but could not be read."),))


@dataclass(frozen=True)
class UnfinishedTurn:
    """A turn that has not ended, as the jobs need it."""

    id: str
    conversation_id: int
    sequence: int
    owner: str


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


INSERT_EVENT = prepared(inbox, lambda made: made.on_conflict_do_nothing().returning(inbox.c.id))


async def record_event(tx: Transaction, event_id: str, payload: Any, now: datetime) -> int | None:
    """Write an event down; gives its place in the order, or None when it was written before."""
    row = {"tenant_id": tx.tenant_id, "event_id": event_id, "payload": to_json(payload), "received_at": now}
    found: int | None = await tx.connection.scalar(INSERT_EVENT(tx.connection), row)
    return found


SELECT_OPEN = select(conversations.c.id).where(
    conversations.c.tenant_id == bindparam("tenant"),
    conversations.c.channel == bindparam("at"),
    conversations.c.thread == bindparam("beneath"),
    conversations.c.is_open,
)
INSERT_CONVERSATION = prepared(conversations, lambda made: made.on_conflict_do_nothing().returning(conversations.c.id))


async def find_open(tx: Transaction, address: Address) -> int | None:
    """The conversation now held at this address, if any."""
    where = {"tenant": tx.tenant_id, "at": address.channel, "beneath": address.thread}
    found: int | None = await tx.connection.scalar(SELECT_OPEN, where)
    return found


async def get_or_open(
    tx: Transaction, address: Address, now: datetime, *, is_direct: bool = False, title: str = ""
) -> int:
    """The conversation now held at this address; begins one where there is none."""
    if (found := await find_open(tx, address)) is not None:
        return found
    row = {
        "tenant_id": tx.tenant_id,
        "channel": address.channel,
        "thread": address.thread,
        "is_direct": is_direct,
        "title": _title(title),
        "created_at": now,
        "updated_at": now,
    }
    made = await tx.connection.scalar(INSERT_CONVERSATION(tx.connection), row)
    found = made if made is not None else await find_open(tx, address)
    if found is None:
        raise StoreError("The conversation could not be begun. Please try again.", detail=address.channel)
    return found


async def close_conversation(tx: Transaction, conversation_id: int) -> None:
    """The next message at its address begins a new one."""
    await tx.connection.execute(update(conversations).where(*_is(tx, conversation_id)).values(is_open=False))


def _is(tx: Transaction, conversation_id: int) -> tuple[Any, ...]:
    return (conversations.c.tenant_id == tx.tenant_id, conversations.c.id == conversation_id)


TOUCH_WITH_TITLE = (
    update(conversations)
    .where(conversations.c.tenant_id == bindparam("tenant"), conversations.c.id == bindparam("conversation"))
    .values(
        updated_at=bindparam("now"),
        title=case((conversations.c.title == "", bindparam("first")), else_=conversations.c.title),
    )
)
TOUCH = (
    update(conversations)
    .where(conversations.c.tenant_id == bindparam("tenant"), conversations.c.id == bindparam("conversation"))
    .values(updated_at=bindparam("now"))
)


def words_of(inbound: InboundMessage | Command) -> str:
    """What a person said, as the history shows it: a command with its name, but for `/ask`, which is plain talk."""
    if isinstance(inbound, InboundMessage) or inbound.name == "ask":
        return inbound.text
    return f"/{inbound.name} {inbound.text}".strip()


async def add_user_message(
    tx: Transaction,
    conversation_id: int,
    source_id: int,
    inbound: InboundMessage | Command,
    *,
    for_model: bool = True,
) -> None:
    """Put what a person said into the history, as it came; `settle` adds what was heard and seen in it."""
    text = words_of(inbound)
    message = Message("user", _as_said(inbound, text))
    row = _row(tx, conversation_id, source_id, 0, message, inbound.sent_at)
    row |= {"author_id": inbound.author.id, "author_name": inbound.author.name, "for_model": for_model}
    await _add(tx, row | {"platform_id": inbound.message_id}, message)
    values = {"conversation": conversation_id, "tenant": tx.tenant_id, "now": inbound.sent_at, "first": _title(text)}
    await tx.connection.execute(TOUCH_WITH_TITLE, values)


def _title(text: str) -> str:
    return " ".join(text.split())[:TITLE_LENGTH]


def _as_said(inbound: InboundMessage | Command, text: str) -> tuple[Part, ...]:
    words: tuple[Part, ...] = (Text(text),) if text else ()
    return (*words, *(UnreadAttachment(attachment) for attachment in inbound.attachments))


def _row(
    tx: Transaction, conversation_id: int, source_id: int, ordinal: int, message: Message, now: datetime
) -> dict[str, Any]:
    return {
        "tenant_id": tx.tenant_id,
        "conversation_id": conversation_id,
        "source_id": source_id,
        "ordinal": ordinal,
        "role": message.role,
        "text": plain_text(message),
        "parts": to_json(message.parts),
        "created_at": now,
    }


ADD_MESSAGE = prepared(messages, lambda made: made.on_conflict_do_nothing().returning(messages.c.id))


async def _add(tx: Transaction, row: Mapping[str, Any], message: Message) -> None:
    made = await tx.connection.scalar(ADD_MESSAGE(tx.connection), row)
    if made is not None:
        await note_uses(tx, made, blobs_of(message))


def plain_text(message: Message) -> str:
    """The words of a message, transcripts and what is read in pictures and files included: what search looks through."""
    words: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | Image(text=text) | File(text=text) | Audio(transcript=text):
                words.append(text)
    return clean_text("\n".join(word for word in words if word))


def blobs_of(message: Message) -> list[Blob]:
    """The bytes that a message uses."""
    return [part.blob for part in message.parts if isinstance(part, Image | Audio | File)]


# --- Turns -----------------------------------------------------------------------------------------------------------


ADD_TURN = turns.insert()
WAITING = (
    select(func.count())
    .select_from(turns)
    .where(
        turns.c.conversation_id == bindparam("conversation"),
        turns.c.sequence < bindparam("before"),
        turns.c.ended_at.is_(None),
    )
)


async def add_turn(
    tx: Transaction,
    conversation_id: int,
    sequence: int,
    source_id: int,
    now: datetime,
    *,
    owner: str = "",
) -> str:
    """Ask for an answer to that source; gives the turn's id. A source that asks for itself has no earlier turn."""
    attempt = 1 if sequence == source_id else await _attempts(tx, source_id) + 1
    row = {
        "id": uuid.uuid4().hex,
        "tenant_id": tx.tenant_id,
        "conversation_id": conversation_id,
        "sequence": sequence,
        "source_id": source_id,
        "attempt": attempt,
        "state": "queued",
        "owner": owner,
        "created_at": now,
    }
    await tx.connection.execute(ADD_TURN, row)
    return str(row["id"])


async def _attempts(tx: Transaction, source_id: int) -> int:
    earlier = (
        select(func.count()).select_from(turns).where(turns.c.tenant_id == tx.tenant_id, turns.c.source_id == source_id)
    )
    return int((await tx.connection.execute(earlier)).scalar_one())


async def waiting_before(tx: Transaction, conversation_id: int, sequence: int) -> int:
    """How many turns of the conversation have to end first."""
    where = {"conversation": conversation_id, "before": sequence}
    return int((await tx.connection.execute(WAITING, where)).scalar_one())


async def unfinished(store: Store, before: datetime | None = None) -> list[UnfinishedTurn]:
    """The turns of all tenants that have not ended, in the order in which they were asked for; only those of before then."""
    query = select(turns.c.id, turns.c.conversation_id, turns.c.sequence, turns.c.owner).where(
        turns.c.ended_at.is_(None)
    )
    if before is not None:
        query = query.where(turns.c.created_at < before)
    async with store.connect(write=False) as connection:
        rows = await connection.execute(query.order_by(turns.c.sequence))
        return [UnfinishedTurn(*row) for row in rows]


async def unfinished_of(tx: Transaction, event_id: str) -> UnfinishedTurn | None:
    """The turn that this event asked for, if it has not ended."""
    query = (
        select(turns.c.id, turns.c.conversation_id, turns.c.sequence, turns.c.owner)
        .join(inbox, inbox.c.id == turns.c.sequence)
        .where(inbox.c.tenant_id == tx.tenant_id, inbox.c.event_id == event_id, turns.c.ended_at.is_(None))
    )
    row = (await tx.connection.execute(query)).one_or_none()
    return UnfinishedTurn(*row) if row else None


async def take_over(store: Store, turn_ids: Sequence[str], owner: str) -> None:
    """This process answers for these turns now."""
    async with store.connect(write=True) as connection:
        await connection.execute(update(turns).where(turns.c.id.in_(turn_ids)).values(owner=owner))


@dataclass(frozen=True)
class TurnRecord:
    """A turn as the jobs find it."""

    turn: Turn
    """With the person's own words, without settings."""
    source_id: int
    state: str
    stop_requested: bool
    is_superseded: bool
    """Whether the same question was asked again since."""


asked = inbox.alias("asked")
LOAD = (
    select(turns, inbox.c.payload, asked.c.payload.label("asked"))
    .join(inbox, inbox.c.id == turns.c.source_id)
    .join(asked, asked.c.id == turns.c.sequence)
    .where(turns.c.id == bindparam("turn"))
)
EARLIER_RECEIPT = (
    select(turns.c.receipt)
    .where(
        turns.c.source_id == bindparam("source"), turns.c.attempt < bindparam("before"), turns.c.receipt.is_not(None)
    )
    .order_by(turns.c.attempt.desc())
    .limit(1)
)
LATER_ATTEMPT = select(exists_().where(turns.c.source_id == bindparam("source"), turns.c.attempt > bindparam("after")))


async def load_turn(store: Store, turn_id: str) -> TurnRecord | None:
    """A turn; None when it was forgotten. A further answer gets the receipt with which the one before it ended."""
    async with store.connect(write=False) as connection:
        row = (await connection.execute(LOAD, {"turn": turn_id})).one_or_none()
        if row is None or not row.payload:
            return None
        kept = row.receipt
        if row.attempt > 1 and row.state == "queued":
            earlier = {"source": row.source_id, "before": row.attempt}
            kept = await connection.scalar(EARLIER_RECEIPT, earlier)
        is_superseded = await connection.scalar(LATER_ATTEMPT, {"source": row.source_id, "after": row.attempt})
    inbound, receipt = _asked_again(row), from_json(kept) if kept else None
    turn = Turn(row.id, row.tenant_id, row.conversation_id, inbound, Settings(), receipt, row.attempt, row.source_id)
    return TurnRecord(turn, row.source_id, row.state, row.stop_requested, bool(is_superseded))


def _asked_again(row: Row[Any]) -> InboundMessage | Command:
    """What is to be answered; asked again by a button, it is answered by what the button's press brings along."""
    inbound: InboundMessage | Command = from_json(row.payload)
    if row.sequence == row.source_id or not row.asked:
        return inbound
    again = from_json(row.asked)
    return replace(inbound, ref={**inbound.ref, **again.ref}) if isinstance(again, ButtonPress) else inbound


async def cancel_turn(store: Store, turn_id: str, now: datetime) -> None:
    """Its question was deleted before anybody began to answer it."""
    async with store.connect(write=True) as connection:
        ended = _this(turn_id).where(turns.c.ended_at.is_(None)).values(state="stopped", ended_at=now)
        await connection.execute(ended)


def _this(turn_id: str) -> Any:
    return update(turns).where(turns.c.id == turn_id)


CHANGE_TURN = update(turns).where(turns.c.id == bindparam("turn"))
KEEP_POST = prepared(
    posts,
    lambda made: made.on_conflict_do_update(
        index_elements=["tenant_id", "channel", "platform_id"], set_={"turn_id": made.excluded.turn_id}
    ),
)


async def note_receipt(tx: Transaction, turn_id: str, receipt: Receipt, **more: Any) -> None:
    """Remember what was posted, so that an edit, a button or a restart finds it; `more` columns of the turn with it."""
    await tx.connection.execute(CHANGE_TURN, {"turn": turn_id, "receipt": to_json(receipt), **more})
    rows = [
        {"tenant_id": tx.tenant_id, "channel": receipt.address.channel, "platform_id": platform_id, "turn_id": turn_id}
        for platform_id in receipt.message_ids
    ]
    if rows:
        await tx.connection.execute(KEEP_POST(tx.connection), rows)


async def request_stop(tx: Transaction, turn_id: str) -> None:
    """Ask whichever process works on it to stop."""
    await tx.connection.execute(_this(turn_id).where(turns.c.ended_at.is_(None)).values(stop_requested=True))


QUESTION_ID = select(messages.c.id).where(
    messages.c.conversation_id == bindparam("conversation"),
    messages.c.source_id == bindparam("source"),
    messages.c.ordinal == 0,
)
CHANGE_MESSAGE = update(messages).where(messages.c.id == bindparam("message"))
ANSWERS = select(messages.c.id).where(
    messages.c.conversation_id == bindparam("conversation"),
    messages.c.source_id == bindparam("source"),
    messages.c.ordinal > 0,
)
DROP_STEPS = delete(steps).where(steps.c.turn_id == bindparam("turn"))
ADD_STEPS = steps.insert()


async def settle(
    tx: Transaction,
    turn: Turn,
    source_id: int,
    user: Message | None,
    reply: Reply,
    answer: Sequence[Message],
    receipt: Receipt | None,
    notes: Sequence[StepRecord],
    now: datetime,
    *,
    for_model: bool = True,
) -> None:
    """End a turn: what was understood of the question, the answer in place of an earlier one, and how the steps went.

    Repeated, it leaves the same rows. When the question was asked again meanwhile, the history is the later turn's to write.
    """
    is_superseded = await tx.connection.scalar(LATER_ATTEMPT, {"source": source_id, "after": turn.attempt})
    still_asked = not is_superseded and await _understood(tx, turn.conversation_id, source_id, user)
    if not is_superseded:
        await _drop_answer(tx, turn.conversation_id, source_id)
    for ordinal, message in enumerate(answer if still_asked else (), start=1):
        row = _row(tx, turn.conversation_id, source_id, ordinal, message, now)
        platform_id = receipt.message_ids[0] if receipt and receipt.message_ids else ""
        await _add(tx, row | {"turn_id": turn.id, "platform_id": platform_id, "for_model": for_model}, message)
    state = "stopped" if reply.stopped else "failed" if reply.error else "done"
    values = {
        "state": state,
        "error": reply.error,
        "model": reply.model,
        "notices": list(reply.notices),
        "truncated": reply.truncated,
        "ended_at": now,
    }
    if receipt:
        await note_receipt(tx, turn.id, receipt, **values)
    else:
        await tx.connection.execute(CHANGE_TURN, {"turn": turn.id, **values})
    await _note_steps(tx, turn.id, notes)
    values = {"tenant": tx.tenant_id, "conversation": turn.conversation_id, "now": now}
    await tx.connection.execute(TOUCH, values)


async def _understood(tx: Transaction, conversation_id: int, source_id: int, user: Message | None) -> bool:
    """Keep what was understood of a question; False when it was deleted or forgotten while it was being answered."""
    message_id = await tx.connection.scalar(QUESTION_ID, {"conversation": conversation_id, "source": source_id})
    if message_id is None:
        return False
    if user is not None:
        values = {"message": message_id, "parts": to_json(user.parts), "text": plain_text(user)}
        await tx.connection.execute(CHANGE_MESSAGE, values)
        await note_uses(tx, message_id, blobs_of(user))
    return True


async def _drop_answer(tx: Transaction, conversation_id: int, source_id: int) -> None:
    where = {"conversation": conversation_id, "source": source_id}
    if earlier := (await tx.connection.scalars(ANSWERS, where)).all():
        await _drop_messages(tx, (messages.c.id.in_(earlier),))


async def _drop_messages(tx: Transaction, where: Iterable[Any]) -> int:
    """Delete messages and the bytes that only they used; gives how many messages."""
    ids = select(messages.c.id).where(messages.c.tenant_id == tx.tenant_id, *where)
    used = (await tx.connection.scalars(select(blob_uses.c.sha256).where(blob_uses.c.message_id.in_(ids)))).all()
    await tx.connection.execute(delete(blob_uses).where(blob_uses.c.message_id.in_(ids)))
    gone = (await tx.connection.execute(delete(messages).where(messages.c.id.in_(ids)))).rowcount
    if used:
        await drop_unused(tx, used)
    return gone


async def _note_steps(tx: Transaction, turn_id: str, notes: Sequence[StepRecord]) -> None:
    await tx.connection.execute(DROP_STEPS, {"turn": turn_id})
    rows = [
        {"tenant_id": tx.tenant_id, "turn_id": turn_id, "ordinal": ordinal, **asdict(note)}
        for ordinal, note in enumerate(notes)
    ]
    if rows:
        await tx.connection.execute(ADD_STEPS, rows)


# --- Reading ---------------------------------------------------------------------------------------------------------


def _before(query: Select[Any]) -> Select[Any]:
    """The query over the messages that stand before a source, newest first."""
    table, source = messages.c, bindparam("source", type_=Integer)
    earlier = or_(table.source_id < source, and_(table.source_id == source, table.ordinal < 0))
    where = (table.tenant_id == bindparam("tenant"), table.conversation_id == bindparam("conversation"), earlier)
    in_order = query.where(*where).order_by(table.source_id.desc(), table.ordinal.desc())
    return in_order.limit(bindparam("most", type_=Integer))


HISTORY = _before(select(messages.c.role, messages.c.parts, messages.c.author_name).where(messages.c.for_model))
PARTS_BEFORE = _before(select(messages.c.id, messages.c.parts))


async def history(tx: Transaction, conversation_id: int, before: int, limit: int = 200) -> list[Message]:
    """The newest messages that stand before that source, oldest first. Unfinished answers are not in it."""
    where = {"tenant": tx.tenant_id, "conversation": conversation_id, "source": before, "most": limit}
    rows = (await tx.connection.execute(HISTORY, where)).all()
    return [_message(row) for row in reversed(rows)]


def _message(row: Row[Any]) -> Message:
    return Message(row.role, from_json(row.parts), row.author_name)


async def question(tx: Transaction, conversation_id: int, source_id: int) -> Message | None:
    """What a person said there, as far as it was understood; None when it was deleted."""
    where = (messages.c.tenant_id == tx.tenant_id, messages.c.conversation_id == conversation_id)
    row = (
        await tx.connection.execute(
            select(messages).where(*where, messages.c.source_id == source_id, messages.c.ordinal == 0)
        )
    ).one_or_none()
    return _message(row) if row else None


async def timeline(tx: Transaction, conversation_id: int, limit: int = 200) -> list[TimelineEntry]:
    """The newest messages as people saw them, oldest first, each with the turn that answers or answered it."""
    newest = (
        select(messages, inbox.c.payload)
        .join(inbox, inbox.c.id == messages.c.source_id)
        .where(messages.c.tenant_id == tx.tenant_id, messages.c.conversation_id == conversation_id)
        .order_by(messages.c.source_id.desc(), messages.c.ordinal.desc())
        .limit(limit)
    )
    rows = list(reversed((await tx.connection.execute(newest)).all()))
    latest = await _latest_turns(tx, conversation_id)
    made = [_entry(row, latest.get(row.source_id)) for row in rows]
    return [
        one for one in made if not all(isinstance(part, ToolCall | ToolResult) for part in one.parts) or not one.parts
    ]


async def _latest_turns(tx: Transaction, conversation_id: int) -> Mapping[int, Row[Any]]:
    query = select(turns).where(turns.c.tenant_id == tx.tenant_id, turns.c.conversation_id == conversation_id)
    return {row.source_id: row for row in await tx.connection.execute(query.order_by(turns.c.attempt))}


def _entry(row: Row[Any], turn: Row[Any] | None) -> TimelineEntry:
    mine = row.ordinal > 0
    entry = TimelineEntry(
        turn_id=turn.id if turn else "",
        role=row.role,
        author=Author(row.author_id, row.author_name),
        parts=from_json(row.parts),
        created_at=row.created_at,
        message_id=row.platform_id,
        is_running=bool(turn and turn.ended_at is None),
    )
    if turn and mine:
        return replace(
            entry,
            notices=tuple(turn.notices or ()),
            model=turn.model,
            error=turn.error,
            is_stopped=turn.state == "stopped",
            is_truncated=turn.truncated,
        )
    return entry


async def by_author(tx: Transaction, platform: str, workspace: str, author_id: str, limit: int) -> list[Conversation]:
    """The open conversations in which this person said something, newest first."""
    took_part = exists_().where(messages.c.conversation_id == conversations.c.id, messages.c.author_id == author_id)
    where = (conversations.c.tenant_id == tx.tenant_id, conversations.c.is_open, took_part)
    rows = await tx.connection.execute(
        select(conversations).where(*where).order_by(conversations.c.updated_at.desc()).limit(limit)
    )
    return [
        Conversation(row.id, Address(platform, workspace, row.channel, row.thread), row.title, row.updated_at)
        for row in rows
    ]


async def has_turns(tx: Transaction, conversation_id: int) -> bool:
    """Whether an answer of ours stands or is being made in it."""
    return bool(await tx.connection.scalar(select(exists_().where(turns.c.conversation_id == conversation_id))))


SELECT_MESSAGE_ID = (
    select(messages.c.id)
    .join(conversations, conversations.c.id == messages.c.conversation_id)
    .where(
        messages.c.tenant_id == bindparam("tenant"),
        messages.c.platform_id == bindparam("named"),
        messages.c.ordinal <= 0,
        conversations.c.channel == bindparam("at"),
    )
    .limit(1)
)


ADVISORY_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:named, 0))")


async def exists(tx: Transaction, address: Address, platform_id: str, *, lock: bool = False) -> bool:
    """Whether a message that the platform calls so is in the history already.

    lock: another process that asks the same waits until this transaction has ended. SQLite allows one writer anyway.
    """
    if lock and tx.connection.dialect.name != "sqlite":
        named = f"{tx.tenant_id}/{address.channel}/{platform_id}"
        await tx.connection.execute(ADVISORY_LOCK, {"named": named})
    where = {"tenant": tx.tenant_id, "named": platform_id, "at": address.channel}
    return await tx.connection.scalar(SELECT_MESSAGE_ID, where) is not None


@dataclass(frozen=True)
class MessageRef:
    """Where a message of the platform stands in the history."""

    conversation_id: int
    source_id: int
    turn_id: str
    """The latest turn about it, or empty."""
    receipt: Receipt | None
    is_running: bool
    author_id: str
    text: str
    ordinal: int = 0
    """Below 0 for a message from before Parley joined."""
    message_id: str = ""
    """As the platform calls the person's message."""


async def find_message(tx: Transaction, address: Address, platform_id: str) -> MessageRef | None:
    """The message that the platform calls so, be it a person's or a post of ours, with its latest turn."""
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
            messages.c.ordinal <= 0,
            or_(
                messages.c.platform_id == platform_id, and_(messages.c.ordinal == 0, messages.c.source_id.in_(answered))
            ),
        )
        .order_by(messages.c.source_id.desc())
        .limit(1)
    )
    row = (await tx.connection.execute(query)).one_or_none()
    if row is None:
        return None
    turn = (await _latest_turns(tx, row.conversation_id)).get(row.source_id) if row.ordinal == 0 else None
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
        row.ordinal,
        row.platform_id,
    )


async def edit_message(tx: Transaction, ref: MessageRef, inbound: InboundMessage | Command) -> None:
    """A person changed what they said: the history and the event that a further turn will read. What was heard and seen stays."""
    where = (
        messages.c.conversation_id == ref.conversation_id,
        messages.c.source_id == ref.source_id,
        messages.c.ordinal == 0,
    )
    row = (await tx.connection.execute(select(messages.c.id, messages.c.parts).where(*where))).one()
    kept = tuple(part for part in from_json(row.parts) if not isinstance(part, Text))
    message = Message("user", (Text(inbound.text), *kept))
    values = {"text": plain_text(message), "parts": to_json(message.parts)}
    await tx.connection.execute(update(messages).where(messages.c.id == row.id).values(values))
    await replace_payload(tx, ref.source_id, inbound)


async def replace_payload(tx: Transaction, source_id: int, inbound: InboundMessage | Command) -> None:
    """What an event stands for, once it is known."""
    await tx.connection.execute(update(inbox).where(inbox.c.id == source_id).values(payload=to_json(inbound)))


async def load_event(tx: Transaction, source_id: int) -> Any:
    """The event as it was written down."""
    return from_json(
        (
            await tx.connection.execute(
                select(inbox.c.payload).where(inbox.c.id == source_id, inbox.c.tenant_id == tx.tenant_id)
            )
        ).scalar_one()
    )


async def delete_exchange(tx: Transaction, ref: MessageRef) -> int:
    """A message was deleted: it, its answer and their bytes leave the history; gives how many messages."""
    where = [messages.c.conversation_id == ref.conversation_id, messages.c.source_id == ref.source_id]
    if ref.ordinal < 0:
        return await _drop_messages(tx, [*where, messages.c.ordinal == ref.ordinal])
    gone = await _drop_messages(tx, [*where, messages.c.ordinal >= 0])
    await _erase_payloads(tx, inbox.c.id == ref.source_id)
    return gone


async def delete_answer(tx: Transaction, ref: MessageRef, platform_id: str) -> int:
    """A post of ours was deleted: the answer leaves the history, unless it is being written anew; gives how many messages."""
    if ref.is_running or ref.receipt is None or platform_id not in ref.receipt.message_ids:
        return 0
    where = (messages.c.conversation_id == ref.conversation_id, messages.c.source_id == ref.source_id)
    return await _drop_messages(tx, (*where, messages.c.ordinal > 0))


async def _erase_payloads(tx: Transaction, which: Any) -> None:
    """Empty what events carried, but keep their ids, so that a repeat of a forgotten event stays a repeat."""
    await tx.connection.execute(update(inbox).where(inbox.c.tenant_id == tx.tenant_id, which).values(payload={}))


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
    await _erase_payloads(tx, inbox.c.id.in_(sources | {row.sequence for row in found}))
    answers = (messages.c.conversation_id.in_(here), messages.c.source_id.in_(sources), messages.c.ordinal >= 0)
    gone = await _drop_messages(tx, (or_(messages.c.id.in_([row.id for row in said_here]), and_(*answers)),))
    turn_ids = [row.id for row in found]
    for table in (feedback, posts, steps):
        await tx.connection.execute(delete(table).where(table.c.turn_id.in_(turn_ids)))
    await tx.connection.execute(delete(turns).where(turns.c.id.in_(turn_ids), turns.c.ended_at.is_not(None)))
    untitled = update(conversations).where(conversations.c.id.in_(here)).values(title="")
    await tx.connection.execute(untitled if author_id else untitled.values(is_open=False))
    return gone, turn_ids


async def search(
    tx: Transaction, words: Sequence[str], author_id: str, address: Address, limit: int = 10
) -> list[SearchHit]:
    """The newest messages holding all the words, among what this person may see from here; never what was for one person's eyes.

    That is: this channel, and the conversations in which they took part; never another person's direct conversation.
    """
    own = messages.alias("own")
    mine = exists_(select(own.c.id).where(own.c.conversation_id == conversations.c.id, own.c.author_id == author_id))
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


async def pictures_of(tx: Transaction, turn_id: str) -> list[Image]:
    """The pictures in the answer that this turn gave."""
    found = await tx.connection.scalars(
        select(messages.c.parts).where(
            messages.c.tenant_id == tx.tenant_id, messages.c.turn_id == turn_id, messages.c.ordinal > 0
        )
    )
    return [part for parts in found for part in from_json(parts) if isinstance(part, Image)]


async def give_feedback(tx: Transaction, turn_id: str, author_id: str, value: int, now: datetime) -> None:
    """Keep a thumb; a second one of the same person replaces the first."""
    row = {"tenant_id": tx.tenant_id, "turn_id": turn_id, "author_id": author_id, "value": value, "created_at": now}
    keep = (
        tx.insert(feedback)
        .values(row)
        .on_conflict_do_update(index_elements=["turn_id", "author_id"], set_={"value": value})
    )
    await tx.connection.execute(keep)


async def address_of(store: Store, conversation_id: int) -> Address | None:
    """Where a conversation is held."""
    query = (
        select(tenants.c.platform, tenants.c.workspace, conversations.c.channel, conversations.c.thread)
        .join(tenants, tenants.c.id == conversations.c.tenant_id)
        .where(conversations.c.id == conversation_id)
    )
    async with store.connect(write=False) as connection:
        row = (await connection.execute(query)).one_or_none()
    return Address(*row) if row else None


async def resume_points(store: Store, platform: str, since: datetime) -> list[ResumePoint]:
    """The newest message of a person in each open conversation of the platform in which something happened since then."""
    newest = (
        select(messages.c.conversation_id, func.max(messages.c.id).label("message_id"))
        .where(messages.c.ordinal == 0, messages.c.platform_id != "")
        .group_by(messages.c.conversation_id)
        .subquery()
    )
    query = (
        select(
            tenants.c.workspace,
            conversations.c.channel,
            conversations.c.thread,
            messages.c.platform_id,
            messages.c.created_at,
        )
        .join(newest, newest.c.message_id == messages.c.id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .join(tenants, tenants.c.id == conversations.c.tenant_id)
        .where(tenants.c.platform == platform, conversations.c.is_open, conversations.c.updated_at >= since)
    )
    async with store.connect(write=False) as connection:
        rows = await connection.execute(query)
        return [ResumePoint(Address(platform, *row[:3]), row.platform_id, row.created_at) for row in rows]


async def add_earlier(tx: Transaction, conversation_id: int, source_id: int, earlier: Backfill, now: datetime) -> int:
    """Put what was said before that source into the history, right before it; what is known already stays. Gives how many were new.

    The order of a conversation is (source, ordinal), so they take ordinals below 0.
    """
    known = await _known_ids(tx, conversation_id)
    fresh = [one for one in earlier.messages if one.message_id not in known]
    if fresh and not earlier.is_complete:
        note = _row(tx, conversation_id, source_id, -len(fresh) - 1, PARTIAL, fresh[0].sent_at)
        await _add(tx, note, PARTIAL)
    for ordinal, one in enumerate(fresh, start=-len(fresh)):
        message = Message("user" if one.author.id else "assistant", _as_said(one, one.text), one.author.name)
        row = _row(tx, conversation_id, source_id, ordinal, message, one.sent_at)
        row |= {"author_id": one.author.id, "author_name": one.author.name, "platform_id": one.message_id}
        await _add(tx, row, message)
    return len(fresh)


async def _known_ids(tx: Transaction, conversation_id: int) -> set[str]:
    """The platform's ids of all messages of the conversation, our own posts among them."""
    said_ids = select(messages.c.platform_id).where(messages.c.conversation_id == conversation_id)
    posted = select(posts.c.platform_id).join(turns, turns.c.id == posts.c.turn_id)
    posted = posted.where(turns.c.conversation_id == conversation_id)
    return {*(await tx.connection.scalars(said_ids)).all(), *(await tx.connection.scalars(posted)).all()}


async def unread(tx: Transaction, conversation_id: int, before: int, limit: int) -> list[tuple[int, Attachment]]:
    """Attachments of the newest earlier messages that nobody has read yet and that may be readable, with their message's id."""
    where = {"tenant": tx.tenant_id, "conversation": conversation_id, "source": before, "most": 50}
    found = [
        (row.id, part.attachment)
        for row in await tx.connection.execute(PARTS_BEFORE, where)
        for part in from_json(row.parts)
        if isinstance(part, UnreadAttachment) and (not part.reason or part.is_retryable)
    ]
    return found[:limit]


async def replace_attachment(tx: Transaction, message_id: int, attachment: Attachment, parts: Sequence[Part]) -> None:
    """An attachment of an earlier message was read: its parts stand in its place."""
    row = (await tx.connection.execute(select(messages).where(messages.c.id == message_id))).one_or_none()
    if row is None:
        return
    made: list[Part] = []
    for part in from_json(row.parts):
        made += parts if isinstance(part, UnreadAttachment) and part.attachment == attachment else [part]
    message = Message(row.role, tuple(made))
    values = {"parts": to_json(message.parts), "text": plain_text(message)}
    await tx.connection.execute(update(messages).where(messages.c.id == message_id).values(values))
    await note_uses(tx, message_id, blobs_of(message))


EARLIER_TURN = select(
    exists_().where(turns.c.conversation_id == bindparam("conversation"), turns.c.sequence < bindparam("before"))
)


async def is_first(tx: Transaction, conversation_id: int, sequence: int) -> bool:
    """Whether no turn of the conversation came before that one."""
    return not await tx.connection.scalar(EARLIER_TURN, {"conversation": conversation_id, "before": sequence})
