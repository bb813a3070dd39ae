"""Turns: queued, taken over, begun, stopped; what was posted in them, and the feedback on it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.policy.addressing import answered_at
from bot.policy.rates import Waiting
from bot.store import Store, Transaction, locks, prepared
from bot.store.schema import conversations, feedback, inbox, posts, turns
from bot.types import (
    Author,
    ButtonPress,
    Command,
    Edit,
    InboundMessage,
    Receipt,
    Turn,
    from_json,
    to_json,
)


@dataclass(frozen=True)
class UnfinishedTurn:
    """A turn that has not ended, as the jobs need it."""

    id: str
    conversation_id: int
    sequence: int
    owner: str
    tenant_id: int
    author_id: str
    """Who asked for it."""


INSERT_TURN = turns.insert()
UNFINISHED_COLUMNS = (
    turns.c.id,
    turns.c.conversation_id,
    turns.c.sequence,
    turns.c.owner,
    turns.c.tenant_id,
    turns.c.author_id,
)


async def add_turn(
    tx: Transaction,
    author_id: str,
    conversation_id: int,
    sequence: int,
    source_id: int,
    now: datetime,
    *,
    owner: str = "",
) -> str:
    """Queue an answer to a source; returns the turn's id. An event that asks for its own answer has no earlier turn.

    author_id: who asked for it, now.
    """
    attempt = 1 if sequence == source_id else await _attempts(tx, source_id) + 1
    row = {
        "id": uuid.uuid4().hex,
        "tenant_id": tx.tenant_id,
        "conversation_id": conversation_id,
        "sequence": sequence,
        "source_id": source_id,
        "attempt": attempt,
        "author_id": author_id,
        "state": "queued",
        "owner": owner,
        "created_at": now,
    }
    await tx.connection.execute(INSERT_TURN, row)
    return str(row["id"])


async def _attempts(tx: Transaction, source_id: int) -> int:
    earlier = (
        select(func.count()).select_from(turns).where(turns.c.tenant_id == tx.tenant_id, turns.c.source_id == source_id)
    )
    return int((await tx.connection.execute(earlier)).scalar_one())


COUNT_UNFINISHED_BEFORE = (
    select(func.count())
    .select_from(turns)
    .where(
        turns.c.conversation_id == bindparam("conversation"),
        turns.c.sequence < bindparam("before"),
        turns.c.ended_at.is_(None),
    )
)


async def waiting_before(tx: Transaction, conversation_id: int, sequence: int) -> int:
    """Count the turns of the conversation that have to end first."""
    where = {"conversation": conversation_id, "before": sequence}
    return int((await tx.connection.execute(COUNT_UNFINISHED_BEFORE, where)).scalar_one())


def _up_to(most: str, *where: Any, of: Any = turns) -> Any:
    """Count turns that nobody began to answer, but no more than the parameter `most` says, so that it takes no longer."""
    is_waiting = (turns.c.tenant_id == bindparam("tenant"), turns.c.ended_at.is_(None), turns.c.state == "queued")
    found = select(turns.c.id).select_from(of).where(*is_waiting, *where).limit(bindparam(most))
    return select(func.count()).select_from(found.subquery()).scalar_subquery()


COUNT_WAITING = select(
    _up_to("most_of_person", turns.c.author_id == bindparam("person")),
    _up_to(
        "most_of_channel",
        conversations.c.channel == bindparam("at"),
        of=turns.join(conversations, conversations.c.id == turns.c.conversation_id),
    ),
    _up_to("most_of_workspace"),
)


async def count_waiting(tx: Transaction, author_id: str, channel: str, most: Waiting) -> Waiting:
    """How many turns wait to be begun, up to `most` of each: of the person, in the channel, and in the whole workspace.

    Until this transaction has ended, no other process counts those of the same person.
    """
    if most == Waiting():
        return most
    await locks.hold(tx, f"asking/{author_id}")
    where = {
        "tenant": tx.tenant_id,
        "person": author_id,
        "at": channel,
        "most_of_person": most.person,
        "most_of_channel": most.channel,
        "most_of_workspace": most.workspace,
    }
    return Waiting(*(await tx.connection.execute(COUNT_WAITING, where)).one())


async def unfinished(store: Store, before: datetime | None = None) -> list[UnfinishedTurn]:
    """List the turns of all tenants that have not ended, in the order they were queued. before: only those queued before then."""
    query = select(*UNFINISHED_COLUMNS).where(turns.c.ended_at.is_(None))
    if before is not None:
        query = query.where(turns.c.created_at < before)
    async with store.connect(write=False) as connection:
        rows = await connection.execute(query.order_by(turns.c.sequence))
        return [UnfinishedTurn(*row) for row in rows]


async def unfinished_before(store: Store, conversation_id: int, sequence: int) -> list[UnfinishedTurn]:
    """List the turns of a conversation that have not ended and come before that one, in their order."""
    earlier = (turns.c.conversation_id == conversation_id, turns.c.sequence < sequence, turns.c.ended_at.is_(None))
    async with store.connect(write=False) as connection:
        rows = await connection.execute(select(*UNFINISHED_COLUMNS).where(*earlier).order_by(turns.c.sequence))
        return [UnfinishedTurn(*row) for row in rows]


async def unfinished_of(tx: Transaction, event_id: str) -> UnfinishedTurn | None:
    """Find the turn that this event queued, if it has not ended."""
    query = (
        select(*UNFINISHED_COLUMNS)
        .join(inbox, inbox.c.id == turns.c.sequence)
        .where(inbox.c.tenant_id == tx.tenant_id, inbox.c.event_id == event_id, turns.c.ended_at.is_(None))
    )
    row = (await tx.connection.execute(query)).one_or_none()
    return UnfinishedTurn(*row) if row else None


async def take_over(store: Store, turn_ids: Sequence[str], owner: str) -> None:
    """Make this process the owner of these turns."""
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
    interruptions: int
    """How often the process that worked on it died."""
    is_superseded: bool
    """Whether a later turn answers the same question."""


asked = inbox.alias("asked")
SELECT_TURN = (
    select(turns, inbox.c.payload, asked.c.payload.label("asked"))
    .join(inbox, inbox.c.id == turns.c.source_id)
    .join(asked, asked.c.id == turns.c.sequence)
    .where(turns.c.id == bindparam("turn"))
)
SELECT_EARLIER_RECEIPT = (
    select(turns.c.receipt)
    .where(
        turns.c.source_id == bindparam("source"), turns.c.attempt < bindparam("before"), turns.c.receipt.is_not(None)
    )
    .order_by(turns.c.attempt.desc())
    .limit(1)
)
SELECT_LATER_ATTEMPT = select(
    exists().where(turns.c.source_id == bindparam("source"), turns.c.attempt > bindparam("after"))
)


async def load_turn(store: Store, turn_id: str) -> TurnRecord | None:
    """Load a turn; None when it was forgotten. A further answer gets the receipt with which the one before it ended."""
    async with store.connect(write=False) as connection:
        row = (await connection.execute(SELECT_TURN, {"turn": turn_id})).one_or_none()
        if row is None or not row.payload:
            return None
        kept = row.receipt
        if row.attempt > 1 and row.state == "queued":
            earlier = {"source": row.source_id, "before": row.attempt}
            kept = await connection.scalar(SELECT_EARLIER_RECEIPT, earlier)
        superseded = await is_superseded(connection, row.source_id, row.attempt)
    inbound, asked_again_by, refusal = _asked_again(row)
    turn = Turn(
        id=row.id,
        tenant_id=row.tenant_id,
        conversation_id=row.conversation_id,
        inbound=inbound,
        receipt=from_json(kept) if kept else None,
        attempt=row.attempt,
        source_id=row.source_id,
        asked_again_by=asked_again_by,
        refusal=refusal,
    )
    return TurnRecord(turn, row.source_id, row.state, row.stop_requested, row.interruptions, superseded)


async def is_superseded(connection: AsyncConnection, source_id: int, attempt: int) -> bool:
    """Whether the same question was asked again after that attempt."""
    return bool(await connection.scalar(SELECT_LATER_ATTEMPT, {"source": source_id, "after": attempt}))


def _asked_again(row: Row[Any]) -> tuple[InboundMessage | Command, Author | None, str]:
    """What is to be answered; who pressed a button for a further answer, which goes where that press says; and why it is refused.

    A question that was refused once is answered when it is asked again.
    """
    inbound: InboundMessage | Command = from_json(row.payload)
    again = from_json(row.asked) if row.sequence != row.source_id and row.asked else None
    if isinstance(again, ButtonPress):
        return answered_at(inbound, again), again.author, ""
    refusal = again.refusal if isinstance(again, Edit) else inbound.refusal if row.sequence == row.source_id else ""
    return inbound, None, refusal


async def count_interruption(tx: Transaction, turn_id: str) -> int:
    """Count that the process that worked on the turn died; gives how often that happened."""
    counted = _this(turn_id).values(interruptions=turns.c.interruptions + 1).returning(turns.c.interruptions)
    return int(await tx.connection.scalar(counted) or 0)


async def cancel_turn(store: Store, turn_id: str, now: datetime) -> None:
    """End a turn whose question was deleted before anybody began to answer it."""
    async with store.connect(write=True) as connection:
        ended = _this(turn_id).where(turns.c.ended_at.is_(None)).values(state="stopped", ended_at=now)
        await connection.execute(ended)


def _this(turn_id: str) -> Any:
    return update(turns).where(turns.c.id == turn_id)


UPDATE_TURN = update(turns).where(turns.c.id == bindparam("turn"))
UPSERT_POST = prepared(
    posts,
    lambda made: made.on_conflict_do_update(
        index_elements=["tenant_id", "channel", "platform_id"], set_={"turn_id": made.excluded.turn_id}
    ),
)


async def update_turn(tx: Transaction, turn_id: str, **columns: Any) -> None:
    """Change these columns of the turn."""
    await tx.connection.execute(UPDATE_TURN, {"turn": turn_id, **columns})


async def note_receipt(tx: Transaction, turn_id: str, receipt: Receipt, **more: Any) -> None:
    """Record what was posted, so that an edit, a button or a restart finds it. more: further columns of the turn to set."""
    await update_turn(tx, turn_id, receipt=to_json(receipt), **more)
    rows = [
        {"tenant_id": tx.tenant_id, "channel": receipt.address.channel, "platform_id": platform_id, "turn_id": turn_id}
        for platform_id in receipt.message_ids
    ]
    if rows:
        await tx.connection.execute(UPSERT_POST(tx.connection), rows)


async def request_stop(tx: Transaction, turn_id: str) -> None:
    """Ask whichever process works on it to stop."""
    await tx.connection.execute(_this(turn_id).where(turns.c.ended_at.is_(None)).values(stop_requested=True))


async def has_turns(tx: Transaction, conversation_id: int) -> bool:
    """Whether Parley has answered, or is answering, in the conversation."""
    return bool(await tx.connection.scalar(select(exists().where(turns.c.conversation_id == conversation_id))))


SELECT_EARLIER_TURN = select(
    exists().where(turns.c.conversation_id == bindparam("conversation"), turns.c.sequence < bindparam("before"))
)


async def is_first(tx: Transaction, conversation_id: int, sequence: int) -> bool:
    """Whether no turn of the conversation came before that one."""
    return not await tx.connection.scalar(SELECT_EARLIER_TURN, {"conversation": conversation_id, "before": sequence})


async def latest_turns(tx: Transaction, conversation_id: int) -> Mapping[int, Row[Any]]:
    """The rows of the latest turn about each source of the conversation."""
    query = select(turns).where(turns.c.tenant_id == tx.tenant_id, turns.c.conversation_id == conversation_id)
    return {row.source_id: row for row in await tx.connection.execute(query.order_by(turns.c.attempt))}


async def give_feedback(tx: Transaction, turn_id: str, author_id: str, value: int, now: datetime) -> None:
    """Record a thumb; it replaces an earlier one of the same person."""
    row = {"tenant_id": tx.tenant_id, "turn_id": turn_id, "author_id": author_id, "value": value, "created_at": now}
    keep = (
        tx.insert(feedback)
        .values(row)
        .on_conflict_do_update(index_elements=["turn_id", "author_id"], set_={"value": value})
    )
    await tx.connection.execute(keep)
