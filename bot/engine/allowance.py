"""What a person may still cause, asked of the store before it is done: calls of models, sound heard, bytes kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot import telemetry
from bot.engine.runtime import Runtime
from bot.errors import BotError, LimitError
from bot.policy.limits import DAY_S, MINUTE_S, OVER_TIME
from bot.store import Transaction, ledger, locks
from bot.store.blobs import TenantBlobs, stored_bytes
from bot.types import Blob, Modality, Turn


def counted(error: LimitError) -> LimitError:
    """The refusal, which the metrics now know of."""
    telemetry.refused.labels(error.limit).inc()
    return error


def is_passing(error: BotError) -> bool:
    """Whether it is a limit that no longer stands in the way some time later."""
    return isinstance(error, LimitError) and error.limit in OVER_TIME


async def check_call(
    tx: Transaction, turn: Turn, runtime: Runtime, modality: Modality, audio_s: float = 0.0, name: str = ""
) -> None:
    """Raise LimitError when this call would be one too many of the person's, or hear too much.

    Until the transaction has ended, the person's other calls wait in all processes, so that what is reserved in it counts for them.
    audio_s: of sound that is to be heard, as measured. name: of its file.
    """
    limits = runtime.limits
    if limits.paid_calls_per_minute or (limits.sound_s_per_day and audio_s):
        await locks.hold(tx, f"calling/{turn.requester.id}")
    await _check_rate(tx, turn, runtime)
    if modality == "transcribe" and limits.sound_s_per_day:
        await _check_sound(tx, turn, runtime, audio_s, name)


async def _check_rate(tx: Transaction, turn: Turn, runtime: Runtime) -> None:
    limits, now = runtime.limits, runtime.clock.now()
    if not limits.paid_calls_per_minute:
        return
    first = await ledger.nth_latest_call(tx, turn.requester.id, limits.paid_calls_per_minute)
    wait_s = MINUTE_S - (now - first).total_seconds() if first else 0.0
    if wait_s > 0:
        raise counted(limits.error("paid_calls_per_minute", wait_s=wait_s))


async def _check_sound(tx: Transaction, turn: Turn, runtime: Runtime, audio_s: float, name: str) -> None:
    limits, now = runtime.limits, runtime.clock.now()
    since = now - timedelta(seconds=DAY_S)
    over_s = await ledger.heard_s(tx, turn.requester.id, since) + audio_s - limits.sound_s_per_day
    if over_s > 0:
        heard = await ledger.heard(tx, turn.requester.id, since)
        wait_s = DAY_S - (now - _free_again(heard, over_s, now)).total_seconds()
        raise counted(limits.error("sound_s_per_day", wait_s=wait_s, name=name or "this"))


def _free_again(heard: Sequence[tuple[datetime, float]], over_s: float, now: datetime) -> datetime:
    """The moment of the call that has to be a day old before `over_s` seconds fewer count."""
    for at, seconds in heard:
        over_s -= seconds
        if over_s <= 0:
            return at
    return now


async def keep_bytes(turn: Turn, runtime: Runtime, data: bytes, mime_type: str, name: str) -> Blob:
    """Keep bytes for whoever asked. Raises LimitError when there is no room for them in what one person may have kept.

    name: of the file. Call it only for a part that uses it: bytes that no message uses outlive a /forget.
    """
    try:
        return await runtime.blobs(turn).write(data, mime_type, turn.requester.id, name)
    except LimitError as error:
        raise counted(error) from None


async def keep_made(turn: Turn, runtime: Runtime, data: bytes, mime_type: str) -> Blob:
    """Keep what was made for whoever asked: it is paid for, and `check_room` came before."""
    return await TenantBlobs(runtime.store, turn.tenant_id).write(data, mime_type, turn.requester.id)


async def check_room(turn: Turn, runtime: Runtime, name: str) -> None:
    """Raise LimitError when nothing more can be kept for whoever asked: before something is paid for that is to be kept."""
    limits = runtime.limits
    if not limits.stored_bytes:
        return
    async with runtime.store.read(turn.tenant_id) as tx:
        stored = await stored_bytes(tx, turn.requester.id)
    if stored >= limits.stored_bytes:
        raise counted(limits.error("stored_bytes", name=name))
