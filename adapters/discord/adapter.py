"""The Discord adapter: the port of `bot.ports.Adapter`, each method handed to the part that owns it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace

from aiohttp import web

from adapters.discord import CAPABILITIES, Options
from adapters.discord.check import Check
from adapters.discord.client import DiscordClient
from adapters.discord.directory import Directory
from adapters.discord.files import Files
from adapters.discord.history import History
from adapters.discord.listen import Listener
from adapters.discord.pace import PACE, Pace
from adapters.discord.parse_parts import PLATFORM
from adapters.discord.reply import Replies
from adapters.discord.rights import Rights
from adapters.shared.streams import only_status
from bot.ports import Accept, Host
from bot.types import (
    Address,
    Attachment,
    Backfill,
    Capabilities,
    Command,
    Diagnostic,
    InboundMessage,
    Receipt,
    Reply,
    ReplyEvent,
    Turn,
)


class Discord:
    """Discord as a platform."""

    name = PLATFORM

    def __init__(self, options: Options, host: Host, pace: Pace = PACE) -> None:
        self.client = DiscordClient(options, host)
        self.directory = Directory(self.client)
        self.rights = Rights(self.client, self.directory.servers)
        self.files = Files(self.client)
        self.replies = Replies(self.client, pace)
        self.history = History(self.client, self.directory, self.rights, pace)
        self.listener = Listener(self.client, self.directory, self.history, self.rights, pace)

    @property
    def capabilities(self) -> Capabilities:
        """Whether all is heard depends on the Message Content intent: wanted here, and not refused to this process."""
        return replace(CAPABILITIES, hears_all=self.listener.hears_all)

    async def listen(self, accept: Accept) -> None:
        """Hold the gateway, and fetch what was missed whenever none was held."""
        await self.listener.listen(accept)

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """None: everything comes by the gateway."""
        return ()

    def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises UnreadableError, PlatformError."""
        return self.files.download(attachment)

    async def open(self, turn: Turn) -> Receipt:
        """Typing, and what answering needs."""
        return await self.replies.open(turn)

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """What is being done."""
        await self.replies.stream(receipt, only_status(text))

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """The answer as it comes."""
        await self.replies.stream(receipt, events)

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """The answer as it stays. Raises PlatformError."""
        return await self.replies.finish(receipt, reply)

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """What was said there before."""
        return await self.history.backfill(inbound)

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> Collection[Address]:
        """Those of these shared places whose history Discord lets this person read now."""
        return await self.rights.readable_by(reader, places)

    def command_name(self, name: str) -> str:
        """As it is typed."""
        return f"/{name}"

    async def check(self) -> Sequence[Diagnostic]:
        """What `doctor` should know."""
        return await Check(self.client).findings()

    async def close(self) -> None:
        """Let go of connections."""
        await self.listener.close()
        await self.rights.close()
        await self.replies.close()
        await self.client.close()
