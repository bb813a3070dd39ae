"""Every paid call is metered: reserved before it is made, settled after, so that a crash cannot hide what was spent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from bot import telemetry
from bot.engine.allowance import check_call
from bot.engine.runtime import Runtime
from bot.errors import BotError, StoppedError, UnavailableError
from bot.store import Transaction, ledger
from bot.types import Modality, Turn, Usage

log = logging.getLogger(__name__)


@dataclass
class UsageMeter:
    """What a call used, filled in while it runs."""

    model: str
    """Changed when another model than the configured one did it."""
    usage: Usage = field(default_factory=Usage)
    audio_s: float = 0.0
    """Of the sound that it was to hear, as measured: what a server leaves out counts all the same."""


@asynccontextmanager
async def metered(
    runtime: Runtime, turn: Turn, modality: Modality, *, audio_s: float = 0.0, name: str = ""
) -> AsyncGenerator[UsageMeter]:
    """Around each call of a model: the caller puts the usage on the meter. Raises UnavailableError when no model is set up.

    Raises LimitError when it would be one too many of the person's. audio_s: of sound to hear, as measured. name: of its file.

    A call that is cancelled or whose stream is closed is settled too, its cost unknown unless the caller knows the usage.
    """
    reserved = runtime.models.name(modality, turn.settings)
    meter = UsageMeter(reserved, audio_s=audio_s)
    async with runtime.store.begin(turn.tenant_id) as tx:
        await check_call(tx, turn, runtime, modality, audio_s, name)
        call_id = await _reserve(tx, turn, modality, reserved, runtime, audio_s)
    settle = partial(_settle, runtime, turn, modality, meter, call_id, reserved)
    try:
        yield meter
    except (asyncio.CancelledError, GeneratorExit):
        # Nothing may stand in the way of the end; what is not settled now is written off later.
        with suppress(BotError):
            await settle(StoppedError.code)
        raise
    except Exception as raised:
        meter.usage += getattr(raised, "billed", None) or Usage()
        await settle(raised.code if isinstance(raised, BotError) else BotError.code)
        raise
    await settle("")


async def _reserve(
    tx: Transaction, turn: Turn, modality: Modality, model: str, runtime: Runtime, audio_s: float = 0.0
) -> int:
    author_id, now = turn.requester.id, runtime.clock.now()
    return await ledger.reserve(tx, turn.id, turn.conversation_id, author_id, modality, model, now, audio_s)


def _cost(runtime: Runtime, meter: UsageMeter, error: str) -> int | None:
    """The price, None when unknown. A call that failed before it used anything costs nothing; a stopped one may have cost."""
    if error and meter.usage == Usage():
        return None if error == StoppedError.code else 0
    return runtime.models.price_micro_usd(meter.model, meter.usage)


def _kept_usage(meter: UsageMeter, error: str) -> Usage:
    """The usage, with the sound that was heard, or was being heard when somebody said stop, where the server does not tell."""
    if meter.usage.audio_s or error not in ("", StoppedError.code):
        return meter.usage
    return replace(meter.usage, audio_s=meter.audio_s)


async def _settle(
    runtime: Runtime, turn: Turn, modality: Modality, meter: UsageMeter, call_id: int, reserved: str, error: str
) -> None:
    cost, now = _cost(runtime, meter, error), runtime.clock.now()
    async with runtime.store.begin(turn.tenant_id) as tx:
        if meter.model != reserved:  # another model stepped in for the one that was reserved
            await ledger.settle_call(tx, call_id, Usage(), 0, now, UnavailableError.code)
            call_id = await _reserve(tx, turn, modality, meter.model, runtime)
        await ledger.settle_call(tx, call_id, _kept_usage(meter, error), cost, now, error)
    telemetry.calls.labels(modality, meter.model, error or "ok").inc()
    telemetry.tokens.labels(meter.model, "in").inc(meter.usage.input_tokens)
    telemetry.tokens.labels(meter.model, "out").inc(meter.usage.output_tokens)
    telemetry.cost.labels(meter.model).inc(cost or 0)
