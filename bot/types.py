"""The values that flow through Parley: frozen, without identity or behaviour, each with a plain JSON form.

`to_plain` and `from_plain` carry any value here over a queue, a database or a restart. Bytes never ride in a value: a `Blob`
names them by their sha256.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Modality: TypeAlias = Literal["chat", "transcribe", "speech", "image", "embedding"]
MODALITIES: tuple[Modality, ...] = ("chat", "transcribe", "speech", "image", "embedding")
Scope: TypeAlias = Literal["conversation", "channel", "person"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# --- Where and who ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A place on a platform where a conversation is held."""

    platform: str
    workspace: str
    """The platform's id of the installation: a Slack team, a Discord server, or "local"."""
    channel: str
    thread: str = ""
    """The platform's id of the thread, empty for the channel's own flow."""

    def key(self) -> str:
        """One string for this place, unique over all platforms."""
        return "/".join((self.platform, self.workspace, self.channel, self.thread))


@dataclass(frozen=True, slots=True)
class Author:
    """Whoever wrote a message, as the platform names them."""

    id: str
    name: str = ""
    is_bot: bool = False
    groups: tuple[str, ...] = ()
    """Ids of the person's roles or user groups, where the platform sends them along."""


# --- What comes in ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is still at the platform."""

    name: str
    mime_type: str
    """As the platform claims; the content decides later."""
    size_bytes: int
    """As the platform claims; 0 when unknown."""
    ref: Mapping[str, str] = field(default_factory=dict)
    """What the adapter needs to fetch it later. Never a secret."""
    kind: Literal["image", "audio", "video", "file"] = "file"
    duration_s: float | None = None
    is_voice_note: bool = False
    """The person spoke instead of typing: an answer may be spoken too."""


Asks: TypeAlias = Literal["answer", "transcribe", "describe", "summarize", "translate", "vary", "edit_image"]


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A person said something."""

    event_id: str
    """The platform's id of this delivery; the same event delivered again has the same id."""
    message_id: str
    """The platform's id of the message, stable over edits."""
    address: Address
    author: Author
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    sent_at: datetime = EPOCH
    is_direct: bool = False
    """Only this person and Parley are in the channel."""
    mentions_us: bool = False
    mentions_others: bool = False
    """It calls somebody else by name, so that in a thread it is meant for them."""
    reply_to: str = ""
    """The platform's id of the message that this one answers, where the platform has such links."""
    asks: Asks = "answer"
    """What a message action, or a button under a picture, asked to be done with this message."""
    ephemeral: bool = False
    """The answer is for the author's eyes only."""
    ref: Mapping[str, str] = field(default_factory=dict)
    """What the adapter needs to answer it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command, however the platform spells it."""

    event_id: str
    address: Address
    author: Author
    name: str
    """Without the slash, as in `CommandSpec.name`."""
    text: str = ""
    """All after the name."""
    attachments: tuple[Attachment, ...] = ()
    sent_at: datetime = EPOCH
    message_id: str = ""
    is_direct: bool = False
    ephemeral: bool = False
    ref: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """A person changed a message of theirs."""

    event_id: str
    message_id: str
    address: Address
    author: Author
    text: str
    sent_at: datetime = EPOCH
    ref: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A message was deleted at the platform."""

    event_id: str
    message_id: str
    address: Address
    author: Author = Author("")
    sent_at: datetime = EPOCH
    ref: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Press:
    """A person pressed a button under a reply of ours."""

    event_id: str
    message_id: str
    """The platform's id of the reply, or of the message it answers."""
    address: Address
    author: Author
    action: Literal["stop", "regenerate", "continue", "thumbs_up", "thumbs_down", "vary", "edit_image"]
    value: str = ""
    """What came with it, such as the words for `edit_image`."""
    sent_at: datetime = EPOCH
    ref: Mapping[str, str] = field(default_factory=dict)


Inbound: TypeAlias = InboundMessage | Command | Edit | Deletion | Press


@dataclass(frozen=True, slots=True)
class Accepted:
    """What `accept` did with an inbound."""

    outcome: Literal["queued", "noted", "repeated", "ignored", "done"]
    """queued: a turn will answer it · noted: kept as history, no answer due · repeated: seen before · ignored: our own,
    or about nothing we know · done: carried out at once (stop, deletion, feedback)."""
    turn_id: str = ""
    position: int = 0
    """How many turns of this conversation wait before it."""


# --- Messages as a model sees them -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that the store holds, named by their content."""

    sha256: str
    mime_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


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


@dataclass(frozen=True, slots=True)
class File:
    """A document."""

    blob: Blob
    name: str = ""
    text: str = ""
    """Its text, for a model that does not read files."""
    whole_chars: int = 0
    """How long all of it is, where `text` is only its beginning."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool to be run."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    provider_metadata: Mapping[str, Any] = field(default_factory=dict)
    """Opaque: goes back to the provider that made it, unread."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back."""

    call_id: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """An attachment that came with a message nobody asked about, or that could not be read."""

    attachment: Attachment
    why: str = ""
    """Why it could not be read, when that was tried; without it, it is read when a later question may be about it."""
    may_work_later: bool = False
    """What stood in the way is not the attachment's own, so a later question tries again."""


Part: TypeAlias = Text | Image | Audio | File | ToolCall | ToolResult | Unread


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a history: who speaks, and what."""

    role: Role
    parts: tuple[Part, ...]
    author: str = ""
    """The person's name, where several take part."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a transcript."""

    start_s: float
    end_s: float
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Speech as text."""

    text: str
    language: str = ""
    duration_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    """In order; empty when the model gives no times."""


# --- Turns and replies -----------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person, a channel or a conversation chose; None is "as configured"."""

    model: str | None = None
    system_prompt: str | None = None
    persona: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    effort: str | None = None
    verbosity: str | None = None
    speech: Literal["mirror", "always", "never"] | None = None
    voice: str | None = None
    image_size: str | None = None
    image_quality: str | None = None
    follow: Literal["thread", "always", "mention", "never"] | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was posted as the answer of a turn; enough to edit it from any worker."""

    address: Address
    turn_id: str
    message_ids: tuple[str, ...] = ()
    ref: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer in the end."""

    parts: tuple[Part, ...] = ()
    """Text, pictures, at most one voice clip, files: in the order to show."""
    notices: tuple[str, ...] = ()
    """Short remarks for the person: what could not be read, which setting was left out."""
    usage: Usage = Usage()
    model: str = ""
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


@dataclass(frozen=True, slots=True)
class Status:
    """What is being done right now, in a few words for the person."""

    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of streaming text."""

    text: str


@dataclass(frozen=True, slots=True)
class TextReset:
    """What streamed so far is void; the text starts over."""


@dataclass(frozen=True, slots=True)
class PartReady:
    """A picture, a clip or a file is finished."""

    part: Part


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every reply."""

    reply: Reply


ReplyEvent: TypeAlias = Status | TextDelta | TextReset | PartReady | Done


@dataclass(frozen=True, slots=True)
class Turn:
    """One inbound and all that is done to answer it."""

    id: str
    tenant_id: int
    conversation_id: int
    inbound: InboundMessage | Command
    settings: Settings = Settings()
    receipt: Receipt | None = None
    """Set when an earlier answer is to be revised: it is edited instead of a new one posted."""
    attempt: int = 1
    """Counts answers to the same inbound: an edit or a regeneration is a further one."""


@dataclass(frozen=True, slots=True)
class StepNote:
    """How one step of a turn went."""

    name: str
    attempts: int
    """0 when its result was remembered from before a restart."""
    duration_ms: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
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
    is_stopped: bool = False
    is_truncated: bool = False
    """As in its `Reply`."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The history kept for one address."""

    id: int
    address: Address
    title: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was said at a place before Parley was there to hear it, fetched from the platform."""

    messages: tuple[InboundMessage, ...] = ()
    """Oldest first, Parley's own and other apps' posts among them (`author.is_bot`)."""
    is_complete: bool = True
    """False when the platform would not give all of it: the model is told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest message that is known of an active conversation, to begin from after a downtime."""

    address: Address
    message_id: str
    sent_at: datetime


# --- Models and commands ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Facts about a model. What is unknown has the careful default."""

    name: str
    """As in the configuration: `provider:model`."""
    context_tokens: int = 8_192
    output_tokens: int = 4_096
    sees_images: bool = False
    reads_files: bool = False
    calls_tools: bool = False
    settings: frozenset[str] = frozenset()
    """Names of `Settings` that the model takes."""
    efforts: tuple[str, ...] = ()
    shutdown_at: date | None = None
    successor: str = ""
    is_local: bool = False
    max_audio_s: float | None = None
    voices: tuple[str, ...] = ()
    dimensions: int = 0
    """Of an embedding model's vectors."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do with a reply."""

    max_text: int = 4_000
    """In Unicode characters, for one posted message."""
    streams: bool = True
    edits: bool = True
    shows_images: bool = True
    plays_voice: bool = True
    has_buttons: bool = True
    has_ephemeral: bool = False
    upload_limit_bytes: int = 10 * 1024 * 1024
    keeps_history: bool = True
    """The platform shows old messages itself."""
    hears_all: bool = True
    """Every message of a channel arrives, not just those that mention us: what came before a conversation's first question is the
    only gap."""


@dataclass(frozen=True, slots=True)
class CommandOption:
    """One argument of a slash command, for platforms that ask for them by name."""

    name: str
    summary: str
    required: bool = False
    choices: tuple[str, ...] = ()
    is_attachment: bool = False


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A slash command as every platform shows it."""

    name: str
    summary: str
    """One line, at most 100 characters."""
    usage: str = ""
    """The arguments, such as `TEXT`."""
    options: tuple[CommandOption, ...] = ()
    is_private: bool = False
    """The answer concerns only the person who asked."""
    begins_anew: bool = False
    """What is said after it belongs to a new conversation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`."""

    subject: str
    level: Literal["ok", "off", "warning", "error"]
    text: str
    setting: str = ""
    """The environment variable that changes it."""


# --- Text from outside -----------------------------------------------------------------------------------------------


def clean_text(text: str) -> str:
    """The text with U+FFFD for each NUL and each half of a surrogate pair; two halves that belong together are joined.

    PostgreSQL keeps no NUL, and halves have no UTF-8, so neither a database nor a request could take them.
    """
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


# --- The plain form --------------------------------------------------------------------------------------------------


def to_plain(value: Any) -> Any:
    """The plain JSON form of a value, or of tuples, lists and mappings of values; raises TypeError for anything else."""
    if dataclasses.is_dataclass(value) and type(value).__name__ in VALUES:
        fields = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$": type(value).__name__, **fields}
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {"$": "datetime", "at": value.isoformat()}
        case date():
            return {"$": "date", "at": value.isoformat()}
        case tuple():
            return {"$": "tuple", "of": [to_plain(item) for item in value]}
        case frozenset():
            return {"$": "frozenset", "of": sorted(to_plain(item) for item in value)}
        case list():
            return [to_plain(item) for item in value]
        case Mapping():
            if "$" in value:
                return {"$": "mapping", "of": [[key, to_plain(item)] for key, item in value.items()]}
            return {str(key): to_plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` was given; fields unknown to this version are dropped. Raises ValueError if it is no plain form."""
    if isinstance(plain, list):
        return [from_plain(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    match plain.get("$"):
        case None:
            return {key: from_plain(item) for key, item in plain.items()}
        case "datetime":
            return datetime.fromisoformat(plain["at"])
        case "date":
            return date.fromisoformat(plain["at"])
        case "tuple":
            return tuple(from_plain(item) for item in plain["of"])
        case "frozenset":
            return frozenset(from_plain(item) for item in plain["of"])
        case "mapping":
            return {key: from_plain(item) for key, item in plain["of"]}
        case name if name in VALUES:
            known = {f.name for f in dataclasses.fields(VALUES[name])}
            return VALUES[name](**{key: from_plain(item) for key, item in plain.items() if key in known})
    raise ValueError(f"no value is named {plain['$']!r}")


VALUES: dict[str, Any] = {
    name: item for name, item in list(globals().items()) if dataclasses.is_dataclass(item) and isinstance(item, type)
}
"""Every value by its name."""
