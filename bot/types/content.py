"""Messages as a model sees them: roles, and parts such as text, pictures, sound, files and tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bot.types.inbound import Attachment, Quoted
from bot.types.plain import value

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@value
@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that the store holds, named by their content."""

    sha256: str
    mime_type: str
    size_bytes: int


@value
@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@value
@dataclass(frozen=True, slots=True)
class Image:
    """A picture."""

    blob: Blob
    name: str = ""
    text: str = ""
    """What is written in it, for a model that does not see."""
    description: str = ""
    """The words it was made from, or its alternative text."""
    width: int = 0
    height: int = 0


@value
@dataclass(frozen=True, slots=True)
class Audio:
    """Sound with speech in it."""

    blob: Blob
    name: str = ""
    transcript: str = ""
    language: str = ""
    duration_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    is_voice_note: bool = False


@value
@dataclass(frozen=True, slots=True)
class File:
    """A document."""

    blob: Blob
    name: str = ""
    text: str = ""
    """Its text, for a model that does not read files."""
    whole_chars: int = 0
    """How long all of it is, where `text` is only its beginning."""
    as_text: bool = False
    """Only its text goes to the model, whatever the model could read."""


@value
@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool to be run."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    provider_metadata: Mapping[str, Any] = field(default_factory=dict)
    """Opaque: goes back to the provider that made it, unread."""


@value
@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back."""

    call_id: str
    text: str
    is_error: bool = False


@value
@dataclass(frozen=True, slots=True)
class UnreadAttachment:
    """An attachment that came with a message nobody asked about, or that could not be read."""

    attachment: Attachment
    reason: str = ""
    """Why it could not be read, when that was tried; without it, it is read when a later question may be about it."""
    is_retryable: bool = False
    """What stood in the way is not the attachment's own, so a later question tries again."""


Part: TypeAlias = Text | Image | Audio | File | ToolCall | ToolResult | UnreadAttachment | Quoted


@value
@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a history: who speaks, and what."""

    role: Role
    parts: tuple[Part, ...]
    author: str = ""
    """The person's name. In a prompt: what they are called there, where it has to be told who speaks."""
    author_id: str = ""
    """The platform's id of the person."""
    is_context: bool = False
    """Fetched from elsewhere to understand a question: nobody said it to Parley."""


@value
@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a transcript."""

    start_s: float
    end_s: float
    text: str
    speaker: str = ""


@value
@dataclass(frozen=True, slots=True)
class Transcript:
    """Speech as text."""

    text: str
    language: str = ""
    duration_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    """In order; empty when the model gives no times."""
