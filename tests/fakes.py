"""Fakes that stand for what is outside: a platform in memory and a clock that tests move. Each is a port's full citizen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from bot.app import App
from bot.errors import PlatformError
from bot.ports import Accept
from bot.store import turns
from bot.types import (
    Address,
    Attachment,
    Author,
    Backfill,
    Capabilities,
    Command,
    Diagnostic,
    Inbound,
    InboundMessage,
    Receipt,
    Reply,
    ReplyEvent,
    Status,
    TextDelta,
    TextReset,
    Turn,
)

PLATFORM = "fake"
ANN = Author("U-ann", "Ann")
BEN = Author("U-ben", "Ben")
HERE = Address(PLATFORM, "W1", "C1")


class FakeClock:
    """A clock that stands still until a test moves it; sleeping moves it, so back-off costs no time."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The time in UTC."""
        return self.at

    def monotonic(self) -> float:
        """Seconds from some fixed moment."""
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Pass that time at once, letting others run; long waits of background work stay asleep."""
        if seconds >= 600:
            await asyncio.Event().wait()
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class Shown:
    """One posted answer as a person sees it."""

    turn_id: str
    text: str = ""
    statuses: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    """Every visible text in order."""
    reply: Reply | None = None
    """Set by finish."""
    finishes: int = 0


class FakeAdapter:
    """A platform in memory, shared by all that are given the same `posts`."""

    name = PLATFORM
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.posts: dict[str, Shown] = {}
        self.files: dict[str, bytes] = {}
        self.opened: list[str] = []
        self.fetched: Counter[str] = Counter()
        """How often each file was fetched, by its name."""
        self.fail_fetch: PlatformError | None = None
        self.before = Backfill()
        self.may_read: Callable[[Author, Address], bool] = lambda reader, place: False
        """What the platform lets a person read."""
        self.asked_rights: list[frozenset[Address]] = []
        """The places of each question about somebody's rights."""
        self.changed = asyncio.Condition()
        self._count = 0

    async def listen(self, accept: Accept) -> None:
        """Nothing to hold."""

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """None."""
        return ()

    async def download(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes in two pieces."""
        if self.fail_fetch:
            raise self.fail_fetch
        data = self.files[attachment.ref["file"]]
        self.fetched[attachment.name] += 1
        for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
            yield piece

    async def open(self, turn: Turn) -> Receipt:
        """Post once for a turn; a turn with a receipt reuses its post."""
        if turn.receipt:
            message_id = turn.receipt.message_ids[0]
        else:
            message_id = next(
                (key for key, shown in self.posts.items() if shown.turn_id == turn.id), f"R{len(self.posts) + 1}"
            )
        self.posts[message_id] = Shown(turn.id)
        self.opened.append(turn.id)
        return Receipt(turn.inbound.address, turn.id, (message_id,))

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Keep it."""
        self.posts[receipt.message_ids[0]].statuses.append(text)
        await self._tell()

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Keep every visible text."""
        shown, text = self.posts[receipt.message_ids[0]], ""
        async for event in events:
            match event:
                case TextDelta(delta):
                    text += delta
                    shown.text = text
                    shown.versions.append(text)
                case TextReset():
                    text = ""
                case Status(status):
                    shown.statuses.append(status)
            await self._tell()

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply."""
        shown = self.posts[receipt.message_ids[0]]
        shown.reply, shown.text = reply, reply.text
        shown.finishes += 1
        await self._tell()
        return receipt

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, seen: Callable[[FakeAdapter], bool], timeout_s: float = 20) -> None:
        """Wait until the posts look so."""
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(lambda: seen(self))

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """What the test laid ready."""
        return self.before

    async def readable_by(self, reader: InboundMessage | Command, places: Collection[Address]) -> Collection[Address]:
        """What the test allows."""
        self.asked_rights.append(frozenset(places))
        return [place for place in places if place == reader.address or self.may_read(reader.author, place)]

    def command_name(self, name: str) -> str:
        """As it is typed."""
        return f"/{name}"

    async def check(self) -> Sequence[Diagnostic]:
        """All is well."""
        return (Diagnostic(self.name, "ok", "a fake"),)

    async def close(self) -> None:
        """Nothing to let go of."""

    # --- what a person does there ---

    def says(self, text: str = "", *, files: Mapping[str, bytes] | None = None, **changes: Any) -> InboundMessage:
        """A direct message of Ann's, unless `changes` say otherwise."""
        self._count += 1
        attachments = tuple(self.upload(name, data) for name, data in (files or {}).items())
        message = InboundMessage(
            event_id=f"E{self._count}",
            message_id=f"M{self._count}",
            address=HERE,
            author=ANN,
            text=text,
            attachments=attachments,
            sent_at=datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(minutes=self._count),
            is_direct=True,
        )
        return replace(message, **changes)

    def commands(
        self, name: str, text: str = "", *, files: Mapping[str, bytes] | None = None, **changes: Any
    ) -> Command:
        """A slash command of Ann's."""
        said = self.says(text, files=files)
        command = Command(said.event_id, HERE, ANN, name, text, said.attachments, said.sent_at, said.message_id, True)
        return replace(command, **changes)

    def upload(self, name: str, data: bytes, mime_type: str = "", *, is_voice_note: bool = False) -> Attachment:
        """A file on the platform."""
        self.files[name] = data
        return Attachment(name, mime_type, len(data), {"file": name}, is_voice_note=is_voice_note)

    async def answered(self, turn_id: str) -> Shown:
        """The answer of that turn, once it is finished."""
        await self.until(lambda me: any(one.turn_id == turn_id and one.finishes for one in me.posts.values()))
        return next(one for one in self.posts.values() if one.turn_id == turn_id)


async def answer(app: App, platform: FakeAdapter, inbound: Inbound) -> Shown:
    """Hand in what a person said, and give the answer once its turn has ended in the database too."""
    accepted = await app.accept(inbound)
    assert accepted.outcome == "queued", accepted
    shown = await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    return shown


async def ended(app: App, turn_id: str) -> None:
    """Wait until the turn has ended in the database."""
    async with asyncio.timeout(20):
        while any(turn.id == turn_id for turn in await turns.unfinished(app.store)):
            await asyncio.sleep(0.005)
