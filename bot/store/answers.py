"""The end of a turn: its answer in the history, in place of an earlier one, and how its steps went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from bot.store import Transaction
from bot.store.blobs import note_uses
from bot.store.conversations import TOUCH
from bot.store.messages import blobs_of, drop_messages, insert_message, message_row, plain_text
from bot.store.schema import messages, steps
from bot.store.turns import CHANGE_TURN, LATER_ATTEMPT, note_receipt
from bot.types import (
    Image,
    Message,
    Receipt,
    Reply,
    StepRecord,
    Turn,
    from_json,
    to_json,
)

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
        row = message_row(tx, turn.conversation_id, source_id, ordinal, message, now)
        platform_id = receipt.message_ids[0] if receipt and receipt.message_ids else ""
        await insert_message(
            tx, row | {"turn_id": turn.id, "platform_id": platform_id, "for_model": for_model}, message
        )
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
        await drop_messages(tx, (messages.c.id.in_(earlier),))


async def _note_steps(tx: Transaction, turn_id: str, notes: Sequence[StepRecord]) -> None:
    await tx.connection.execute(DROP_STEPS, {"turn": turn_id})
    rows = [
        {"tenant_id": tx.tenant_id, "turn_id": turn_id, "ordinal": ordinal, **asdict(note)}
        for ordinal, note in enumerate(notes)
    ]
    if rows:
        await tx.connection.execute(ADD_STEPS, rows)


async def pictures_of(tx: Transaction, turn_id: str) -> list[Image]:
    """The pictures in the answer that this turn gave."""
    found = await tx.connection.scalars(
        select(messages.c.parts).where(
            messages.c.tenant_id == tx.tenant_id, messages.c.turn_id == turn_id, messages.c.ordinal > 0
        )
    )
    return [part for parts in found for part in from_json(parts) if isinstance(part, Image)]
