"""A platform, and the only way in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from bot.types import (
    Accepted,
    Address,
    Attachment,
    Backfill,
    Capabilities,
    Command,
    Diagnostic,
    Inbound,
    InboundMessage,
    Receipt,
    Reply,
    ReplyEvent,
    Turn,
)

if TYPE_CHECKING:
    from aiohttp import web  # for the type alone: what serves no HTTP does without the library, which is slow to import

Accept: TypeAlias = Callable[[Inbound], Awaitable[Accepted]]
"""The only way in: `inbox.accept`. When it returns, the inbound is written; when it raises, it is not."""


class Adapter(Protocol):
    """A platform. One object serves listening and answering; answering works without listening, from any worker."""

    name: str

    @property
    def capabilities(self) -> Capabilities:
        """What this installation of the platform can do, at this moment."""
        ...

    async def listen(self, accept: Accept) -> None:
        """Hold the platform's socket and hand in what comes, until cancelled. Returns at once when there is no socket to hold."""

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """The HTTP routes this platform calls."""

    def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of an attachment as they come. Raises PlatformError, or UnreadableError when it is gone."""

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Repeated for the same turn it must not post twice; a turn with a receipt reuses its post."""

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Show in a few words what is being done, while no text is there. Raises PlatformError."""

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, each visible text being the whole so far; ends with the events. May be repeated."""

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply at the receipt: final text, uploads, buttons. Repeated, it changes nothing more."""

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """What was said at the inbound's place before it, for a conversation that Parley joins late; nothing where the platform
        cannot tell. Attachments come along unfetched."""

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> Collection[Address]:
        """Those of these shared places, all of the reader's workspace, whose history the platform lets this person read now.

        What cannot be asked is not readable. Rights are kept for at most a minute, and dropped when the platform says that they
        changed. Raises nothing for a person or a place that is unknown.
        """

    def command_name(self, name: str) -> str:
        """How people write the command of that name here, such as `/help`."""

    async def check(self) -> Sequence[Diagnostic]:
        """What `doctor` should know: tokens, permissions, reachability."""

    async def close(self) -> None:
        """Let go of connections."""
