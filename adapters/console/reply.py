"""The console's side of a turn: reads attached files from the disk and sends events to the terminal that asked.

A terminal listens on the bus, so that any process may answer it. Whoever has left meanwhile finds the answer in the conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.console import CAPABILITIES
from adapters.console.parse import PLATFORM
from adapters.console.ref import ConsoleRef
from bot.errors import UnreadableError
from bot.ports import Accept, Host
from bot.types import (
    Address,
    Attachment,
    Backfill,
    Command,
    Diagnostic,
    Done,
    InboundMessage,
    Receipt,
    Reply,
    ReplyEvent,
    Status,
    TextDelta,
    TextReset,
    Turn,
    from_json,
    to_json,
)

SUFFIX = ".answer"
"""Behind the question's id: the id of its answer."""
READ_BYTES = 1024 * 1024


class Console:
    """The adapter."""

    name = PLATFORM
    capabilities = CAPABILITIES

    def __init__(self, host: Host) -> None:
        self._host = host

    async def listen(self, accept: Accept) -> None:
        """Return at once: each terminal submits its own lines."""

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """Return no routes."""
        return ()

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """Yield the file's bytes. Only `parse.attachment` makes such attachments, from what the person at the terminal named."""
        path = Path(ConsoleRef.from_ref(attachment.ref).path)
        try:
            with await asyncio.to_thread(path.open, "rb") as file:
                while piece := await asyncio.to_thread(file.read, READ_BYTES):
                    yield piece
        except OSError as error:
            raise UnreadableError(
                f"{attachment.name} cannot be read any more: {(error.strerror or 'it is gone').lower()}."
            ) from error

    async def open(self, turn: Turn) -> Receipt:
        """Post nothing. The receipt names the answer after its question, so that the terminal recognises it."""
        asked = turn.inbound.message_id
        if turn.receipt:
            return replace(turn.receipt, turn_id=turn.id)
        return Receipt(turn.inbound.address, turn.id, (asked + SUFFIX,))

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Send what is being done."""
        await self._tell(receipt, Status(text))

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Send each event as it comes. `finish` sends the end, which may hold more than the answer did."""
        has_text = False
        async for event in events:
            if isinstance(event, TextDelta) and not has_text:
                has_text = True
                await self._tell(receipt, TextReset())  # an answer that a crash broke off may stand there
            if not isinstance(event, Done):
                await self._tell(receipt, event)

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Send the final reply."""
        await self._tell(receipt, Done(reply))
        return receipt

    async def _tell(self, receipt: Receipt, event: ReplyEvent) -> None:
        await self._host.bus.publish(topic(receipt.message_ids[0].removesuffix(SUFFIX)), {"event": to_json(event)})

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """Return nothing: a terminal keeps no history of its own."""
        return Backfill()

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> Collection[Address]:
        """None: here the person is alone with Parley."""
        return ()

    def command_name(self, name: str) -> str:
        """Return the command as people type it."""
        return f"/{name}"

    async def check(self) -> Sequence[Diagnostic]:
        """Report nothing: the console depends on nothing outside."""
        return ()

    async def close(self) -> None:
        """Nothing to close."""


def topic(message_id: str) -> str:
    """Return the bus topic of the answer to that question."""
    return f"console/{message_id}"


async def read_events(messages: AsyncIterator[dict[str, Any]]) -> AsyncGenerator[ReplyEvent, None]:
    """Yield the events that `stream` and `finish` sent."""
    async for message in messages:
        event: ReplyEvent = from_json(message["event"])
        yield event
