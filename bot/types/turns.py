"""Turns, their replies and the events of a reply while it grows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from bot.types.content import Part, Role, Text
from bot.types.identity import Address, Author
from bot.types.inbound import Command, InboundMessage
from bot.types.plain import value
from bot.types.settings import DEFAULT_SETTINGS, Settings


@value
@dataclass(frozen=True, slots=True)
class Usage:
    """What paid calls used. A count that the server did not send is 0."""

    input_tokens: int = 0
    cached_tokens: int = 0
    """The part of `input_tokens` read from the provider's cache."""
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """The part of `output_tokens` that is not shown."""
    input_image_tokens: int = 0
    """The part of `input_tokens` that pictures took."""
    audio_tokens: int = 0
    """The part of `output_tokens`, or of `input_tokens` for speech to text, that is sound."""
    audio_s: float = 0.0
    characters: int = 0
    images: int = 0
    is_estimate: bool = False
    """The server sent no usage, or the stream broke off before it did."""

    def __add__(self, other: Usage) -> Usage:
        """The sum, field by field; an estimate if either is one."""
        summed = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in dataclasses.fields(self)}
        return Usage(**{**summed, "is_estimate": self.is_estimate or other.is_estimate})


@value
@dataclass(frozen=True, slots=True)
class Receipt:
    """What was posted as the answer of a turn; enough to edit it from any worker."""

    address: Address
    turn_id: str
    message_ids: tuple[str, ...] = ()
    ref: Mapping[str, str] = field(default_factory=dict)


@value
@dataclass(frozen=True, slots=True)
class Reply:
    """The answer in the end."""

    parts: tuple[Part, ...] = ()
    """Text, pictures, at most one voice clip, files: in the order to show."""
    notices: tuple[str, ...] = ()
    """Short remarks for the person: what could not be read, which setting was left out."""
    usage: Usage = Usage()
    model: str = ""
    """The model that wrote or drew it, as `provider:model`. Empty where none did: a command's own words are no model's answer, nor
    are those that it only speaks or writes down."""
    error: str = ""
    """The `code` of the BotError that ended the turn, or empty."""
    stopped: bool = False
    """The person stopped it; the parts are what had come."""
    truncated: bool = False
    """The model hit its length limit; more can be asked for."""

    @property
    def text(self) -> str:
        """All its words, without notices."""
        return "\n\n".join(part.text for part in self.parts if isinstance(part, Text) and part.text)


@value
@dataclass(frozen=True, slots=True)
class Status:
    """What is being done right now, in a few words for the person."""

    text: str


@value
@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of streaming text."""

    text: str


@value
@dataclass(frozen=True, slots=True)
class TextReset:
    """What streamed so far is void; the text starts over."""


@value
@dataclass(frozen=True, slots=True)
class PartReady:
    """A picture, a clip or a file is finished."""

    part: Part


@value
@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every reply."""

    reply: Reply


ReplyEvent: TypeAlias = Status | TextDelta | TextReset | PartReady | Done


@value
@dataclass(frozen=True, slots=True)
class Turn:
    """One inbound and all that is done to answer it."""

    id: str
    tenant_id: int
    conversation_id: int
    inbound: InboundMessage | Command
    settings: Settings = DEFAULT_SETTINGS
    receipt: Receipt | None = None
    """Set when an earlier answer is to be revised: it is edited instead of a new one posted."""
    attempt: int = 1
    """Counts answers to the same inbound: an edit or a regeneration is a further one."""
    source_id: int = 0
    """The store's id of the event that holds the inbound."""
    asked_again_by: Author | None = None
    """Who asked for this further answer by a button; None when its author asked."""
    refusal: str = ""
    """Why it is not taken up, for the person; empty when it is."""

    @property
    def requester(self) -> Author:
        """Whose settings hold for the answer, and who pays for it."""
        return self.asked_again_by or self.inbound.author


@value
@dataclass(frozen=True, slots=True)
class StepRecord:
    """How one step of a turn went."""

    name: str
    attempts: int
    """0 when its result was remembered from before a restart."""
    duration_ms: float
    error: str = ""


@value
@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One message of a conversation as people saw it, for adapters that draw the whole conversation themselves."""

    turn_id: str
    role: Role
    author: Author
    parts: tuple[Part, ...]
    created_at: datetime
    message_id: str = ""
    """The platform's id of it."""
    notices: tuple[str, ...] = ()
    model: str = ""
    error: str = ""
    is_running: bool = False
    """The turn that answers it has not ended."""
    is_editable: bool = False
    """A message whose author may still word it anew."""
    is_stopped: bool = False
    is_truncated: bool = False
    """As in its `Reply`."""

    @property
    def reply(self) -> Reply:
        """An answer as its `Reply`, as far as the history keeps it."""
        return Reply(
            self.parts,
            self.notices,
            model=self.model,
            error=self.error,
            stopped=self.is_stopped,
            truncated=self.is_truncated,
        )


@value
@dataclass(frozen=True, slots=True)
class Conversation:
    """The history kept for one address."""

    id: int
    address: Address
    title: str
    updated_at: datetime
