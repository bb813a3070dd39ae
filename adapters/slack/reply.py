"""Answering at Slack: a status line, a native stream or edits as the budget allows, and in the end exactly the answer."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from adapters.shared import markdown
from adapters.shared.uploads import upload_name
from adapters.slack import CAPABILITIES, NAME, render
from adapters.slack.client import SlackClient
from adapters.slack.errors import CLOSED, GONE_POST, OUTSIDE, SlackError
from adapters.slack.files import Files
from adapters.slack.limiter import Reservation
from adapters.slack.mentions import escape_mentions, stable
from adapters.slack.post import Posts
from adapters.slack.ref import SlackRef
from adapters.slack.render import Buttons, Piece
from adapters.slack.target import Target, is_ts, target_of
from bot.policy.actions import actions_for
from bot.types import (
    Address,
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

START_S = 0.15
"""An answer that is whole sooner than this is posted at once."""
STREAM_PACE_S = 0.7
FIRST_EDIT_S = 1.0
EDIT_PACE_S = 3.0
"""chat.update: "no more than once every 3 seconds". Source: Slack, chat.update."""
ROTATE_AT, ROTATE_S = 9_500, 225.0
"""Begin a new stream at the next line's end beyond this size or age …"""
ROTATE_NOW_AT, ROTATE_NOW_S = 11_000, 255.0
"""… and at once beyond this: streams die at 12,000 characters and at 5 minutes. Source: slackapi/python-slack-sdk#1859."""
STATUS_AGAIN_S = 90.0
"""A status line vanishes after 2 minutes. Source: Slack, assistant.threads.setStatus."""
REFUSED_FOR_S = 600.0
MAX_FINISHED = 2_000
SHARE_S = 5.0
"""Buttons under a picture wait this long for its message."""
MAX_RESPONSES = 4
"""A response_url takes five answers; the last says where the rest is. Source: Slack, Handling user interaction."""
ELSEWHERE = "The rest of my answer is in our direct messages. To have all of it here, /invite me to this channel."
THINKING = "Thinking\u2026"
log = logging.getLogger(__name__)


@dataclass
class Segment:
    """One streamed message."""

    ts: str
    started_at: float
    size: int = 0
    """Characters shown in it."""


@dataclass
class Live:
    """An answer while it is being given."""

    target: Target
    text: str = ""
    status: str = THINKING
    shown_status: str = ""
    status_at: float = 0.0
    mode: str = ""
    """"stream", "edit", or "" while nothing is posted."""
    began_at: float = 0.0
    """When the first text came."""
    posted: list[str] = field(default_factory=list)
    """Ids of the messages, in order."""
    shown: dict[str, str] = field(default_factory=dict)
    """By id, what an edited message shows."""
    segment: Segment | None = None
    sent: int = 0
    """Characters of the text that streams have shown."""
    is_void: bool = False
    """What streams have shown is no longer the beginning of the text."""
    is_whole: bool = False
    """All of the text has come."""
    is_closed: bool = False
    """The answer as it stays is being written; nothing is shown beside it."""
    flushed_at: float = 0.0
    stop: Reservation | None = None
    edit: Reservation | None = None
    session_end: Reservation | None = None
    has_session: bool = False
    file_names: set[str] = field(default_factory=set)
    """Of uploads that an interrupted attempt made."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    flush: asyncio.Task[None] | None = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while Slack is being told."""

    def take(self, event: ReplyEvent) -> None:
        """Let the event change what should be shown."""
        match event:
            case TextDelta(text):
                self.text += text
                self.status = ""
            case TextReset():
                self.text, self.is_void = "", bool(self.sent)
            case Status(text):
                self.status = text
            case Done() | PartReady():
                pass
        self.changed.set()

    def release(self) -> None:
        """Give back what was reserved."""
        for reservation in (self.stop, self.edit, self.session_end):
            if reservation:
                reservation.release()
        self.stop = self.edit = self.session_end = None


class Replies:
    """The answers under way in this process."""

    def __init__(self, client: SlackClient, files: Files) -> None:
        self._client, self._files = client, files
        self.posts = Posts(client)
        self._boot = uuid.uuid4().hex[:12]
        self._lives: dict[str, Live] = {}
        self._finished: OrderedDict[str, Receipt] = OrderedDict()
        self._named: dict[str, None] = {}
        self._refused: dict[tuple[str, str], float] = {}
        self.writes = 0

    # --- open ---

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Nothing is posted yet, so a repeat posts nothing twice."""
        receipt = self._receipt(turn)
        live = self._lives[turn.id] = Live(target_of(receipt), posted=list(_own_ids(receipt)))
        live.mode = "edit" if live.posted else ""
        self._finished.pop(turn.id, None)
        opening = [self._show_status(live)]
        if live.target.is_direct:
            opening.append(self._begin_session(live, " ".join(turn.inbound.text.split())[:100]))
        await asyncio.gather(*opening)
        ref = replace(live.target.ref, has_session=live.has_session)
        return replace(receipt, ref=ref.to_ref())

    def _receipt(self, turn: Turn) -> Receipt:
        inbound, now = turn.inbound, self._client.host.clock.now()
        sent_at = inbound.sent_at.timestamp() or now.timestamp() - 60
        spec = self._client.host.commands.get(inbound.name) if isinstance(inbound, Command) else None
        is_private = spec is not None and spec.is_private
        ref = replace(
            SlackRef.from_ref(inbound.ref),
            team=inbound.address.workspace,
            question_id=inbound.message_id,
            since_ts=inbound.message_id if is_ts(inbound.message_id) else f"{sent_at:.6f}",
            boot=self._boot,
            is_ephemeral=inbound.ephemeral or is_private,
            is_private=is_private,
        )
        if turn.receipt is None:
            return Receipt(inbound.address, turn.id, (), ref.to_ref())
        before = SlackRef.from_ref(turn.receipt.ref)
        ref = replace(ref, is_revised=True, file_ids=before.file_ids, controls_ts=before.controls_ts)
        return replace(turn.receipt, turn_id=turn.id, ref=ref.to_ref())

    async def _begin_session(self, live: Live, title: str = "") -> None:
        """Slack shows a Stop button while a thread's session is "processing", in channels as in the agent panel.

        Source: Slack, Agent sessions. None is begun that could not be ended in this minute.
        """
        target = live.target
        if not target.thread or target.ref.is_ephemeral or live.has_session:
            return
        if self._is_refused(live, "session"):
            await self._name_thread(live, title)
            return
        live.session_end = self._client.limiter.reserve(target.scope.team, "agents.sessions.setStatus")
        if live.session_end is None:
            return
        try:
            answer = await self._client.try_call(
                target.scope,
                "agents.sessions.setStatus",
                channel_id=target.channel,
                thread_ts=target.thread,
                status="processing",
                title=title or None,
                initiator_user_id=target.ref.user_id or None,
            )
        except SlackError as error:
            live.release()
            self._refuse(live, "session", error)
            await self._name_thread(live, title)
            return
        live.has_session = answer is not None

    async def _name_thread(self, live: Live, title: str | None) -> None:
        """In the older assistant view a thread is named after its first question."""
        target = live.target
        key = f"{target.channel}/{target.thread}"
        if not title or not target.is_direct or key in self._named:
            return
        self._named[key] = None
        while len(self._named) > MAX_FINISHED:
            del self._named[next(iter(self._named))]
        with suppress(SlackError):
            await self._client.try_call(
                target.scope,
                "assistant.threads.setTitle",
                channel_id=target.channel,
                thread_ts=target.thread,
                title=title or None,
            )

    # --- show ---

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, at a pace that Slack bears."""
        live, is_anew = await self._live(receipt), False
        live.is_closed = False
        async with self._pumping(live):
            async for event in events:
                if isinstance(event, TextDelta) and not is_anew:
                    is_anew = True
                    if live.text:  # the answer is being given again
                        live.take(TextReset())
                live.take(event)
            live.is_whole = is_anew

    async def _live(self, receipt: Receipt) -> Live:
        """The answer's state; after a crash it is read off the thread."""
        if receipt.turn_id in self._lives:
            return self._lives[receipt.turn_id]
        live = Live(
            target_of(receipt), posted=list(_own_ids(receipt)), has_session=SlackRef.from_ref(receipt.ref).has_session
        )
        self._lives[receipt.turn_id] = live
        if receipt.ref.get("boot") != self._boot and not live.target.ref.is_ephemeral:
            found = await self.posts.look_up(live.target)
            live.posted = list(dict.fromkeys([*live.posted, *found.messages]))
            live.file_names = found.file_names
            for ts in found.streaming:
                await self.posts.end_stream(live.target, ts)
        live.mode = "edit" if live.posted else ""
        return live

    @asynccontextmanager
    async def _pumping(self, live: Live) -> AsyncIterator[None]:
        """While open, what changes is shown; at the end what is left is, if it may be."""
        pump = asyncio.create_task(self._pump(live))
        try:
            yield
        finally:
            pump.cancel()
            under_way = [pump, live.flush] if live.flush else [pump]
            await asyncio.gather(*under_way, return_exceptions=True)
        await self._flush(live)
        live.is_whole = False

    async def _pump(self, live: Live) -> None:
        clock = self._client.host.clock
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(STATUS_AGAIN_S):
                    await live.changed.wait()
            live.changed.clear()
            if live.text and not live.began_at:
                live.began_at = clock.monotonic()
                await clock.sleep(START_S)
            live.flush = asyncio.create_task(self._flush(live))
            await asyncio.shield(live.flush)  # half a call would leave a message that nobody knows of
            await clock.sleep(0.1 if not live.posted else STREAM_PACE_S)

    async def _flush(self, live: Live) -> None:
        """Bring what is shown nearer to what should be; trouble here is no reason to lose the answer."""
        async with live.writing:
            if live.is_closed:
                return
            try:
                if live.text and not live.target.ref.is_ephemeral:
                    await self._show_text(live)
                await self._show_status(live)
            except SlackError as error:
                log.info("showing an answer at Slack: %s", error.detail or error.text)
                if live.mode == "stream":
                    self._leave_stream(live)

    async def _show_status(self, live: Live) -> None:
        target, now = live.target, self._client.host.clock.monotonic()
        if not live.status or (live.status == live.shown_status and now - live.status_at < STATUS_AGAIN_S):
            return
        if target.thread and not self._is_refused(live, "status"):
            try:
                answer = await self._set_status(target, _as_status(live.status))
            except SlackError as error:
                self._refuse(live, "status", error)
            else:
                if answer is not None:
                    live.shown_status, live.status_at = live.status, now
                return
        if live.status != THINKING and not target.ref.is_ephemeral and not live.text:
            await self._edit(live, f"_{live.status}_")
            live.shown_status, live.status_at = live.status, now

    async def _set_status(self, target: Target, text: str) -> object | None:
        return await self._client.try_call(
            target.scope, "assistant.threads.setStatus", channel_id=target.channel, thread_ts=target.thread, status=text
        )

    async def _show_text(self, live: Live) -> None:
        posted = len(live.posted)
        if live.mode == "":
            if live.is_whole:
                return  # the end follows at once, and posts it
            await self._begin(live)
        elif live.mode == "stream":
            await self._stream(live)
        else:
            await self._edit(live, live.text)
        if len(live.posted) > posted:
            live.shown_status = ""  # a new message takes the status line away

    async def _begin(self, live: Live) -> None:
        """Stream where Slack and the budget allow; else post and edit; else wait for the whole."""
        target, limiter = live.target, self._client.limiter
        if target.thread and target.ref.user_id and not self._is_refused(live, "stream"):
            live.stop = live.stop or limiter.reserve(target.scope.team, "chat.stopStream")
            if live.stop and await self._start_segment(live):
                live.mode = "stream"
                await self._begin_session(live)  # the end of the stream ends it, at no further call
                return
        if live.stop:
            live.stop.release()
            live.stop = None
        await self._edit(live, live.text)

    # --- native streams ---

    async def _start_segment(self, live: Live) -> bool:
        """Begin a streamed message with what is not shown yet; False when that may not be done now."""
        target = live.target
        shown = self._presentable(live)
        added = _within(shown[live.sent :], ROTATE_NOW_AT)
        if not added.strip():
            return False
        fence = markdown.open_fence(shown[: live.sent])
        head = f"{fence}\n" if fence else ""
        try:
            answer = await self._client.try_call(
                target.scope,
                "chat.startStream",
                channel=target.channel,
                thread_ts=target.thread,
                recipient_team_id=None if target.is_direct else target.recipient_team,
                recipient_user_id=None if target.is_direct else target.ref.user_id,
                chunks=[{"type": "markdown_text", "text": head + added}],
            )
        except SlackError as error:
            self._refuse(live, "stream", error)
            return False
        if answer is None:
            return False
        self.writes += 1
        ts = str(answer["ts"])
        live.segment = Segment(ts, self._client.host.clock.monotonic(), len(head) + len(added))
        live.posted.append(ts)
        live.sent += len(added)
        return True

    async def _stream(self, live: Live) -> None:
        """Append what is new; begin another message before this one dies."""
        if live.is_void:
            return
        segment = live.segment
        if segment is None:
            await self._start_segment(live)
            return
        shown = self._presentable(live)
        added = shown[live.sent :]
        age = self._client.host.clock.monotonic() - segment.started_at
        if segment.size + len(added) > ROTATE_AT or age > ROTATE_S:
            await self._rotate(live, segment, added, age)
        elif added:
            await self._append(live, segment, added)

    async def _append(self, live: Live, segment: Segment, added: str) -> None:
        target = live.target
        answer = await self._client.try_call(
            target.scope,
            "chat.appendStream",
            channel=target.channel,
            ts=segment.ts,
            chunks=[{"type": "markdown_text", "text": added}],
        )
        if answer is not None:
            self.writes += 1
            segment.size += len(added)
            live.sent += len(added)

    async def _rotate(self, live: Live, segment: Segment, added: str, age: float) -> None:
        room = max(ROTATE_NOW_AT - segment.size, 0)
        closing = added[: added[:room].rfind("\n") + 1]
        is_urgent = segment.size + len(added) > ROTATE_NOW_AT or age > ROTATE_NOW_S
        words = added[: added[:room].rfind(" ") + 1]
        if not closing and not is_urgent:
            if words:
                await self._append(live, segment, words)
            return
        closing = closing or words or (added[:room] if segment.size < ROTATE_AT else "")
        live.sent += len(closing)
        await self._stop_segment(live, segment, _closed(self._presentable(live)[: live.sent], closing), [])
        live.stop = self._client.limiter.reserve(live.target.scope.team, "chat.stopStream")
        if not live.stop or not await self._start_segment(live):
            log.debug("the next stream has to wait")

    async def _stop_segment(
        self, live: Live, segment: Segment, added: str, blocks: list[render.Block], session_status: str | None = None
    ) -> None:
        target = live.target
        live.segment = None
        if live.stop:
            live.stop.release()
            live.stop = None
        self.writes += 1
        await self._client.call(
            target.scope,
            "chat.stopStream",
            channel=target.channel,
            ts=segment.ts,
            chunks=[{"type": "markdown_text", "text": added}] if added else None,
            blocks=blocks or None,
            metadata=self.posts.metadata(target, live.posted.index(segment.ts)),
            session_status=session_status,
        )

    def _presentable(self, live: Live) -> str:
        """The text so far, as far as it will stay as it is."""
        allowed = live.target.allowed
        return stable(escape_mentions(stable(live.text, allowed), allowed).lstrip())

    def _leave_stream(self, live: Live) -> None:
        """The stream died: from here on its message is edited."""
        live.mode, live.segment = "edit", None
        if live.stop:
            live.stop.release()
            live.stop = None

    # --- edits ---

    async def _edit(self, live: Live, text: str) -> None:
        """Bring the posted messages nearer to the text, if the budget allows."""
        target, now = live.target, self._client.host.clock.monotonic()
        if live.is_void or (live.posted and now - live.flushed_at < EDIT_PACE_S):
            return
        if not live.posted and live.began_at and now - live.began_at < FIRST_EDIT_S:
            return
        live.edit = live.edit or self._client.limiter.reserve(target.scope.team, "chat.update")
        if live.edit is None:
            return
        live.mode, live.flushed_at = "edit", now
        stop = render.button_blocks(buttons_of(None, target)) if target.ref.question_id else []
        pieces = list(render.rendered(text, target.allowed).pieces)
        if pieces:
            last = pieces[-1]
            pieces[-1] = Piece((*last.blocks, *stop), last.text, last.markdown)
        for part, piece in enumerate(pieces):
            await self._edit_one(live, part, piece)

    async def _edit_one(self, live: Live, part: int, piece: Piece) -> None:
        target = live.target
        if part >= len(live.posted):
            if part == len(live.posted) and (ts := await self.posts.try_post(target, piece, part)):
                self.writes += 1
                live.posted.append(ts)
                live.shown[ts] = piece.markdown
            return
        ts = live.posted[part]
        if live.shown.get(ts) == piece.markdown:
            return
        args = {"channel": target.channel, "ts": ts, "text": piece.text, "blocks": list(piece.blocks)}
        if await self._client.try_call(target.scope, "chat.update", **args, metadata=self.posts.metadata(target, part)):
            self.writes += 1
            live.shown[ts] = piece.markdown

    # --- finish ---

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply; repeated, it changes nothing more. Raises SlackError."""
        if receipt.turn_id in self._finished:
            return self._finished[receipt.turn_id]
        live = await self._live(receipt)
        async with live.writing:
            done = await self._finish(live, receipt, reply)
        self._lives.pop(receipt.turn_id, None)
        self._finished[receipt.turn_id] = done
        if len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)
        return done

    async def _finish(self, live: Live, receipt: Receipt, reply: Reply) -> Receipt:
        live.is_closed = True
        live.release()
        try:
            if live.target.ref.is_ephemeral:
                return await self._finish_ephemeral(live, receipt, reply)
            return await self._finish_open(live, receipt, reply)
        finally:
            live.release()
            await self._quieten(live)

    async def _finish_open(self, live: Live, receipt: Receipt, reply: Reply) -> Receipt:
        if reply.stopped and await self.posts.is_question_deleted(live.target):
            return await self._withdraw(live, receipt)
        has_pictures = any(isinstance(part, Image) for part in reply.parts)
        buttons = None if has_pictures else buttons_of(reply, live.target)
        whole = render.rendered(reply.text, live.target.allowed, reply.notices, buttons)
        await self._take_back(live, receipt)
        try:
            await self._leave(live, reply, whole, buttons)
            file_ids = await self._upload(live, reply, whole)
        except SlackError as error:
            if not await self._finish_elsewhere(live, reply, error):
                raise
            return receipt
        if has_pictures:
            await self._await_shares(live, file_ids)
        controls = await self._controls(live, reply) if has_pictures else ""
        ref = replace(SlackRef.from_ref(receipt.ref), file_ids=tuple(file_ids), controls_ts=controls)
        ids = (*live.posted, controls) if controls else tuple(live.posted)
        return replace(receipt, message_ids=ids, ref=ref.to_ref())

    async def _withdraw(self, live: Live, receipt: Receipt) -> Receipt:
        """The question is gone: what was said of an answer goes too."""
        await self._take_back(live, receipt)
        await self._write(live, render.Rendered(()))
        return replace(receipt, message_ids=())

    async def _finish_elsewhere(self, live: Live, reply: Reply, error: SlackError) -> bool:
        """Where we may not write: by the response_url if there is one, else to the asker alone. False when neither helps."""
        target = live.target
        whole = render.rendered(reply.text, target.allowed, reply.notices)
        if error.slack_code in OUTSIDE and target.ref.response_url:
            await self._finish_outside(live, reply, whole)
            return True
        if error.slack_code not in (*OUTSIDE, *CLOSED) or target.is_direct or not target.ref.user_id:
            return False
        log.info("an answer for %s goes to the asker alone: %s", target.channel, error.slack_code)
        why = f"{error.text} So here is my answer to what you asked there."
        await self._send_privately(live, reply, whole, (Piece((), why, why), *whole.pieces))
        return True

    async def _finish_outside(self, live: Live, reply: Reply, whole: render.Rendered) -> None:
        """By the response_url, which takes five answers; files and what is left go to the asker's direct messages."""
        for piece in whole.pieces[:MAX_RESPONSES]:
            await self.posts.respond(live.target, piece)
        rest = whole.pieces[MAX_RESPONSES:]
        if await self._send_privately(live, reply, whole, rest):
            piece = Piece((), ELSEWHERE, ELSEWHERE)
            await self.posts.respond(live.target.for_asker_alone(), piece)

    async def _await_shares(self, live: Live, file_ids: Sequence[str]) -> None:
        """Slack shares files after its answer: wait, not for ever, so that what is posted next stands below them."""
        clock = self._client.host.clock
        until, pause_s = clock.monotonic() + SHARE_S, 0.1
        for file_id in file_ids:
            while not await self._shares(live, file_id) and clock.monotonic() + pause_s < until:
                await clock.sleep(pause_s)
                pause_s = min(pause_s * 1.6, 1.0)

    async def _shares(self, live: Live, file_id: str) -> Sequence[str]:
        try:
            return await self._files.shares(live.target, file_id)
        except SlackError as error:
            log.info("where a file was shared at Slack: %s", error.detail or error.text)
            return ()

    async def _controls(self, live: Live, reply: Reply) -> str:
        """The message with the buttons that stand under pictures; gives its id."""
        below = buttons_of(reply, live.target)
        if not below.actions:
            return ""
        piece = Piece(tuple(render.button_blocks(below)), "Picture")
        return await self.posts.post(live.target, piece, CONTROLS)

    async def _take_back(self, live: Live, receipt: Receipt) -> None:
        """A revised answer's earlier pictures and their buttons go."""
        ref = SlackRef.from_ref(receipt.ref)
        if not ref.is_revised:
            return
        if ref.controls_ts:
            await self.posts.delete(live.target, ref.controls_ts)
        for file_id in ref.file_ids:
            for ts in await self._shares(live, file_id):  # else "This file was deleted." stays
                await self.posts.delete(live.target, ts)
            with suppress(SlackError):
                await self._client.call(live.target.scope, "files.delete", file=file_id)

    async def _leave(self, live: Live, reply: Reply, whole: render.Rendered, buttons: Buttons | None) -> None:
        """The text as it stays: the stream is ended where it shows the same, else the messages are written anew."""
        if live.mode == "stream" and self._is_streamed(live, reply, whole):
            try:
                await self._end_streams(live, reply, buttons)
                return
            except SlackError as error:
                log.info("a stream at Slack ended early: %s", error.detail or error.text)
        await self._write(live, whole)

    def _is_streamed(self, live: Live, reply: Reply, whole: render.Rendered) -> bool:
        """Whether what streams have shown is the beginning of what is to stay."""
        if live.is_void or whole.files or markdown.has_table(reply.text):
            return False
        final = escape_mentions(reply.text, live.target.allowed).lstrip()
        shown = self._presentable(live)[: live.sent]
        if not final.startswith(shown.rstrip()):
            return False
        return live.segment is None or live.segment.size + len(final) - live.sent <= ROTATE_NOW_AT + 500

    async def _end_streams(self, live: Live, reply: Reply, buttons: Buttons | None) -> None:
        final = escape_mentions(reply.text, live.target.allowed).lstrip()
        rest = final[live.sent :]
        foot = render.foot_blocks(reply.notices, buttons)
        if live.segment is None:
            fence = markdown.open_fence(final[: live.sent])
            text = f"{fence}\n{rest}" if fence else rest
            pieces = render.rendered(text, live.target.allowed, reply.notices, buttons).pieces
            for piece in pieces:
                live.posted.append(await self.posts.post(live.target, piece, len(live.posted)))
            return
        status = "active" if live.has_session else None
        await self._stop_segment(live, live.segment, _closed(final, rest), foot, status)
        live.has_session = False

    async def _write(self, live: Live, whole: render.Rendered) -> None:
        if live.segment:
            await self._stop_quietly(live, live.segment)
        target = live.target
        for part, piece in enumerate(whole.pieces):
            self.writes += 1
            if part < len(live.posted):
                live.posted[part] = await self.posts.update(target, live.posted[part], piece, part)
            else:
                live.posted.append(await self.posts.post(target, piece, part))
        for ts in live.posted[len(whole.pieces) :]:
            await self.posts.delete(target, ts)
        del live.posted[len(whole.pieces) :]

    async def _stop_quietly(self, live: Live, segment: Segment) -> None:
        try:
            await self._stop_segment(live, segment, "", [])
        except SlackError as error:
            log.info("a stream at Slack had ended already: %s", error.detail or error.text)

    async def _finish_ephemeral(self, live: Live, receipt: Receipt, reply: Reply) -> Receipt:
        whole = render.rendered(reply.text, live.target.allowed, reply.notices)
        for piece in whole.pieces:
            await self.posts.ephemeral(live.target, piece)
        await self._send_privately(live, reply, whole)
        return receipt

    async def _send_privately(
        self, live: Live, reply: Reply, whole: render.Rendered, pieces: Sequence[Piece] = ()
    ) -> bool:
        """Files, which Slack never shows to one person alone, and these pieces by direct message; False when there is nothing."""
        has_files = bool(whole.files) or any(isinstance(part, Image | Audio | File) for part in reply.parts)
        if not has_files and not pieces:
            return False
        opened = await self._client.call(live.target.scope, "conversations.open", users=live.target.ref.user_id)
        channel = str((opened.get("channel") or {}).get("id") or "")
        private = replace(live, target=replace(live.target, channel=channel, thread=""))
        for part, piece in enumerate(pieces):
            await self.posts.post(private.target, piece, part)
        await self._upload(private, reply, whole)
        return True

    async def _upload(self, live: Live, reply: Reply, whole: render.Rendered) -> list[str]:
        """Pictures, speech, files and long code into the thread; gives the files' ids."""
        blobs = self._client.host.blobs(_address(live.target))
        ids: list[str] = []
        for part in reply.parts:
            if isinstance(part, Image | Audio | File):
                name = upload_name(part)
                if name not in live.file_names:
                    data = await blobs.read(part.blob)
                    alt = (part.description or part.text)[:900] if isinstance(part, Image) else ""
                    ids.append(await self._files.upload(live.target, name, data, title=_title(part), alt=alt))
        for code in whole.files:
            if code.name not in live.file_names:
                ids.append(await self._files.upload(live.target, code.name, code.text.encode(), title=code.name))
        return ids

    async def _quieten(self, live: Live) -> None:
        """No status line and no running session outlives the answer."""
        target = live.target
        try:
            if (
                target.thread
                and not self._is_refused(live, "status")
                and (target.ref.is_ephemeral or not live.posted or live.shown_status)
            ):
                await self._client.call(
                    target.scope,
                    "assistant.threads.setStatus",
                    channel_id=target.channel,
                    thread_ts=target.thread,
                    status="",
                )
            if live.has_session:
                await self._client.call(
                    target.scope,
                    "agents.sessions.setStatus",
                    channel_id=target.channel,
                    thread_ts=target.thread,
                    status="active",
                )
        except SlackError as error:
            log.info("tidying up after an answer at Slack: %s", error.detail or error.text)

    # --- what Slack refused lately ---

    def _refuse(self, live: Live, what: str, error: SlackError) -> None:
        """Do without it there for a while."""
        log.info("Slack does without %s in %s: %s", what, live.target.channel, error.slack_code)
        is_everywhere = what == "session" and error.slack_code not in (*OUTSIDE, *CLOSED, *GONE_POST)
        key = (f"{live.target.scope.team}/{what}", "" if is_everywhere else live.target.channel)
        self._refused[key] = self._client.host.clock.monotonic() + REFUSED_FOR_S

    def _is_refused(self, live: Live, what: str) -> bool:
        now = self._client.host.clock.monotonic()
        keys = [(f"{live.target.scope.team}/{what}", channel) for channel in ("", live.target.channel)]
        return any(self._refused.get(key, 0) > now for key in keys)


CONTROLS = 1_000
"""The mark of the message that holds the buttons under pictures."""


def _own_ids(receipt: Receipt) -> tuple[str, ...]:
    controls = SlackRef.from_ref(receipt.ref).controls_ts
    return tuple(ts for ts in receipt.message_ids if ts != controls)


def _address(target: Target) -> Address:
    return Address(NAME, target.scope.team, target.channel, target.thread)


def buttons_of(reply: Reply | None, target: Target) -> Buttons:
    """The buttons under an answer; reply: None while it is being given."""
    is_private = target.ref.is_private or target.ref.is_ephemeral
    return Buttons(target.ref.question_id, actions_for(reply, CAPABILITIES, is_private=is_private))


def _title(part: Image | Audio | File) -> str:
    if isinstance(part, Image):
        return (part.description or "Picture")[:120]
    return "Spoken answer" if isinstance(part, Audio) else part.name or "File"


def _as_status(text: str) -> str:
    """Slack puts the app's name before it."""
    return f"is {text[:1].lower()}{text[1:]}"[:240]


def _within(text: str, limit: int) -> str:
    """As much as fits, up to a line's or word's end where there is one."""
    if len(text) <= limit:
        return text
    at = max(text.rfind("\n", 0, limit), 0) or text.rfind(" ", 0, limit)
    return text[: at + 1] if at > 0 else text[:limit]


def _closed(whole: str, end: str) -> str:
    """The end of a text, with the code block closed in which the whole of it ends."""
    return end + markdown.closing_fence(whole)
