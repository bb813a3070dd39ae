"""What to write next of an answer at Discord. Pure: events and results go in, actions come out; no socket, no task, no clock.

How it works. An answer is a row of messages, each holding a piece of the text. `next_action` compares what the messages should show
with what they do show, and gives the first write that brings them nearer; the runner carries it out and tells the result, before it
asks again. So whatever fails, or comes late, the next comparison is right.

| phase     | begins with                 | what `next_action` gives |
|---|---|---|
| WAITING   | `Plan()`, `begin`           | nothing, or a post of the status line |
| GROWING   | the first text              | once `start_s` has passed: a post or an edit of the first piece that is not shown |
| REFUSED   | a write refused for good    | nothing: what is asked in vain counts towards a ban |
| FINISHING | `finish`                    | every piece once more, then deletions of what is too much, then the voice message |
| CLOSED    | `finish`, all carried out   | nothing |

Trouble while growing loses nothing: the end writes everything. Trouble while finishing is the caller's: `finish` begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Literal, TypeAlias

from adapters.discord import render
from adapters.shared.live import LiveText
from adapters.shared.rendering import INLINE
from bot.types import ReplyEvent, TextDelta, TextReset

MAX_WITH_REMARK = 1_700
"""Characters of a piece to which a remark is added."""


class Phase(Enum):
    """How far an answer is."""

    WAITING = auto()
    GROWING = auto()
    REFUSED = auto()
    FINISHING = auto()
    CLOSED = auto()


@dataclass(frozen=True)
class Draft:
    """What one message should show."""

    content: str
    buttons: Literal["none", "stop", "final"] = "none"
    files: Literal["as they are", "none", "attached"] = "as they are"


@dataclass(frozen=True)
class Wait:
    """Nothing may be written before then, in seconds of the monotonic clock."""

    until: float


@dataclass(frozen=True)
class Post:
    """A new message."""

    part: int
    draft: Draft
    is_replacement: bool = False
    """The part's earlier message is gone."""

    @property
    def key(self) -> str:
        """Names the post within its answer, equal each time, so that Discord posts it once."""
        return f"{self.part}+" if self.is_replacement else f"{self.part}"


@dataclass(frozen=True)
class Edit:
    """Another text for a message."""

    part: int
    message_id: str
    draft: Draft


@dataclass(frozen=True)
class Delete:
    """A message that is too much."""

    message_id: str


@dataclass(frozen=True)
class PostVoice:
    """The spoken answer, in a message of its own."""


Write: TypeAlias = Post | Edit
Action: TypeAlias = Wait | Post | Edit | Delete | PostVoice


@dataclass(frozen=True)
class Ending:
    """The answer as it stays."""

    pieces: tuple[str, ...]
    has_files: bool = False
    """They stand under the last piece."""
    has_voice: bool = False


@dataclass
class Plan:
    """The answer of one turn, from the first event to the last message."""

    start_s: float
    retry_s: float
    shows_one_piece: bool = False
    """While it grows: what only a token writes is not found again, so the rest waits for the end."""
    has_stop: bool = False
    had_files: bool = False
    """An earlier version of it has files, which go."""
    posted: list[str] = field(default_factory=list)
    """Ids of the messages with its words, in order."""
    voice_ids: list[str] = field(default_factory=list)
    """Of the messages that are sound: an earlier version's until they are deleted, then its own."""
    phase: Phase = Phase.WAITING
    live: LiveText = field(default_factory=LiveText)
    home: tuple[str, ...] = ()
    """As of `render.rendered`."""
    _shown: dict[str, str] = field(default_factory=dict)
    """By id, the words that a message shows; unknown after a crash."""
    _gone: set[str] = field(default_factory=set)
    _is_anew: bool = True
    _not_before: float = 0.0
    max_inline: int = INLINE
    """Characters of a text that is rendered here; a longer one is rendered elsewhere, and `on_rendered` tells its pieces."""
    _rendered: tuple[str, tuple[str, ...]] = ("", ())
    """The latest text that was rendered, and its pieces."""
    _ending: Ending = Ending(())
    _written: int = 0
    """Pieces of the ending that are as they stay."""
    _old_voice_ids: list[str] = field(default_factory=list)

    # --- events ---

    def begin(self) -> None:
        """Further events follow. Text among them begins the answer anew; a status alone leaves it as it is."""
        self._is_anew = True
        if self.phase in (Phase.REFUSED, Phase.CLOSED):
            self.phase = Phase.GROWING if self.live.words else Phase.WAITING

    def on_event(self, event: ReplyEvent, now: float) -> bool:
        """Take an event in; True when something else should be shown."""
        if isinstance(event, TextDelta) and self._is_anew:
            self._is_anew = False
            if self.live.words:
                self.live.take(TextReset())
        is_other = self.live.take(event)
        if self.live.words and self.phase is Phase.WAITING:
            self.phase, self._not_before = Phase.GROWING, max(self._not_before, now + self.start_s)
        return is_other

    def finish(self, ending: Ending) -> None:
        """From here on the answer is written as it stays."""
        self.phase, self._ending, self._written = Phase.FINISHING, ending, 0
        self._old_voice_ids, self.voice_ids = [*self._old_voice_ids, *self.voice_ids], []

    # --- what to do ---

    @property
    def shows_words(self) -> bool:
        """Whether something of it can be read, so that typing need not tell that work goes on."""
        return bool(self._shown)

    def next_action(self, now: float) -> Action | None:
        """What to do now, or None until the next event."""
        if self.phase is Phase.FINISHING:
            return self._next_of_ending()
        if self.phase in (Phase.REFUSED, Phase.CLOSED):
            return None
        part = next((part for part, piece in enumerate(self._pieces()) if not self._shows(part, piece)), None)
        if part is None:
            return None
        return Wait(self._not_before) if now < self._not_before else self.write_of(part)

    def write_of(self, part: int) -> Write | None:
        """The write that lets this part show the newest words, or None when there is no such part any more."""
        if self.phase not in (Phase.WAITING, Phase.GROWING):
            return None
        pieces = self._pieces()
        if part >= len(pieces):
            return None
        is_last = part == len(pieces) - 1
        return self._write(part, Draft(pieces[part], "stop" if is_last and self.has_stop else "none"))

    def _write(self, part: int, draft: Draft) -> Write:
        if part >= len(self.posted):
            return Post(part, draft)
        if self.posted[part] in self._gone:
            return Post(part, draft, is_replacement=True)
        return Edit(part, self.posted[part], draft)

    def _shows(self, part: int, piece: str) -> bool:
        return part < len(self.posted) and self._shown.get(self.posted[part]) == piece

    def _pieces(self) -> tuple[str, ...]:
        """What the messages should show while it grows."""
        text, status = self.live.text, self.live.status
        if not text.strip():
            return (render.small(status),) if status else ()
        if self._rendered[0] != text and len(text) <= self.max_inline:
            self._rendered = (text, render.rendered(text, home=self.home).pieces)
        return self._rendered[1][:1] if self.shows_one_piece else self._rendered[1]

    @property
    def unrendered(self) -> str:
        """The newest text, if it is long and its pieces are not known; else empty."""
        is_long = len(self.live.words) > self.max_inline and self.phase is Phase.GROWING
        return self.live.text if is_long and self._rendered[0] != self.live.text else ""

    def on_rendered(self, text: str, pieces: tuple[str, ...]) -> None:
        """What a long text is made of. More of it may have come meanwhile: until that is rendered too, these are shown."""
        self._rendered = (text, pieces)

    def _next_of_ending(self) -> Action | None:
        part, pieces = self._written, self._ending.pieces
        if part < len(pieces):
            return self._write(part, self._final_draft(part))
        if len(self.posted) > len(pieces):
            return Delete(self.posted[len(pieces)])
        if self._old_voice_ids:
            return Delete(self._old_voice_ids[0])
        if self._ending.has_voice and not self.voice_ids:
            return PostVoice()
        self.phase = Phase.CLOSED
        return None

    def _final_draft(self, part: int) -> Draft:
        draft = Draft(self._ending.pieces[part], files="none" if self.had_files else "as they are")
        if part < len(self._ending.pieces) - 1:
            return draft
        return replace(draft, buttons="final", files="attached" if self._ending.has_files else draft.files)

    # --- results ---

    def on_posted(self, post: Post, message_id: str) -> None:
        """The message stands."""
        if post.part < len(self.posted):
            self.posted[post.part] = message_id
        else:
            self.posted.append(message_id)
        self._on_shown(message_id, post)

    def on_edited(self, edit: Edit) -> None:
        """The message shows its new words."""
        self._on_shown(edit.message_id, edit)

    def _on_shown(self, message_id: str, write: Write) -> None:
        self._shown[message_id] = write.draft.content
        if self.phase is Phase.FINISHING:
            self._written = write.part + 1

    def on_gone(self, edit: Edit) -> None:
        """The message was deleted meanwhile: another takes its place."""
        self._gone.add(edit.message_id)

    def on_deleted(self, delete: Delete) -> None:
        """The message is gone, as it should be, or cannot be deleted: it is no longer part of the answer."""
        self.posted = _without(self.posted, delete.message_id)
        self._old_voice_ids = _without(self._old_voice_ids, delete.message_id)

    def on_voice(self, message_id: str) -> None:
        """The spoken answer stands."""
        self.voice_ids.append(message_id)

    def on_failed(self, now: float, *, is_busy: bool) -> None:
        """A write while it grows did not come about. is_busy: the same may succeed in a moment."""
        if self.phase not in (Phase.WAITING, Phase.GROWING):
            return
        if is_busy:
            self._not_before = now + self.retry_s
        else:
            self.phase = Phase.REFUSED

    def on_files_refused(self, remark: str) -> None:
        """The files were not taken: words stand in their place."""
        *others, last = self._ending.pieces
        told = f"{last[:MAX_WITH_REMARK]}\n{remark}".strip()
        self._ending = replace(self._ending, pieces=(*others, told), has_files=False)


def _without(ids: Iterable[str], message_id: str) -> list[str]:
    return [one for one in ids if one != message_id]
