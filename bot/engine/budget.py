"""Every paid call: written down before it is made, settled after, so that a crash cannot hide what was spent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from bot import telemetry
from bot.engine.runtime import Runtime
from bot.errors import BotError, StoppedError, UnavailableError
from bot.store import Transaction, ledger
from bot.types import Modality, Turn, Usage

log = logging.getLogger(__name__)


@dataclass
class Bill:
    """What a call used, filled in while it runs."""

    model: str
    """Changed when another model than the configured one did it."""
    usage: Usage = field(default_factory=Usage)


@asynccontextmanager
async def paid(runtime: Runtime, turn: Turn, modality: Modality) -> AsyncIterator[Bill]:
    """Around each call of a model: the caller puts the usage on the bill. Raises UnavailableError when no model is set up.

    A call that is cancelled or whose stream is closed is settled too, its cost unknown unless the caller knows the usage.
    """
    named = runtime.models.name(modality, turn.settings)
    bill = Bill(named)
    async with runtime.store.begin(turn.tenant_id) as tx:
        call_id = await _reserve(tx, turn, modality, named, runtime)
    settled = partial(_settle, runtime, turn, modality, bill, call_id, named)
    try:
        yield bill
    except (asyncio.CancelledError, GeneratorExit):
        with suppress(
            BotError
        ):  # nothing may stand in the way of the end; what is not settled now is written off later
            await settled(StoppedError.code)
        raise
    except Exception as raised:
        bill.usage += getattr(raised, "billed", None) or Usage()
        await settled(raised.code if isinstance(raised, BotError) else BotError.code)
        raise
    await settled("")


async def _reserve(tx: Transaction, turn: Turn, modality: Modality, model: str, runtime: Runtime) -> int:
    author_id, now = turn.requester.id, runtime.clock.now()
    return await ledger.reserve(tx, turn.id, turn.conversation_id, author_id, modality, model, now)


def _cost(runtime: Runtime, bill: Bill, error: str) -> int | None:
    """A call that failed before it used anything costs nothing; of one that was stopped then, nobody knows."""
    if error and bill.usage == Usage():
        return None if error == StoppedError.code else 0
    return runtime.models.price_micro_usd(bill.model, bill.usage)


async def _settle(
    runtime: Runtime, turn: Turn, modality: Modality, bill: Bill, call_id: int, named: str, error: str
) -> None:
    cost, now = _cost(runtime, bill, error), runtime.clock.now()
    async with runtime.store.begin(turn.tenant_id) as tx:
        if bill.model != named:  # another model stepped in for the one that was reserved
            await ledger.settle_call(tx, call_id, Usage(), 0, now, UnavailableError.code)
            call_id = await _reserve(tx, turn, modality, bill.model, runtime)
        await ledger.settle_call(tx, call_id, bill.usage, cost, now, error)
    telemetry.calls.labels(modality, bill.model, error or "ok").inc()
    telemetry.tokens.labels(bill.model, "in").inc(bill.usage.input_tokens)
    telemetry.tokens.labels(bill.model, "out").inc(bill.usage.output_tokens)
    telemetry.cost.labels(bill.model).inc(cost or 0)
