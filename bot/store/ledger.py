"""Every paid call: reserved before it is made, settled after, and the sums a person may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, func, select, update

from bot.store import Transaction
from bot.store.schema import calls
from bot.types import Modality, Usage

RESERVE = calls.insert().returning(calls.c.id)
SETTLE = update(calls).where(calls.c.id == bindparam("call"), calls.c.tenant_id == bindparam("tenant"))


@dataclass(frozen=True)
class Spent:
    """Sums over the calls of one model."""

    model: str
    modality: Modality
    calls: int
    """Not counting refused ones."""
    refused_calls: int
    """Failed before anything was used: they cost nothing."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    audio_s: float
    characters: int
    images: int
    cost_micro_usd: int
    """Of the calls whose price is known."""
    unpriced_calls: int


async def reserve(
    tx: Transaction,
    turn_id: str,
    conversation_id: int | None,
    author_id: str,
    modality: Modality,
    model: str,
    now: datetime,
    audio_s: float = 0.0,
) -> int:
    """Record that a call is about to be made, so that a crash cannot hide it. audio_s: of sound that it will hear."""
    row = {
        "tenant_id": tx.tenant_id,
        "turn_id": turn_id,
        "conversation_id": conversation_id,
        "author_id": author_id,
        "modality": modality,
        "model": model,
        "state": "reserved",
        "audio_s": audio_s,
        "started_at": now,
    }
    return int((await tx.connection.execute(RESERVE, row)).scalar_one())


async def settle_call(
    tx: Transaction, call_id: int, usage: Usage, cost_micro_usd: int | None, now: datetime, error: str = ""
) -> None:
    """Record what the call used. A cost of None is unknown."""
    values = {
        "call": call_id,
        "tenant": tx.tenant_id,
        "state": "failed" if error else "settled",
        "error": error,
        "cost_micro_usd": cost_micro_usd,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "audio_s": usage.audio_s,
        "characters": usage.characters,
        "images": usage.images,
        "is_estimate": usage.is_estimate,
        "ended_at": now,
    }
    await tx.connection.execute(SETTLE, values)


NTH_LATEST = (
    select(calls.c.started_at)
    .where(calls.c.tenant_id == bindparam("tenant"), calls.c.author_id == bindparam("author"))
    .order_by(calls.c.started_at.desc())
    .limit(1)
    .offset(bindparam("before"))
)
HEARD_S = select(func.coalesce(func.sum(calls.c.audio_s), 0.0)).where(
    calls.c.tenant_id == bindparam("tenant"),
    calls.c.author_id == bindparam("author"),
    calls.c.started_at > bindparam("since"),
    calls.c.modality == "transcribe",
)


async def nth_latest_call(tx: Transaction, author_id: str, count: int) -> datetime | None:
    """When the person's call before their last `count - 1` began; None when they have made fewer than `count`."""
    where = {"tenant": tx.tenant_id, "author": author_id, "before": count - 1}
    found: datetime | None = await tx.connection.scalar(NTH_LATEST, where)
    return found


async def heard_s(tx: Transaction, author_id: str, since: datetime) -> float:
    """Seconds of sound that were heard for this person since then, or are being heard."""
    where = {"tenant": tx.tenant_id, "author": author_id, "since": since}
    return float(await tx.connection.scalar(HEARD_S, where) or 0.0)


async def heard(tx: Transaction, author_id: str, since: datetime) -> Sequence[tuple[datetime, float]]:
    """The same call by call, the oldest first."""
    query = (
        select(calls.c.started_at, calls.c.audio_s)
        .where(calls.c.tenant_id == tx.tenant_id, calls.c.author_id == author_id, calls.c.started_at > since)
        .where(calls.c.modality == "transcribe")
        .order_by(calls.c.started_at)
    )
    return [(row.started_at, row.audio_s) for row in await tx.connection.execute(query)]


async def abandon(tx: Transaction, turn_id: str, now: datetime) -> None:
    """Close the calls of this turn that a crash interrupted; their cost stays unknown."""
    where = (calls.c.tenant_id == tx.tenant_id, calls.c.turn_id == turn_id, calls.c.state == "reserved")
    await tx.connection.execute(update(calls).where(*where).values(state="abandoned", ended_at=now))


async def spent(tx: Transaction, author_id: str, since: datetime) -> Sequence[Spent]:
    """What this person's calls used since then, by model, the dearest first."""
    table = calls.c
    query = (
        select(
            table.model,
            table.modality,
            func.count(),
            func.count(case((_is_refused(), 1))),
            func.sum(table.input_tokens),
            func.sum(table.cached_tokens),
            func.sum(table.output_tokens),
            func.sum(table.audio_s),
            func.sum(table.characters),
            func.sum(table.images),
            func.coalesce(func.sum(table.cost_micro_usd), 0),
            func.count() - func.count(table.cost_micro_usd),
        )
        .where(table.tenant_id == tx.tenant_id, table.author_id == author_id, table.started_at >= since)
        .group_by(table.model, table.modality)
    )
    rows = [_spent(*row) for row in await tx.connection.execute(query)]
    return sorted(rows, key=lambda row: (-row.cost_micro_usd, row.model))


def _is_refused() -> Any:
    table = calls.c
    counts = (table.input_tokens, table.output_tokens, table.audio_s, table.characters, table.images)
    return and_(table.state == "failed", *(count == 0 for count in counts))


def _spent(model: str, modality: Modality, *sums: Any) -> Spent:
    """PostgreSQL sums to Decimal; counts are whole, seconds are not."""
    count, refused, tokens_in, cached, tokens_out, audio_s, characters, images, cost, unpriced = sums
    return Spent(
        model=model,
        modality=modality,
        calls=int(count) - int(refused),
        refused_calls=int(refused),
        input_tokens=int(tokens_in),
        cached_tokens=int(cached),
        output_tokens=int(tokens_out),
        audio_s=float(audio_s),
        characters=int(characters),
        images=int(images),
        cost_micro_usd=int(cost),
        unpriced_calls=int(unpriced),
    )
