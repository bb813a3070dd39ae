"""The Slack adapter: the port of `bot.ports.Adapter`, each method handed to the part that owns it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence

from aiohttp import web

from adapters.shared.streams import only_status
from adapters.shared.tasks import cancel
from adapters.slack import CAPABILITIES, NAME, Options
from adapters.slack.callback_ids import PREFIX
from adapters.slack.check import Check
from adapters.slack.client import SlackClient
from adapters.slack.entities import Directory
from adapters.slack.files import Files
from adapters.slack.history import History
from adapters.slack.home import Home
from adapters.slack.install import Install
from adapters.slack.intake import Intake
from adapters.slack.listen import Listener
from adapters.slack.manifest import command_name
from adapters.slack.ref import SlackRef
from adapters.slack.reply import DEFAULT_LIMITS, Replies, ReplyLimits
from adapters.slack.rights import Rights
from bot.errors import BotError
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

log = logging.getLogger(__name__)


class Slack:
    """Slack as a platform."""

    name = NAME
    capabilities = CAPABILITIES

    def __init__(self, options: Options, host: Host, reply_limits: ReplyLimits = DEFAULT_LIMITS) -> None:
        self.client = SlackClient(options, host)
        self.rights = Rights(self.client)
        self.directory = Directory(self.client, self.rights)
        self.files = Files(self.client)
        self.replies = Replies(self.client, self.files, reply_limits)
        self.history = History(self.client, self.directory, self.rights)
        self.home = Home(self.client)
        self.install = Install(self.client)
        self.intake = Intake(self.client, self.directory, self.files, self.rights)
        self.listener = Listener(self.client, self.intake, self.home, self.install, self.rights)
        self._options = options

    async def listen(self, accept: Accept) -> None:
        """Hold the sockets, and fetch what was missed whenever none was open."""
        if not self._options.slack_app_token:
            await self._hand_in_missed(accept)
            return
        fetching = asyncio.create_task(self._hand_in_missed_when_connected(accept))
        try:
            await self.listener.listen(accept)
        finally:
            await cancel(fetching)

    async def _hand_in_missed_when_connected(self, accept: Accept) -> None:
        while True:
            await self.listener.sockets.connected.wait()
            await self._hand_in_missed(accept)
            await self.listener.sockets.disconnected.wait()

    async def _hand_in_missed(self, accept: Accept) -> None:
        try:
            count = await self.history.hand_in_missed(accept)
        except BotError as error:
            log.warning("what was missed at Slack could not be fetched: %s", error.text)
        else:
            if count:
                log.info("handed in %d messages that were missed at Slack", count)

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """The request URL and OAuth's two addresses, as far as they are set up."""
        return [*self.listener.routes(accept), *self.install.routes()]

    def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """Fetch the bytes of a file. Raises UnreadableError, PlatformError."""
        return self.files.download(attachment)

    async def open(self, turn: Turn) -> Receipt:
        """Show a status line and begin a session; the receipt holds what answering needs."""
        return await self.replies.open(turn)

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Show what is being done."""
        await self.replies.stream(receipt, only_status(text))

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the reply as it comes."""
        await self.replies.stream(receipt, events)

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave the reply as it stays. Raises PlatformError."""
        return await self.replies.finish(receipt, reply)

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """Fetch what was said there before."""
        return await self.history.backfill(inbound)

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> Collection[Address]:
        """Those of the places whose history Slack lets the reader read now."""
        ref = SlackRef.from_ref(reader.ref, reader.address.workspace)
        user = ref.user_id or reader.author.id.partition("@")[0]
        known = await self.rights.readable(ref.scope, user, {place.channel for place in places})
        return [place for place in places if place.channel in known]

    def command_name(self, name: str) -> str:
        """How a command is typed here: by its own name, or behind `/parley` where one serves for all."""
        return f"/{PREFIX} {name}" if self._options.slack_single_command else command_name(name)

    async def check(self) -> Sequence[Diagnostic]:
        """Find out what `doctor` should report."""
        return await Check(self.client).findings()

    async def close(self) -> None:
        """Let go of connections."""
        await self.listener.close()
        await self.directory.close()
        await self.rights.close()
        await self.client.close()
