"""One turn at the terminal: submit the message, follow the events of its answer, stop it when the person asks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from adapters.console.reply import read_events, topic
from bot.errors import PlatformError
from bot.ports import Accept, Host
from bot.types import ButtonPress, Command, Done, InboundMessage, Reply, ReplyEvent, TextDelta, TextReset

SILENCE_S = 10.0
"""After this long without a message the database is asked whether the turn has ended: PostgreSQL loses messages at a restart."""


async def converse(
    host: Host,
    accept: Accept,
    inbound: InboundMessage | Command,
    show: Callable[[ReplyEvent], None],
    *,
    silence_s: float = SILENCE_S,
) -> Reply:
    """Pass every event of the answer to `show`, its Done last, and return the reply.

    Raises StoreError when the question cannot be written down.
    """
    async with host.bus.subscribe(topic(inbound.message_id)) as messages:
        accepted = await accept(inbound)
        if accepted.outcome != "queued":
            text = accepted.reason or "Parley did not accept that as something to answer."
            raise PlatformError(text, detail=accepted.outcome)
        has_text = False
        async with aclosing(_events(host, inbound, messages, silence_s)) as events:
            async for event in events:
                if has_text or not isinstance(event, TextReset):
                    show(event)
                has_text |= isinstance(event, TextDelta)
                if isinstance(event, Done):
                    return event.reply
    raise PlatformError("The answer never ended.")


async def stop(accept: Accept, inbound: InboundMessage | Command) -> None:
    """Stop the answer; what has come of it stays."""
    await accept(ButtonPress(uuid.uuid4().hex, inbound.message_id, inbound.address, inbound.author, "stop"))


async def _events(
    host: Host, inbound: InboundMessage | Command, messages: AsyncIterator[dict[str, Any]], silence_s: float
) -> AsyncGenerator[ReplyEvent, None]:
    source = read_events(messages)
    coming = asyncio.ensure_future(anext(source))
    try:
        while True:
            await asyncio.wait({coming}, timeout=silence_s)
            if coming.done():
                yield coming.result()
                coming = asyncio.ensure_future(anext(source))
            elif reply := await _stored_reply(host, inbound):
                yield Done(reply)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await source.aclose()


async def _stored_reply(host: Host, inbound: InboundMessage | Command) -> Reply | None:
    """Return the answer as the history has it, or None while the turn has not ended."""
    entries = await host.timeline.entries(inbound.address)
    turn_id = next((entry.turn_id for entry in entries if entry.message_id == inbound.message_id), "")
    answers = [one for one in entries if turn_id and one.turn_id == turn_id and one.role == "assistant"]
    if not answers or answers[-1].is_running:
        return None
    return answers[-1].reply
