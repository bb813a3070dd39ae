"""Streams of reply events that an adapter makes itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bot.types import ReplyEvent, Status


async def only_status(text: str) -> AsyncGenerator[ReplyEvent, None]:
    """A stream of one status: for `set_status`, where the status line is drawn by the same code that draws the answer."""
    yield Status(text)
