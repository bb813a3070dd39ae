"""What the seam promises of work that survives a crash, and the one place that retries a step.

A job is done at least once, in order within its lane. A step's result is remembered once it is recorded; between a step's end and
its record a kill repeats the step. So: every paid or visible effect is a step, and every visible effect can be repeated harmlessly.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar

from bot import errors
from bot.errors import BotError, OverloadedError, StoreError
from bot.ports import Clock
from bot.redaction import redact_long, redact_within
from bot.types import StepRecord, from_json, to_json

T = TypeVar("T")
FIRST_PAUSE_S = 1.0
MAX_BACK_OFF_S = 30.0
MAX_PAUSE_S = 60.0
"""A longer Retry-After is not waited out: the person is told instead."""

STOP_TOPIC = "stop"
"""On the bus: `{"turn_id": …}` asks whichever process works on that turn to stop."""

current_attempt: ContextVar[int] = ContextVar("current_attempt", default=1)
"""Inside a step: which attempt this is, for a step that tells the person that it will be tried again."""
_stop: ContextVar[asyncio.Event | None] = ContextVar("stop", default=None)
log = logging.getLogger(__name__)


@contextmanager
def interruptible_by(stop: asyncio.Event) -> Iterator[None]:
    """Inside the context, the event ends the wait before a step's next attempt: the step runs at once, and finds itself stopped."""
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


async def with_retries(
    clock: Clock, name: str, fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
) -> tuple[Any, int]:
    """The result and the number of attempts. A retryable BotError is tried again with back-off, or when the other side asked to.

    Raises the last BotError, its `attempts` set; anything else is a fault of ours and becomes a plain BotError, logged.
    """
    for attempt in itertools.count(1):
        current_attempt.set(attempt)
        try:
            return await fn(*args), attempt
        except BotError as error:
            pause_s = retry_delay_s(attempt, error)
            if pause_s is None:
                error.attempts = attempt
                raise
            log.warning("step %s: %s (%s); again in %.1f s", name, error.code, error.detail or error.text, pause_s)
            await _pause(clock, pause_s)
        except TimeoutError as error:
            raise OverloadedError(
                "That took too long, so it was given up. Please try again.", detail=str(error)
            ) from error
        except Exception as error:  # the edge of the job runner: a fault of ours ends the turn with an answer
            log.exception("step %s failed", name)
            raise BotError(
                "Something went wrong on my side; it has been logged.", detail=type(error).__name__
            ) from error
    raise AssertionError("the last attempt returns or raises")


async def retry_until_available(
    clock: Clock,
    name: str,
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    awaited: type[BotError] = StoreError,
) -> T:
    """Call what needs only the database until the database is available, however long that takes; a stop does not shorten it.

    awaited: the kind of error that waiting mends, where it is something else than the database that has to come back. Raises every
    other one. Cancelling it, as at the end of the process, leaves no transaction half done.
    """
    for attempt in itertools.count(1):
        try:
            return await fn(*args)
        except awaited as error:
            if not error.retryable:
                raise
            pause_s = min(FIRST_PAUSE_S * 2 ** min(attempt - 1, 5), MAX_PAUSE_S)
            log.warning("%s: %s; again in %.0f s", name, error.detail or error.text, pause_s)
            await clock.sleep(pause_s)
    raise AssertionError("the loop ends by returning or raising")


async def _pause(clock: Clock, pause_s: float) -> None:
    """Wait that long, or until the person says stop. An earlier stop does not shorten the wait: the step knew of it."""
    stop = _stop.get()
    if stop is None or stop.is_set():
        await clock.sleep(pause_s)
        return
    waiting = [asyncio.ensure_future(clock.sleep(pause_s)), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


def retry_delay_s(attempt: int, error: BotError) -> float | None:
    """Seconds to wait after that many failed attempts, or None to give up."""
    if not error.retryable or attempt >= error.max_attempts or (error.retry_after_s or 0) > MAX_PAUSE_S:
        return None
    backed_off = min(FIRST_PAUSE_S * 2 ** (attempt - 1), MAX_BACK_OFF_S) * random.uniform(0.8, 1.2)
    return float(max(error.retry_after_s or 0, backed_off))


def elapsed_ms(began: float) -> float:
    """Milliseconds since `began`, a value of `time.perf_counter()`."""
    return round((time.perf_counter() - began) * 1000, 2)


def encode_result(result: Any) -> str:
    """A step's result as one line of JSON, without long secrets: a server may have quoted one in what it gave."""
    return json.dumps({"result": redact_within(to_json(result), redact_long)})


def encode_error(error: BotError) -> str:
    """The error that a step ended with, as one line of JSON."""
    return json.dumps({"error": error.to_json()}, default=str)


def replay(outcome: str, note: StepRecord, notes: list[StepRecord]) -> Any:
    """Give the result that a recorded outcome holds, or raise the BotError that it holds; `notes` gets the step's record."""
    held = json.loads(outcome)
    failed = errors.from_json(held["error"]) if "error" in held else None
    notes.append(replace(note, error=failed.code) if failed else note)
    if failed:
        raise failed
    return from_json(held["result"])
