"""The timeline: a conversation as people saw it."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, Text, cast, func, select

from bot.policy.permissions import is_editable
from bot.store import Transaction
from bot.store.schema import inbox, messages
from bot.store.turns import latest_turns
from bot.types import (
    Author,
    TimelineEntry,
    ToolCall,
    ToolResult,
    from_json,
)

MAX_CHARACTERS = 4_000_000
"""Of the messages of one timeline, as they are kept: a book. Older ones are left out."""
FEWEST = 2
"""Messages that are loaded however long they are."""


async def load_timeline(tx: Transaction, conversation_id: int, limit: int = 200) -> list[TimelineEntry]:
    """Load the newest messages as people saw them, oldest first, each with the turn that answers or answered it."""
    newest = (
        select(messages, inbox.c.payload)
        .join(inbox, inbox.c.id == messages.c.source_id)
        .where(messages.c.id.in_(await _newest_that_fit(tx, conversation_id, limit)))
        .order_by(messages.c.asked_at, messages.c.source_id, messages.c.ordinal)
    )
    rows = (await tx.connection.execute(newest)).all()
    latest = await latest_turns(tx, conversation_id)
    made = [_entry(row, None if row.is_context else latest.get(row.source_id)) for row in rows]
    return [
        one for one in made if not all(isinstance(part, ToolCall | ToolResult) for part in one.parts) or not one.parts
    ]


async def _newest_that_fit(tx: Transaction, conversation_id: int, limit: int) -> list[int]:
    """The ids of the newest messages, of which no more are loaded than `MAX_CHARACTERS`, but at least the last exchange."""
    length = func.length(cast(messages.c.parts, Text)) + func.length(cast(inbox.c.payload, Text))
    query = (
        select(messages.c.id, length)
        .join(inbox, inbox.c.id == messages.c.source_id)
        .where(messages.c.tenant_id == tx.tenant_id, messages.c.conversation_id == conversation_id)
        .where(messages.c.for_model | ~messages.c.is_context)
        .order_by(messages.c.asked_at.desc(), messages.c.source_id.desc(), messages.c.ordinal.desc())
        .limit(limit)
    )
    rows = (await tx.connection.execute(query)).all()
    so_far = list(accumulate(row[1] or 0 for row in rows))
    return [row.id for at, row in enumerate(rows) if at < FEWEST or so_far[at] <= MAX_CHARACTERS]


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
        is_editable=not mine and not row.is_context and is_editable(from_json(row.payload)),
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
