"""What is shown of one reply at Slack, and what to do next. Pure: no clock, no network, no rate limiter.

How a reply comes to be seen
----------------------------

Slack has three ways to show that a reply grows: a status line under the thread, a native stream (`chat.startStream`,
`appendStream`, `stopStream`), and a message that is edited (`chat.postMessage`, `chat.update`). None of them is always there:
status lines and streams need a thread, a workspace may refuse either, and each has a budget of calls a minute. So a reply is in
one of four phases:

    Waiting ----- words, and a stream may begin -----> Streaming
       |                                                  |  the stream died
       |--------- words or a status, by an edit -----> Editing
       |                                                  |
       +------------------ the reply is finished -------> Closed <--- from Streaming and Editing

- *Waiting*: nothing is posted. Words are held back for `start_s`: a reply that is whole by then is posted at once, by its end.
- *Streaming*: the words are in one or several streamed messages, the *segments*. A stream dies at 12,000 characters and at five
  minutes, so a segment is ended in time, if possible where a line ends, and the next one begins with what is not shown yet. A code
  block that is cut in two is closed in the one and opened again in the other. Between two segments there may be none for a while.
- *Editing*: each piece of the text is a message, and messages are edited at Slack's pace for that.
- *Closed*: the reply as it stays is being written; nothing is shown beside it.

Slack previews the links of a stream and cannot be told not to, so an address is plain text in it, and the end writes the messages
anew as for a text that started over.

A stream can only be added to. What was streamed is *void* once the text starts over: nothing more is streamed then, and the end
writes the messages anew.

How this class is used
----------------------

`begin`, `on_event` and `on_end` tell what comes from the model. Whoever runs the plan asks in rounds: `next_action(now, allowed)`
until it is None, and tells the result of each action by `on_done` or `on_refused` (Slack said no); an action that had to wait, as
the budget is used up or Slack is busy, changes nothing. `allowed` says which ways Slack takes there at all, and which were tried in
this round: each way is tried once a round, so that a round ends, and so that what one way cannot do now another one does.

At the end `close` stops the showing, and `last_of_stream` or else `rewrite` say how the messages come to hold exactly the reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from adapters.shared import markdown
from adapters.shared.live import LiveText
from adapters.shared.rendering import INLINE
from adapters.slack import render
from adapters.slack.previews import has_links
from adapters.slack.render import Block, Buttons, Piece, Rendered
from adapters.slack.reply.actions import (
    Allowed,
    Append,
    Delete,
    Edit,
    Ending,
    Post,
    SetStatus,
    Showing,
    StartStream,
    StopStream,
    Update,
)
from adapters.slack.reply.limits import DEFAULT_LIMITS, ReplyLimits
from adapters.slack.reply.presentable import Presentable
from bot.types import Reply, ReplyEvent, TextDelta, TextReset

THINKING = "Thinking\u2026"
"""The status before anything is known; where Slack has no status line it is not worth a message."""


class Phase(Enum):
    """How the reply is shown; the module's docstring tells more."""

    WAITING = "waiting"
    STREAMING = "streaming"
    EDITING = "editing"
    CLOSED = "closed"


@dataclass
class Segment:
    """One streamed message that is still open."""

    ts: str
    started_at: float
    size: int
    """Characters in it."""


class Plan:
    """The state of one reply."""

    def __init__(
        self,
        allowed_mentions: Mapping[str, str] | None = None,
        posted: Sequence[str] = (),
        stop_button: Sequence[Block] = (),
        limits: ReplyLimits = DEFAULT_LIMITS,
        max_inline: int = INLINE,
        home: Sequence[str] = (),
    ) -> None:
        """allowed_mentions: ids of those whom the reply may ping, with their names where known.

        posted: the messages that it has already. stop_button: stands under a message that grows by edits. home: as of
        `render.rendered`.

        max_inline: characters of a text that is rendered here; a longer one is rendered elsewhere, see `unrendered`.
        """
        self._home, self._max_inline = home, max_inline
        self._rendered: tuple[str, tuple[Piece, ...]] = ("", ())
        """The latest long text that was rendered, and its messages."""
        self._allowed, self._stop_button, self._limits = allowed_mentions or {}, tuple(stop_button), limits
        self.posted = list(posted)
        """Ids of its messages, in order."""
        self.phase = Phase.EDITING if self.posted else Phase.WAITING
        self.shown_status = ""
        self._live = LiveText(status=THINKING)
        self._presentable_part = Presentable(self._allowed)
        self._began_at: float | None = None
        """When the first words came."""
        self._is_anew = False
        """Words came since `begin`."""
        self._is_whole = False
        """All words have come."""
        self._segment: Segment | None = None
        self._sent = 0
        """Characters of the text that streams have shown."""
        self._is_void = False
        """What streams have shown is no longer the beginning of the text."""
        self._is_stream_alive = False
        """The reply was streaming when it was closed."""
        self._edited: dict[str, str] = {}
        """By id, the Markdown that an edited message shows."""
        self._edited_at = self._status_at = 0.0

    # --- what comes in ---

    def begin(self) -> None:
        """Events follow; words among them are the reply given (again) from its beginning."""
        self._is_anew = self._is_whole = False
        if self.phase is Phase.CLOSED:
            self.phase = Phase.EDITING if self.posted else Phase.WAITING

    def on_event(self, event: ReplyEvent, now: float) -> bool:
        """Take an event; True when something else should be shown."""
        if isinstance(event, TextDelta) and not self._is_anew:
            self._is_anew = True
            if self._live.words:
                self._take(TextReset())
        is_new = self._take(event)
        if self._live.words and self._began_at is None:
            self._began_at = now
        return is_new

    def _take(self, event: ReplyEvent) -> bool:
        resets = self._live.resets
        is_new = self._live.take(event)
        if self._live.resets > resets:
            self._presentable_part = Presentable(self._allowed)
        self._is_void = self._is_void or bool(self._sent and self._live.resets > resets)
        return is_new

    def on_end(self) -> None:
        """No more events follow."""
        self._is_whole = self._is_anew

    # --- what to do next ---

    def start_in_s(self, now: float) -> float:
        """Seconds for which the first words are still held back."""
        if self.phase is not Phase.WAITING or self._began_at is None:
            return 0.0
        return max(self._began_at + self._limits.start_s - now, 0.0)

    @property
    def pause_s(self) -> float:
        """Seconds between two rounds."""
        return self._limits.stream_pace_s if self.posted else self._limits.first_pause_s

    def next_action(self, now: float, allowed: Allowed) -> Showing | None:
        """What brings the shown nearer to the text; None when there is nothing to do, or nothing that may be done now."""
        if self.phase is Phase.CLOSED:
            return None
        return self._text_action(now, allowed) or self._status_action(now, allowed)

    def _text_action(self, now: float, allowed: Allowed) -> Showing | None:
        if not self._live.words:
            return None
        match self.phase:
            case Phase.STREAMING:
                return self._stream(now) if allowed.permits("stream") and not self._is_void else None
            case Phase.WAITING if self._is_whole or self.start_in_s(now):
                return None  # the end follows at once, and posts it
            case Phase.WAITING if allowed.permits("stream") and (start := self._start()):
                return start
        return self._edit(self._live.text, now, allowed)

    def _status_action(self, now: float, allowed: Allowed) -> Showing | None:
        status, again_s = self._live.status, self._limits.status_again_s
        if not status or (status == self.shown_status and now - self._status_at < again_s):
            return None
        if "status" in allowed.ways:
            return SetStatus(status) if allowed.permits("status") else None
        if status == THINKING or self._live.words or self.phase is Phase.STREAMING:
            return None
        return self._edit(f"_{status}_", now, allowed, status)

    # --- streams ---

    @property
    def has_open_stream(self) -> bool:
        """Whether a stream was begun that has to be ended."""
        return self._segment is not None

    @property
    def _presentable(self) -> str:
        """The text so far, as far as it will stay as it is; addresses in it are no links yet."""
        return self._presentable_part.of(self._live.text)

    def _start(self) -> StartStream | None:
        """A streamed message of what is not shown yet; None when that is nothing."""
        shown = self._presentable
        added = _fitting(shown[self._sent :], self._limits.rotate_now_at)
        if not added.strip():
            return None
        fence = markdown.open_fence(shown[: self._sent])
        return StartStream(f"{fence}\n{added}" if fence else added, len(added))

    def _stream(self, now: float) -> Showing | None:
        """Add what is new; end this message before it dies."""
        if self._segment is None:
            return self._start()
        added = self._presentable[self._sent :]
        age = now - self._segment.started_at
        if self._segment.size + len(added) > self._limits.rotate_at or age > self._limits.rotate_s:
            return self._rotate(self._segment, added, age)
        return Append(self._segment.ts, added) if added else None

    def _rotate(self, segment: Segment, added: str, age: float) -> Showing | None:
        """End the segment where a line ends; where none does, wait for one, but not for ever."""
        limits = self._limits
        room = max(limits.rotate_now_at - segment.size, 0)
        lines, words = (added[: added[:room].rfind(sign) + 1] for sign in ("\n", " "))
        is_urgent = segment.size + len(added) > limits.rotate_now_at or age > limits.rotate_now_s
        if not lines and not is_urgent:
            return Append(segment.ts, words) if words else None
        closing = lines or words or (added[:room] if segment.size < limits.rotate_at else "")
        fence = markdown.closing_fence(self._presentable[: self._sent + len(closing)])
        return StopStream(segment.ts, self.posted.index(segment.ts), closing + fence, len(closing))

    # --- edits ---

    def _edit(self, text: str, now: float, allowed: Allowed, status: str = "") -> Edit | None:
        if not allowed.permits("edit") or not self._is_edit_due(now):
            return None
        pieces = list(self._pieces(text))
        if pieces:
            last = pieces[-1]
            pieces[-1] = Piece((*last.blocks, *self._stop_button), last.text, last.markdown)
        writes = tuple(write for write in self._writes(pieces) if not self._is_shown(write))
        return Edit(writes, status) if writes else None

    def _is_edit_due(self, now: float) -> bool:
        if self.posted:
            return now - self._edited_at >= self._limits.edit_pace_s
        return self._began_at is None or now - self._began_at >= self._limits.first_edit_s

    def _pieces(self, text: str) -> tuple[Piece, ...]:
        if len(text) <= self._max_inline:
            return render.rendered(text, self._allowed, home=self._home).pieces
        return self._rendered[1]

    def unrendered(self, now: float, allowed: Allowed) -> str:
        """The newest text, if it is long, an edit would show it now, and its messages are not known; else empty."""
        is_long = len(self._live.words) > self._max_inline
        if not is_long or self.phase in (Phase.STREAMING, Phase.CLOSED) or not self._is_edit_due(now):
            return ""
        if self.phase is Phase.WAITING and allowed.permits("stream"):
            return ""
        return self._live.text if self._rendered[0] != self._live.text else ""

    def on_rendered(self, text: str, pieces: tuple[Piece, ...]) -> None:
        """What a long text is made of. More of it may have come meanwhile: until that is rendered too, these are shown."""
        self._rendered = (text, pieces)

    def _writes(self, pieces: Sequence[Piece]) -> list[Post | Update]:
        return [
            Update(part, piece, self.posted[part]) if part < len(self.posted) else Post(part, piece)
            for part, piece in enumerate(pieces)
        ]

    def _is_shown(self, write: Post | Update) -> bool:
        return isinstance(write, Update) and self._edited.get(write.ts) == write.piece.markdown

    # --- results ---

    def on_done(self, action: Showing | Ending, now: float, ts: str = "") -> None:
        """The action was carried out. ts: of the message that it began or wrote."""
        match action:
            case SetStatus(text):
                self.shown_status, self._status_at = text, now
            case StartStream(text, taken):
                self.phase, self._segment = Phase.STREAMING, Segment(ts, now, len(text))
                self._sent += taken
                self._on_posted(ts)
            case Append(_, text) if self._segment:
                self._segment.size += len(text)
                self._sent += len(text)
            case StopStream():
                self._segment = None
                self._sent += action.taken
            case Post(_, piece):
                self._edited[ts] = piece.markdown
                self._on_posted(ts)
            case Update(part, piece):
                self._edited[ts] = piece.markdown
                self.posted[part] = ts
            case Delete():
                self.posted.remove(action.ts)
            case Edit():
                self._on_edited(action, now)

    def _on_posted(self, ts: str) -> None:
        self.posted.append(ts)
        self.shown_status = ""  # a new message takes the status line away

    def _on_edited(self, edit: Edit, now: float) -> None:
        """The writes of the edit that could be done were told before."""
        self._edited_at = now
        if self.posted and self.phase is Phase.WAITING:
            self.phase = Phase.EDITING
        if edit.status:
            self.shown_status, self._status_at = edit.status, now

    def on_refused(self, action: Showing | Ending, now: float) -> None:
        """Slack said no. A stream that takes no more has died: from here on its message is edited."""
        match action:
            case Append() | StopStream():
                self._segment, self._is_stream_alive = None, False
                if self.phase is Phase.STREAMING:
                    self.phase = Phase.EDITING
            case Edit():
                self._on_edited(action, now)

    # --- the end ---

    def close(self) -> None:
        """Show nothing more."""
        self._is_stream_alive = self.phase is Phase.STREAMING
        self.phase = Phase.CLOSED

    def last_of_stream(self, reply: Reply, whole: Rendered, buttons: Buttons | None) -> tuple[Ending, ...] | None:
        """What ends the streams so that they hold exactly the reply; None where they cannot.

        whole: the reply as messages, to which `rewrite` would lead.
        """
        final = whole.escaped.lstrip()
        if not self._is_stream_alive or self._is_void or whole.files or whole.has_table:
            return None
        if has_links(final):  # they become links by an edit, which brings no preview
            return None
        if not final.startswith(self._presentable[: self._sent].rstrip()):
            return None
        rest = final[self._sent :]
        if self._segment is None:
            if len(rest) > self._max_inline:
                return None
            return self._posts_of_rest(final, rest, reply, buttons)
        if self._segment.size + len(rest) > self._limits.rotate_now_at + self._limits.end_room:
            return None
        foot = tuple(render.foot_blocks(reply.notices, buttons))
        ts, text = self._segment.ts, rest + markdown.closing_fence(final)
        return (StopStream(ts, self.posted.index(ts), text, len(rest), foot, is_last=True),)

    def _posts_of_rest(self, final: str, rest: str, reply: Reply, buttons: Buttons | None) -> tuple[Post, ...]:
        fence = markdown.open_fence(final[: self._sent])
        text = f"{fence}\n{rest}" if fence else rest
        pieces = render.rendered(text, self._allowed, reply.notices, buttons, self._home).pieces
        return tuple(Post(len(self.posted) + number, piece) for number, piece in enumerate(pieces))

    def rewrite(self, pieces: Sequence[Piece]) -> tuple[tuple[StopStream, ...], tuple[Ending, ...]]:
        """What makes the messages hold exactly these pieces: the end of an open stream, which may fail, and what follows it."""
        stop = (StopStream(self._segment.ts, self.posted.index(self._segment.ts)),) if self._segment else ()
        extra = [Delete(ts) for ts in self.posted[len(pieces) :]]
        return stop, (*self._writes(pieces), *extra)


def _fitting(text: str, limit: int) -> str:
    """As much as fits, up to a line's or word's end where there is one."""
    if len(text) <= limit:
        return text
    at = max(text.rfind("\n", 0, limit), 0) or text.rfind(" ", 0, limit)
    return text[: at + 1] if at > 0 else text[:limit]
