"""The page as an adapter: passes each call of the engine to the module that does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from aiohttp import web

from adapters.playground import CAPABILITIES, reply
from adapters.playground.guard import Guard
from adapters.playground.ref import PlaygroundRef
from adapters.playground.renderer import Renderer
from adapters.playground.routes import Routes
from adapters.shared.streams import only_status
from bot.errors import StoreError, UnreadableError
from bot.policy.this_machine import is_loopback
from bot.ports import Accept, Host
from bot.types import (
    Address,
    Attachment,
    Backfill,
    Command,
    Diagnostic,
    InboundMessage,
    Receipt,
    Reply,
    ReplyEvent,
    Turn,
)


class Playground:
    """The page. It has no socket of its own: it listens through the routes it gives to the web server."""

    name = "playground"
    capabilities = CAPABILITIES

    def __init__(
        self,
        host: Host,
        password: str,
        *,
        is_open: bool = False,
        bound_to: str,
        max_upload_bytes: int,
        max_streams: tuple[int, int],
    ) -> None:
        """password: empty serves the page to this machine only, unless it is open. bound_to: the web server's HOST, for `check`.

        max_streams: open pages for one address, and in all.
        """
        self._host = host
        self._guard = Guard(host.clock, host.sessions, password, host.entrance_key, is_open=is_open)
        self._bound_to = bound_to
        self._max_upload_bytes, self._max_streams = max_upload_bytes, max_streams
        self._renderer = Renderer()

    async def listen(self, accept: Accept) -> None:
        """Return at once: the page calls our routes."""

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """Return the routes of the page, its files and its API."""
        return Routes(
            self._host,
            accept,
            self._guard,
            self._renderer,
            max_upload_bytes=self._max_upload_bytes,
            max_streams=self._max_streams,
        ).table()

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """Yield the bytes, which were stored when the page sent them. Raises UnreadableError when they have been deleted."""
        ref = PlaygroundRef.from_ref(attachment.ref)
        blobs = self._host.blobs(Address(self.name, "local", ref.channel))
        try:
            async for piece in blobs.read_pieces(ref.sha256, 0, ref.size_bytes):
                yield piece
        except StoreError as error:
            raise UnreadableError(f"{attachment.name} is gone; send it again.", detail=error.text) from error

    async def open(self, turn: Turn) -> Receipt:
        """Tell the pages that an answer begins."""
        return await reply.open_reply(self._host, turn)

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Tell the pages what is being done."""
        await reply.show_reply(self._host, receipt, only_status(text))

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Stream the events to the pages."""
        await reply.show_reply(self._host, receipt, events)

    async def finish(self, receipt: Receipt, reply_: Reply) -> Receipt:
        """Tell the pages the final answer."""
        return await reply.finish_reply(self._host, receipt, reply_)

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """Return nothing: everything said on the page came through us."""
        return Backfill()

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> Collection[Address]:
        """None: here everybody is alone with Parley."""
        return ()

    def command_name(self, name: str) -> str:
        """Return the command as people type it."""
        return f"/{name}"

    async def check(self) -> Sequence[Diagnostic]:
        """Report who can reach the page."""
        if self._guard.is_open:
            text = "on, and open to whoever reaches it: everybody spends what its models cost"
            return [Diagnostic("playground", "warning", text, "PLAYGROUND_OPEN")]
        if not self._guard.has_password and not is_loopback(self._bound_to):
            text = "The page is served to browsers on this machine only, though HOST lets others in; set a password."
            return [Diagnostic("playground", "warning", text, "PLAYGROUND_PASSWORD")]
        whom = "whoever has its password" if self._guard.has_password else "browsers on this machine"
        return [Diagnostic("playground", "ok", f"on, for {whom}")]

    async def close(self) -> None:
        """End the processes that render, and answer no more guesses."""
        await self._guard.passwords.close()
        await self._renderer.close()
