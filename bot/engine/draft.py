"""A reply while it grows: the sum of its events, and what its events do not show."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.redaction import redact_long
from bot.types import GrowingText, Message, Part, PartReady, Reply, ReplyEvent, Text, TextDelta, Usage


@dataclass
class Draft:
    """A reply while it grows. Text and parts come by `add`, from the one stage that passes every event on; the rest is set."""

    model: str = ""
    words: GrowingText = field(default_factory=GrowingText)
    parts: list[Part] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    tool_messages: list[Message] = field(default_factory=list)
    """Tool calls and their results, for the history."""
    wants_speech: bool = False
    stopped: bool = False
    truncated: bool = False
    finish_reason: str = ""
    """Why the model's last call ended: as in `ModelDone`, or a stop sequence."""

    def add(self, event: ReplyEvent) -> None:
        """Take up what an event brings."""
        match event:
            case TextDelta(text):
                self.words.add(text)
            case PartReady(part):
                self.parts.append(part)

    @property
    def text(self) -> str:
        """Its words so far, as one text."""
        return self.words.text

    def reply(self) -> Reply:
        """What it is now."""
        said = redact_long(self.text.strip())
        words: tuple[Part, ...] = (Text(said),) if said else ()
        return Reply(
            parts=(*words, *self.parts),
            notices=tuple(dict.fromkeys(self.notices)),
            usage=self.usage,
            model=self.model,
            stopped=self.stopped,
            truncated=self.truncated,
        )
