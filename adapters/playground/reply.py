"""Answering on the page: tells every page that shows the conversation what happens, over the bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from adapters.playground import topics
from bot.errors import StoreError
from bot.ports import Host
from bot.types import (
    Audio,
    Done,
    GrowingText,
    Part,
    PartReady,
    Receipt,
    Reply,
    ReplyEvent,
    Status,
    Text,
    TextDelta,
    TextReset,
    ToolCall,
    ToolResult,
    Turn,
    to_json,
)

log = logging.getLogger(__name__)

SUFFIX = ".answer"
PACE_S = 0.03
"""Between two deltas: faster than the eye, slow enough for the bus."""


async def publish_to_pages(host: Host, channel: str, told: dict[str, Any]) -> None:
    """Publish a message to the pages of this conversation.

    It is a courtesy: when the bus is away the answer goes on, and a page that hears nothing looks into the history.
    """
    try:
        await host.bus.publish(topics.answers(channel), told)
    except StoreError as error:
        log.warning("the pages were not told: %s %s", error.text, error.detail)


async def open_reply(host: Host, turn: Turn) -> Receipt:
    """Tell the pages that an answer begins. Its id is derived from the question's, so a repeat is the same post."""
    asked = turn.inbound.message_id or turn.id
    receipt = Receipt(turn.inbound.address, turn.id, (answer_id(asked),))
    if turn.receipt is not None:
        receipt = replace(turn.receipt, turn_id=turn.id)
    await publish_to_pages(host, receipt.address.channel, {"kind": "open", "to": question_id(receipt), "turn": turn.id})
    return receipt


async def show_reply(host: Host, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
    """Tell the pages the events as they come, and the whole so far to pages that ask for it."""
    draft = _Draft(host, receipt)
    async with draft.telling():
        async for event in events:
            draft.take(event)


async def finish_reply(host: Host, receipt: Receipt, reply: Reply) -> Receipt:
    """Tell the pages the final answer."""
    parts = tuple(_light(part) for part in reply.parts if not isinstance(part, ToolCall | ToolResult))
    plain = to_json(replace(reply, parts=parts))
    told = {"kind": "done", "to": question_id(receipt), "turn": receipt.turn_id, "reply": plain}
    await publish_to_pages(host, receipt.address.channel, told)
    return receipt


def answer_id(question: str) -> str:
    """Return the id of the answer to a question."""
    return question + SUFFIX


def question_id(receipt: Receipt) -> str:
    """Return the id of the question that this answers."""
    return receipt.message_ids[0].removesuffix(SUFFIX)


def _light(part: Part) -> Part:
    """Return the part without what no page shows."""
    return replace(part, segments=()) if isinstance(part, Audio) else part


class _Draft:
    """The answer so far, and how much of it the pages know."""

    def __init__(self, host: Host, receipt: Receipt) -> None:
        self._host, self._receipt = host, receipt
        self._words, self._status, self._parts = GrowingText(), "", list[Part]()
        self._epoch = host.clock.now().timestamp()
        self._untold = GrowingText()
        """What no page knows yet, the end of the words."""
        self._is_snapshot_due = False
        self._changed = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def take(self, event: ReplyEvent) -> None:
        """Add the event to the draft; `telling` publishes it."""
        match event:
            case TextDelta(text):
                self._words.add(text)
                self._untold.add(text)
            case TextReset():
                self._words.clear()
                self._untold.clear()
                self._epoch += 0.001
                self._is_snapshot_due = True
            case Status(text):
                self._status, self._is_snapshot_due = text, True
            case PartReady(part) if not isinstance(part, Text | ToolCall | ToolResult):
                self._parts.append(_light(part))
                self._is_snapshot_due = True
            case Done() | PartReady():
                pass
        self._changed.set()

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Publish changes at a steady pace while the context is open, and the last ones at its end."""
        tasks = [asyncio.create_task(self._tell_changes()), asyncio.create_task(self._answer_late_pages())]
        try:
            yield
            await self._tell()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._tell()
            await asyncio.sleep(PACE_S)

    async def _answer_late_pages(self) -> None:
        async with self._host.bus.subscribe(topics.late_pages(self._receipt.address.channel)) as questions:
            async for _ in questions:
                self._is_snapshot_due = True
                self._changed.set()

    async def _tell(self) -> None:
        """Publish what is not published yet, after any publishing that runs."""
        async with self._one_at_a_time:
            if due := self._due():
                head = {"to": question_id(self._receipt), "turn": self._receipt.turn_id, "epoch": self._epoch}
                await publish_to_pages(self._host, self._receipt.address.channel, {**head, **due})

    def _due(self) -> dict[str, Any]:
        at, untold, self._untold = len(self._words) - len(self._untold), self._untold.text, GrowingText()
        if self._is_snapshot_due:
            self._is_snapshot_due = False
            text, parts = self._words.text, to_json(self._parts)
            return {"kind": "snapshot", "text": text, "status": self._status, "parts": parts}
        return {"kind": "delta", "at": at, "add": untold} if untold else {}
