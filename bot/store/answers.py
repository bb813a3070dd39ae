"""The end of a turn: its answer in the history, in place of an earlier one, and how its steps went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from bot.redaction import redact, redact_within
from bot.store import Transaction
from bot.store.blobs import note_uses
from bot.store.conversations import touch
from bot.store.deliveries import add_delivery, remove_delivery
from bot.store.messages import blobs_of, delete_messages, insert_message, kept_words, message_row
from bot.store.schema import messages, steps
from bot.store.turns import is_superseded, note_receipt, update_turn
from bot.types import (
    Image,
    Message,
    Receipt,
    Reply,
    StepRecord,
    Turn,
    from_json,
)

SELECT_QUESTION = select(messages.c.id, messages.c.asked_at).where(
    messages.c.conversation_id == bindparam("conversation"),
    messages.c.source_id == bindparam("source"),
    messages.c.ordinal == 0,
)
UPDATE_MESSAGE = update(messages).where(messages.c.id == bindparam("message"))
SELECT_ANSWER_IDS = select(messages.c.id).where(
    messages.c.conversation_id == bindparam("conversation"),
    messages.c.source_id == bindparam("source"),
    messages.c.ordinal > 0,
)
DELETE_STEPS = delete(steps).where(steps.c.turn_id == bindparam("turn"))
INSERT_STEPS = steps.insert()


@dataclass(frozen=True)
class TurnOutcome:
    """How a turn ended."""

    turn: Turn
    reply: Reply
    answer: Sequence[Message] = ()
    """What stands in the history for the reply: the exchange with tools, then the words."""
    receipt: Receipt | None = None
    """None when nothing could be shown."""
    understood: Message | None = None
    """The question with what was heard and seen in it; None leaves it as it came."""
    for_model: bool = True
    """Whether later questions read the answer."""
    is_waiting: bool = False
    """The platform was away when it was to be shown."""

    @property
    def state(self) -> str:
        """As in the table of turns."""
        return "stopped" if self.reply.stopped else "failed" if self.reply.error else "done"


async def settle(tx: Transaction, outcome: TurnOutcome, records: Sequence[StepRecord], now: datetime) -> None:
    """End a turn: what was understood of the question, the answer in place of an earlier one, and how the steps went.

    Repeated, it leaves the same rows. When the question was asked again meanwhile, the history is the later turn's to write.
    """
    turn = outcome.turn
    if not await is_superseded(tx.connection, turn.source_id, turn.attempt):
        asked_at = await _keep_understood(tx, turn, outcome.understood)
        await _delete_answer(tx, turn)
        if asked_at is not None:
            await _insert_answer(tx, outcome, asked_at, now)
            if outcome.is_waiting:
                await add_delivery(tx, turn, outcome.reply, now)
    await _end_turn(tx, outcome, now)
    await _replace_steps(tx, turn.id, records)
    await touch(tx, turn.conversation_id, now)


async def _insert_answer(tx: Transaction, outcome: TurnOutcome, asked_at: datetime, now: datetime) -> None:
    turn, receipt = outcome.turn, outcome.receipt
    platform_id = receipt.message_ids[0] if receipt and receipt.message_ids else ""
    more = {"turn_id": turn.id, "platform_id": platform_id, "for_model": outcome.for_model}
    for ordinal, message in enumerate(outcome.answer, start=1):
        row = message_row(tx, turn.conversation_id, turn.source_id, ordinal, message, now, asked_at)
        await insert_message(tx, row | more, message)


async def _end_turn(tx: Transaction, outcome: TurnOutcome, now: datetime) -> None:
    reply = outcome.reply
    columns = {
        "state": outcome.state,
        "error": reply.error,
        "model": reply.model,
        "notices": redact_within(reply.notices, redact),
        "truncated": reply.truncated,
        "ended_at": now,
    }
    if outcome.receipt:
        await note_receipt(tx, outcome.turn.id, outcome.receipt, **columns)
    else:
        await update_turn(tx, outcome.turn.id, **columns)


async def _keep_understood(tx: Transaction, turn: Turn, user: Message | None) -> datetime | None:
    """Keep what was understood of a question, and give when it was said; None when it was deleted or forgotten meanwhile."""
    where = {"conversation": turn.conversation_id, "source": turn.source_id}
    question = (await tx.connection.execute(SELECT_QUESTION, where)).one_or_none()
    if question is None:
        return None
    message_id, asked_at = question
    if user is not None:
        values = {"message": message_id, **kept_words(user)}
        await tx.connection.execute(UPDATE_MESSAGE, values)
        await note_uses(tx, message_id, blobs_of(user))
    return asked_at or turn.inbound.sent_at


async def _delete_answer(tx: Transaction, turn: Turn) -> None:
    where = {"conversation": turn.conversation_id, "source": turn.source_id}
    if earlier := (await tx.connection.scalars(SELECT_ANSWER_IDS, where)).all():
        await delete_messages(tx, (messages.c.id.in_(earlier),))


async def _replace_steps(tx: Transaction, turn_id: str, records: Sequence[StepRecord]) -> None:
    await tx.connection.execute(DELETE_STEPS, {"turn": turn_id})
    rows = [
        {"tenant_id": tx.tenant_id, "turn_id": turn_id, "ordinal": ordinal, **asdict(record)}
        for ordinal, record in enumerate(records)
    ]
    if rows:
        await tx.connection.execute(INSERT_STEPS, rows)


async def pictures_of(tx: Transaction, turn_id: str) -> list[Image]:
    """The pictures in the answer that this turn gave."""
    found = await tx.connection.scalars(
        select(messages.c.parts).where(
            messages.c.tenant_id == tx.tenant_id, messages.c.turn_id == turn_id, messages.c.ordinal > 0
        )
    )
    return [part for parts in found for part in from_json(parts) if isinstance(part, Image)]


async def is_awaited(tx: Transaction, turn_id: str) -> bool:
    """Whether the answer of this turn stands in the history: it was neither deleted, forgotten nor asked for anew."""
    found = select(messages.c.id).where(
        messages.c.tenant_id == tx.tenant_id, messages.c.turn_id == turn_id, messages.c.ordinal > 0
    )
    return await tx.connection.scalar(found.limit(1)) is not None


async def note_delivered(tx: Transaction, receipt: Receipt) -> None:
    """The answer that waited is shown: its posts are found again by an edit, a button or a deletion."""
    await note_receipt(tx, receipt.turn_id, receipt)
    if receipt.message_ids:
        answered = messages.c.tenant_id == tx.tenant_id, messages.c.turn_id == receipt.turn_id, messages.c.ordinal > 0
        await tx.connection.execute(update(messages).where(*answered).values(platform_id=receipt.message_ids[0]))
    await remove_delivery(tx, receipt.turn_id)
