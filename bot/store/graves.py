"""Graves: which messages of a platform were deleted or forgotten, so that a late or repeated delivery does not bring them back.

A grave is an event of its own without a payload. Its id tells nothing but whether a message that is delivered lies there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from sqlalchemy import func, select

from bot.store import Transaction
from bot.store.schema import inbox

BATCH = 500
"""Rows of one statement: databases bound how many values it may have."""


def _grave(channel: str, platform_id: str) -> str:
    return f"gone:{hashlib.sha256(f'{channel}/{platform_id}'.encode()).hexdigest()}"


async def bury(tx: Transaction, channel: str, platform_ids: Iterable[str]) -> None:
    """Remember that these messages of the channel are gone."""
    for ids in _batches({platform_id for platform_id in platform_ids if platform_id}):
        rows = [{"tenant_id": tx.tenant_id, "event_id": _grave(channel, one), "payload": {}} for one in ids]
        made = tx.insert(inbox).values([row | {"received_at": func.now()} for row in rows])
        await tx.connection.execute(made.on_conflict_do_nothing())


async def buried(tx: Transaction, channel: str, platform_ids: Collection[str]) -> set[str]:
    """Which of these messages of the channel are gone."""
    graves = {_grave(channel, one): one for one in platform_ids if one}
    found: set[str] = set()
    for some in _batches(graves):
        where = (inbox.c.tenant_id == tx.tenant_id, inbox.c.event_id.in_(some))
        found |= {graves[one] for one in await tx.connection.scalars(select(inbox.c.event_id).where(*where))}
    return found


def _batches(ids: Iterable[str]) -> list[list[str]]:
    listed = sorted(ids)
    return [listed[start : start + BATCH] for start in range(0, len(listed), BATCH)]
