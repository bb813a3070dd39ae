"""Every paid call: written down before it is made, settled after, so that a crash cannot hide what was spent."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot import telemetry
from bot.engine.runtime import Runtime
from bot.errors import BotError
from bot.store import ledger
from bot.types import Modality, Turn, Usage

log = logging.getLogger(__name__)


@dataclass
class Bill:
    """What a call used, filled in while it runs."""

    model: str
    usage: Usage = field(default_factory=Usage)


@asynccontextmanager
async def paid(runtime: Runtime, turn: Turn, modality: Modality) -> AsyncIterator[Bill]:
    """Around each call of a model: the caller puts the usage on the bill. Raises UnavailableError when no model is set up.

    A call that is cancelled, as at the end of the process, stays reserved: nobody knows what it cost.
    """
    bill = Bill(runtime.models.name(modality, turn.settings))
    async with runtime.store.begin(turn.tenant_id) as tx:
        author_id, now = turn.inbound.author.id, runtime.clock.now()
        call_id = await ledger.reserve(tx, turn.id, turn.conversation_id, author_id, modality, bill.model, now)
    try:
        yield bill
    except Exception as raised:
        code = raised.code if isinstance(raised, BotError) else BotError.code
        await _settle(runtime, turn, modality, bill, call_id, code)
        raise
    await _settle(runtime, turn, modality, bill, call_id, "")


async def _settle(runtime: Runtime, turn: Turn, modality: Modality, bill: Bill, call_id: int, error: str) -> None:
    used_nothing = bill.usage == Usage()
    cost = 0 if error and used_nothing else runtime.models.price_micro_usd(bill.model, bill.usage)
    async with runtime.store.begin(turn.tenant_id) as tx:
        await ledger.settle_call(tx, call_id, bill.usage, cost, runtime.clock.now(), error)
    telemetry.calls.labels(modality, bill.model, error or "ok").inc()
    telemetry.tokens.labels(bill.model, "in").inc(bill.usage.input_tokens)
    telemetry.tokens.labels(bill.model, "out").inc(bill.usage.output_tokens)
    telemetry.cost.labels(bill.model).inc(cost or 0)
