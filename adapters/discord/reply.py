"""Answering at Discord: typing, a message that grows by edits as the buckets allow, and in the end exactly the answer."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.discord import CAPABILITIES, render, speech
from adapters.discord.client import NO_PERMISSION, TOO_LARGE, BusyError, DiscordClient, DiscordError, Upload
from adapters.discord.pace import PACE, Pace
from adapters.discord.post import Posts, Target
from adapters.discord.ref import DiscordRef
from adapters.discord.render import Buttons, Component
from adapters.discord.threads import Threads
from adapters.shared.uploads import upload_name
from bot.policy.actions import actions_for
from bot.policy.visibility import is_private_answer
from bot.types import (
    Audio,
    Command,
    Done,
    File,
    Image,
    PartReady,
    Receipt,
    Reply,
    ReplyEvent,
    Status,
    TextDelta,
    TextReset,
    Turn,
)

MAX_FINISHED = 2_000
MAX_FILES = 10
MAX_BY_TOKEN = 4
"""Messages of an answer where only a person installed us: Discord takes five behind the first, of which one is for a remark and
one for sound. Source: Discord, Create Followup Message."""
log = logging.getLogger(__name__)


@dataclass
class Live:
    """An answer while it is being given."""

    target: Target
    text: str = ""
    status: str = ""
    posted: list[str] = field(default_factory=list)
    """Ids of the messages with its words, in order."""
    shown: dict[str, str] = field(default_factory=dict)
    """By id, the words that a message shows."""
    began_at: float = 0.0
    pump: asyncio.Task[None] | None = None
    typing: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while Discord is being told."""

    def take(self, event: ReplyEvent) -> None:
        """Let the event change what should be shown."""
        match event:
            case TextDelta(text):
                self.text += text
            case TextReset():
                self.text = ""
            case Status(text):
                self.status = text
            case Done() | PartReady():
                return
        self.changed.set()

    def pieces(self) -> tuple[str, ...]:
        """What the messages should show now."""
        if self.text.strip():
            pieces = render.rendered(self.text).pieces
            return pieces[:1] if self.target.needs_token else pieces
        return (render.small(self.status),) if self.status else ()

    def next_part(self) -> int | None:
        """The first message that does not show what it should."""
        for part, piece in enumerate(self.pieces()):
            if part >= len(self.posted) or self.shown.get(self.posted[part]) != piece:
                return part
        return None


class Replies:
    """The answers under way in this process."""

    def __init__(self, client: DiscordClient, pace: Pace = PACE) -> None:
        self._client, self._pace = client, pace
        self.posts = Posts(client)
        self._threads = Threads(client, self.posts)
        self._boot = uuid.uuid4().hex[:12]
        self._lives: dict[str, Live] = {}
        self._finished: OrderedDict[str, Receipt] = OrderedDict()
        self.writes = 0

    # --- open ---

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Nothing is posted yet, so a repeat posts nothing twice."""
        receipt = await self._threads.entered(self._receipt(turn), turn)
        live = self._keep(turn.id, Live(Target.of(receipt), posted=_texts(receipt)))
        self._finished.pop(turn.id, None)
        if not live.target.token:
            live.typing = asyncio.create_task(self._keep_typing(live))
        return receipt

    def _keep(self, turn_id: str, live: Live) -> Live:
        self._lives[turn_id] = live
        self._client.limiter.answers = len(self._lives)
        return live

    def _receipt(self, turn: Turn) -> Receipt:
        inbound, is_settings = turn.inbound, isinstance(turn.inbound, Command) and turn.inbound.name == "settings"
        ref = replace(
            DiscordRef.from_ref(inbound.ref),
            question_id=inbound.message_id,
            boot=self._boot,
            is_ephemeral=is_private_answer(inbound, self._client.host.commands),
            has_settings_button=is_settings,
        )
        if turn.receipt is None:
            return Receipt(inbound.address, turn.id, (), ref.to_ref())
        return replace(turn.receipt, turn_id=turn.id, ref=_revised(ref, turn.receipt).to_ref())

    async def _keep_typing(self, live: Live) -> None:
        """Show that work is going on until words show it; less of it when there is much to do."""
        for _ in range(self._pace.max_typing):
            if live.shown:
                return
            if self._client.limiter.try_acquire():
                await self.posts.type(live.target.channel_id)
            await self._client.host.clock.sleep(self._pace.typing_s)

    # --- show ---

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, at a pace that Discord bears; what is left over is shown while others work."""
        live = await self._live(receipt)
        live.text = ""
        if live.pump is None or live.pump.done():
            live.pump = asyncio.create_task(self._pump(live))
        async for event in events:
            live.take(event)

    async def _live(self, receipt: Receipt) -> Live:
        """The answer's state; after a crash it is read off the channel."""
        if receipt.turn_id in self._lives:
            return self._lives[receipt.turn_id]
        live = self._keep(receipt.turn_id, Live(Target.of(receipt), posted=_texts(receipt)))
        if receipt.ref.get("boot") != self._boot and not live.posted:
            live.posted = await self.posts.look_up(live.target, await self._client.bot_id())
        return live

    async def _pump(self, live: Live) -> None:
        clock = self._client.host.clock
        while True:
            await live.changed.wait()
            live.changed.clear()
            if live.text and not live.began_at:
                live.began_at = clock.monotonic()
                await clock.sleep(self._pace.start_s)
            while live.next_part() is not None:
                if (error := await self._progress(live)) is None:
                    continue
                log.info("showing an answer at Discord: %s", error.detail or error.text)
                if not isinstance(error, BusyError):
                    return  # refused for good: what is asked in vain counts towards a ban
                await clock.sleep(self._pace.retry_s)

    async def _progress(self, live: Live) -> DiscordError | None:
        """One write that shows more, when it is this reply's turn; what it shows is decided only then. Gives what went wrong:
        trouble here is no reason to lose the answer."""
        part = live.next_part() or 0
        message_id = live.posted[part] if part < len(live.posted) else None
        kind, major, counts = self.posts.bucket_of(live.target, message_id, part)
        is_first = message_id is None and part == 0
        bucket = await self._client.limiter.acquire(kind, major, urgent=is_first, counts=counts)
        try:
            return await asyncio.shield(self._show_part(live, part))
        finally:
            self._client.limiter.release(bucket)

    async def _show_part(self, live: Live, part: int) -> DiscordError | None:
        async with live.writing:
            pieces = live.pieces()
            if part >= len(pieces):
                return None
            is_last = part == len(pieces) - 1
            body = {"content": pieces[part], "components": _stop(live.target) if is_last else []}
            try:
                await self._put(live, part, body, held=True)
            except DiscordError as error:
                return error
        return None

    async def _put(
        self, live: Live, part: int, body: dict[str, Any], files: Sequence[Upload] = (), *, held: bool = False
    ) -> None:
        """Let the part's message be so."""
        self.writes += 1
        if part < len(live.posted):
            if await self.posts.edit(live.target, live.posted[part], body, files, held=held):
                live.shown[live.posted[part]] = body.get("content", "")
                return
            made = await self.posts.create(live.target, f"{part}+", _without_empty(body), files, held=held)
            live.posted[part] = made
        else:
            made = await self.posts.create(live.target, part, _without_empty(body), files, held=held)
            live.posted.append(made)
        live.shown[made] = body.get("content", "")

    # --- finish ---

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply; repeated, it changes nothing more. Raises DiscordError."""
        if receipt.turn_id in self._finished:
            return self._finished[receipt.turn_id]
        live = await self._live(receipt)
        await _ended(live.pump)
        await _ended(live.typing)
        async with live.writing:
            done = await self._finish(live, receipt, reply)
        self._lives.pop(receipt.turn_id, None)
        self._client.limiter.answers = len(self._lives)
        self._finished[receipt.turn_id] = done
        if len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)
        return done

    async def _finish(self, live: Live, receipt: Receipt, reply: Reply) -> Receipt:
        target = live.target
        clips = [part for part in reply.parts if isinstance(part, Audio)]
        is_native = bool(clips) and not target.needs_token
        whole = render.rendered(reply.text, reply.notices)
        files, remarks = await self._uploads(target, reply, whole, with_sound=not is_native)
        if remarks:
            whole = render.rendered(reply.text, (*reply.notices, *remarks))
        if not target.ref.is_member and len(whole.pieces) > MAX_BY_TOKEN:
            files.append(Upload("answer.md", reply.text.encode(), "text/markdown; charset=utf-8"))
            rest = render.small("The answer goes on in answer.md, which holds it whole.")
            whole = replace(whole, pieces=(*whole.pieces[: MAX_BY_TOKEN - 1], rest))
        await self._write_final(live, reply, whole, files)
        for voice_id in target.ref.voice_ids:
            await self.posts.delete(target, voice_id)
        voices = [await self._speak(target, clips[0])] if is_native else []
        ref = replace(
            target.ref,
            channel_id=target.fallback_dm or target.ref.channel_id,
            voice_ids=tuple(voices),
            webhook_message_ids=tuple(sorted(target.webhook_message_ids)),
            has_files=bool(files),
        )
        return replace(receipt, message_ids=(*live.posted, *voices), ref=ref.to_ref())

    async def _write_final(self, live: Live, reply: Reply, whole: render.Rendered, files: list[Upload]) -> None:
        """The messages as they stay; what an earlier version had beyond them goes."""
        pieces = whole.pieces or (("",) if files else ("-# There is nothing to say.",))
        target, last = live.target, len(pieces) - 1
        rows = _rows(reply, target)
        for part, piece in enumerate(pieces):
            body: dict[str, Any] = {"content": piece, "components": rows if part == last else []}
            is_revised = part < len(live.posted) and target.ref.has_files
            if is_revised and not (files and part == last):
                body["attachments"] = []
            await self._put_last(live, part, body, files if part == last else [])
        for message_id in live.posted[len(pieces) :]:
            await self.posts.delete(target, message_id)
        del live.posted[len(pieces) :]

    async def _put_last(self, live: Live, part: int, body: dict[str, Any], files: list[Upload]) -> None:
        """Write a part; where its files are refused, say so instead."""
        try:
            await self._put(live, part, body, files)
        except DiscordError as error:
            if not files or error.discord_code not in (TOO_LARGE, NO_PERMISSION):
                raise
            names = ", ".join(file.name for file in files)
            why = "they are too large here" if error.discord_code == TOO_LARGE else "I may not attach files here"
            remark = render.small(f"Not attached ({why}): {names}.")
            await self._put(live, part, {**body, "content": f"{body['content'][:1_700]}\n{remark}".strip()})

    async def _uploads(
        self, target: Target, reply: Reply, whole: render.Rendered, *, with_sound: bool
    ) -> tuple[list[Upload], list[str]]:
        """Pictures, files and long code, and remarks on those that are too large for this server."""
        blobs = self._client.host.blobs(target.address)
        kinds = (Image, File, Audio) if with_sound else (Image, File)
        found = [await self._upload(part, blobs) for part in reply.parts if isinstance(part, kinds)]
        found += [Upload(code.name, code.text.encode(), "text/plain; charset=utf-8") for code in whole.files]
        kept: list[Upload] = []
        remarks: list[str] = []
        for file in found:
            total = sum(len(one.data) for one in kept) + len(file.data)
            if (
                len(file.data) > target.ref.limit_bytes
                or total > self._pace.max_request_bytes
                or len(kept) == MAX_FILES
            ):
                limit = min(target.ref.limit_bytes, self._pace.max_request_bytes) // 2**20
                remarks.append(f"{file.name} is larger than this server takes ({limit} MB) and could not be attached.")
            else:
                kept.append(file)
        return kept, remarks

    async def _upload(self, part: Image | File | Audio, blobs: Any) -> Upload:
        alt = (part.description or part.text) if isinstance(part, Image) else ""
        return Upload(upload_name(part), await blobs.read(part.blob), part.blob.mime_type, alt)

    async def _speak(self, target: Target, clip: Audio) -> str:
        """A native voice message where Discord lets us, else the sound as a file."""
        data = await self._client.host.blobs(target.address).read(clip.blob)
        file = await speech.as_voice(data)
        try:
            return await self.posts.voice(target, "voice", file)
        except BusyError:
            raise
        except DiscordError as error:
            log.info("no voice message there: %s", error.detail)
        plain = Upload("answer.ogg", file.data, "audio/ogg")
        try:
            return await self.posts.create(target, "voice-file", {"content": ""}, [plain])
        except BusyError:
            raise
        except DiscordError as error:
            log.info("no sound there either: %s", error.detail)
            return await self.posts.create(target, "voice-none", {"content": render.small(NO_SOUND)})

    async def close(self) -> None:
        """End what is under way."""
        for live in list(self._lives.values()):
            await _ended(live.pump)
            await _ended(live.typing)


NO_SOUND = "I may send neither voice messages nor files here, so this answer is not spoken."


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _revised(ref: DiscordRef, earlier: Receipt) -> DiscordRef:
    """Where the earlier answer stands, with what is there."""
    kept = DiscordRef.from_ref(earlier.ref)
    return replace(
        ref,
        channel_id=kept.channel_id or ref.channel_id,
        voice_ids=kept.voice_ids,
        webhook_message_ids=kept.webhook_message_ids,
        has_files=kept.has_files,
        is_revised=True,
    )


def _texts(receipt: Receipt) -> list[str]:
    voices = DiscordRef.from_ref(receipt.ref).voice_ids
    return [message_id for message_id in receipt.message_ids if message_id not in voices]


def _without_empty(body: dict[str, Any]) -> dict[str, Any]:
    """A new message has nothing to empty."""
    return {name: value for name, value in body.items() if value or name == "content"}


def _stop(target: Target) -> list[Component]:
    return render.button_rows(buttons_of(None, target)) if target.ref.question_id else []


def _rows(reply: Reply, target: Target) -> list[Component]:
    """What stands under an answer as it stays: its buttons, or the one that opens the form for settings."""
    return render.settings_button() if target.ref.has_settings_button else render.button_rows(buttons_of(reply, target))


def buttons_of(reply: Reply | None, target: Target) -> Buttons:
    """The buttons under an answer; reply: None while it is being given."""
    return Buttons(
        target.ref.question_id,
        target.address.thread,
        actions_for(reply, CAPABILITIES, is_private=target.ref.is_ephemeral),
    )


__all__ = ["Replies"]
