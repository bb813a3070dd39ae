"""The protocols behind which every outside thing stands: platforms, models, jobs, and what each of them is lent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from aiohttp import web

from bot.types import (
    Accepted,
    Address,
    Attachment,
    Blob,
    Capabilities,
    Command,
    CommandSpec,
    Conversation,
    Earlier,
    Entry,
    Finding,
    Inbound,
    InboundMessage,
    Message,
    Modality,
    ModelProfile,
    Receipt,
    Reply,
    ReplyEvent,
    Scope,
    Seen,
    Settings,
    StepNote,
    TextDelta,
    ToolCall,
    Transcript,
    Turn,
    Usage,
)

T = TypeVar("T")
Accept: TypeAlias = Callable[[Inbound], Awaitable[Accepted]]
"""The only way in: `inbox.accept`. When it returns, the inbound is written; when it raises, it is not."""


class Clock(Protocol):
    """Time, so that tests can move it."""

    def now(self) -> datetime:
        """The time in UTC."""

    def monotonic(self) -> float:
        """Seconds from some fixed moment, never going back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Blobs(Protocol):
    """The bytes of one tenant."""

    async def read(self, blob: Blob) -> bytes:
        """The bytes; raises StoreError when they were forgotten."""

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Keep the bytes, once for each content."""


class Bus(Protocol):
    """Short-lived news between the processes of one installation; whoever does not listen misses it."""

    async def publish(self, topic: str, news: Mapping[str, Any]) -> None:
        """Tell everybody who subscribed; at most once, in order for one publisher."""

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """Listen while the context is open; what is published after it opened arrives."""


@dataclass(frozen=True)
class Installation:
    """What a platform gave us when somebody installed Parley into a workspace."""

    platform: str
    workspace: str
    name: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Ids and scopes: plain, may be logged."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Tokens: sealed in the database, never logged."""


class Host(Protocol):
    """What adapters and providers are lent."""

    @property
    def clock(self) -> Clock: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def commands(self) -> Mapping[str, CommandSpec]:
        """Every slash command by its name."""

    @property
    def models(self) -> Mapping[Modality, str]:
        """The configured model of each modality, `provider:model`; empty when it is off."""

    def chat_models(self) -> Sequence[str]:
        """The chat models that a person may choose, as `provider:model`."""

    def personas(self) -> Sequence[str]:
        """The names that `/persona` knows."""

    def overview(self) -> Sequence[Finding]:
        """What is on, and what is off with the setting that brings it; asks nobody outside."""

    def blobs(self, address: Address) -> Blobs:
        """The bytes of the tenant that this place belongs to."""

    async def entries(self, address: Address, limit: int = 200) -> Sequence[Entry]:
        """The newest messages of the conversation held there, oldest first."""

    async def conversations(
        self, platform: str, workspace: str, author_id: str, limit: int = 100
    ) -> Sequence[Conversation]:
        """The conversations in which this person takes part, newest first."""

    async def settings(self, address: Address, author_id: str) -> Settings:
        """What holds for this person at this place."""

    async def usage(self, address: Address, author_id: str) -> str:
        """What this person's calls used in the last 30 days, as Markdown: what `/usage` shows."""

    async def choose(self, address: Address, author_id: str, scope: Scope, name: str, value: str) -> str:
        """Set a setting as `/settings` does, or reset it when the value is empty; gives the sentence for the person.

        Raises UsageError.
        """

    async def active(self, platform: str, since: datetime) -> Sequence[Seen]:
        """The newest message of each open conversation of this platform in which something happened since then."""

    async def installation(self, platform: str, workspace: str) -> Installation | None:
        """What was kept when Parley was installed there."""

    async def keep_installation(self, installation: Installation) -> None:
        """Keep it, its secrets sealed; raises ConfigError when no key to seal with is set."""

    async def drop_installation(self, platform: str, workspace: str) -> None:
        """Forget it and its secrets; harmless when unknown."""


# --- Platforms -------------------------------------------------------------------------------------------------------


class Adapter(Protocol):
    """A platform. One object serves listening and answering; answering works without listening, from any worker."""

    name: str
    capabilities: Capabilities

    async def listen(self, accept: Accept) -> None:
        """Hold the platform's socket and hand in what comes, until cancelled. Returns at once when there is no socket to hold."""

    def routes(self, accept: Accept) -> Sequence[web.AbstractRouteDef]:
        """The HTTP routes this platform calls."""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes of an attachment as they come. Raises PlatformError, or UnreadableError when it is gone."""

    async def open(self, turn: Turn) -> Receipt:
        """Give the sign of life. Repeated for the same turn it must not post twice; a turn with a receipt reuses its post."""

    async def show(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Show the events as they come, each visible text being the whole so far; ends with the events. May be repeated."""

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave exactly the reply at the receipt: final text, uploads, buttons. Repeated, it changes nothing more."""

    async def earlier(self, inbound: InboundMessage | Command) -> Earlier:
        """What was said at the inbound's place before it, for a conversation that Parley joins late; nothing where the platform
        cannot tell. Attachments come along unfetched."""

    async def check(self) -> Sequence[Finding]:
        """What `doctor` should know: tokens, permissions, reachability."""

    async def close(self) -> None:
        """Let go of connections."""


# --- Models ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tool:
    """A function that a model may call."""

    name: str
    summary: str
    parameters: Mapping[str, Any]
    """JSON schema of an object, closed, all properties required (as strict function calling wants it)."""


@dataclass(frozen=True)
class ChatRequest:
    """One call of a chat model."""

    messages: Sequence[Message]
    """Oldest first; a system message, if any, comes first."""
    settings: Settings
    blobs: Blobs
    """Where the bytes of images and files in the messages are."""
    tools: Sequence[Tool] = ()
    person: str = ""
    """A hash that names the person to the provider's abuse checks, at most 64 characters."""
    conversation: str = ""
    """A key that is equal for calls sharing a long prefix, for the provider's cache."""


@dataclass(frozen=True)
class ModelDone:
    """The last event of a model's stream."""

    usage: Usage
    finish: Literal["stop", "length", "tools", "refused"] = "stop"
    notices: tuple[str, ...] = ()
    """Remarks for the person, such as a setting that the model refuses and that was left out."""
    request_id: str = ""


ModelEvent: TypeAlias = TextDelta | ToolCall | ModelDone


class ChatModel(Protocol):
    """Text and reasoning."""

    profile: ModelProfile

    def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """Text as it comes, tool calls when whole, ModelDone at the end. Closing the iterator ends the call at the provider.

        Raises a ProviderError; CutOffError when text had come already. The client beneath has retried what it should.
        """


@dataclass(frozen=True)
class Transcribed:
    """A transcript and what it cost."""

    transcript: Transcript
    usage: Usage


class SpeechToText(Protocol):
    """Speech to text."""

    profile: ModelProfile

    async def transcribe(self, data: bytes, name: str, *, language: str = "", prompt: str = "") -> Transcribed:
        """Any sound that Slack or Discord sends, of any length. name: with the extension of its true format.

        language: ISO 639-1 or empty. Silence gives an empty text. Raises UnreadableError, ProviderError.
        """


@dataclass(frozen=True)
class Synthesized:
    """Speech: PCM samples, signed 16 bit, mono."""

    pcm: bytes = field(repr=False)
    rate_hz: int
    usage: Usage
    model: str = ""
    """Which of the provider's models spoke, when it was not the one that was asked."""


class TextToSpeech(Protocol):
    """Text to speech."""

    profile: ModelProfile

    async def synthesize(
        self, text: str, *, voice: str = "", instructions: str = "", language: str = ""
    ) -> Synthesized:
        """Speak at most 4,000 characters. An unknown voice is an UsageError that lists the known ones. Raises ProviderError."""


@dataclass(frozen=True)
class Picture:
    """A generated picture."""

    data: bytes = field(repr=False)
    mime_type: str


@dataclass(frozen=True)
class Painted:
    """Generated pictures and what they cost."""

    pictures: tuple[Picture, ...]
    usage: Usage
    notices: tuple[str, ...] = ()


class ImageGenerator(Protocol):
    """Pictures from words, and from pictures and words."""

    profile: ModelProfile

    async def generate(
        self, prompt: str, *, size: str = "", quality: str = "", count: int = 1, images: Sequence[Picture] = ()
    ) -> Painted:
        """size: "auto", "WIDTHxHEIGHT", or "square", "landscape", "portrait"; quality: "auto", "low", "medium", "high" and what
        else the model has. images: edited or used as references when given. Raises RefusedError, ProviderError."""


@dataclass(frozen=True)
class Embedded:
    """Vectors in the order of the texts, each of length 1 in the L2 norm."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    usage: Usage


class Embedder(Protocol):
    """Text to vectors."""

    profile: ModelProfile

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Any number of texts, in batches as the model allows; each cut to what the model reads. Raises ProviderError."""


class TextReader(Protocol):
    """Reads what is written in a picture, for models that do not see."""

    async def read(self, data: bytes) -> str:
        """The lines of text, top to bottom; empty when there is none."""


class Provider(Protocol):
    """A vendor, a server or this machine: makes models by their bare names (without `provider:`).

    Each maker raises UnavailableError, naming the setting that helps, when this provider cannot do it.
    """

    name: str

    def chat(self, model: str) -> ChatModel: ...
    def transcriber(self, model: str) -> SpeechToText: ...
    def speaker(self, model: str) -> TextToSpeech: ...
    def painter(self, model: str) -> ImageGenerator: ...
    def embedder(self, model: str) -> Embedder: ...
    def text_reader(self) -> TextReader: ...

    def default(self, modality: Modality) -> str:
        """The model to use when none is named, or empty when this provider has none."""

    def models(self) -> Sequence[str]:
        """Chat models to offer in menus."""

    def price_micro_usd(self, model: str, usage: Usage) -> int | None:
        """What that usage costs, in millionths of a US dollar, rounded up; None when unknown, which is not 0."""

    async def check(self, models: Mapping[Modality, str]) -> Sequence[Finding]:
        """What `doctor` should know about these models: key, reachability, shutdown dates, missing weights."""

    async def close(self) -> None: ...


# --- Jobs ------------------------------------------------------------------------------------------------------------


class Step(Protocol):
    """Runs a part of a turn once and remembers its result; run again after a crash, it gives the remembered one.

    Results are values, or lists and mappings of them. A retryable BotError is retried with back-off, honouring `retry_after_s`;
    what is raised in the end is remembered too. A step that was under way when the process died runs again.
    """

    notes: list[StepNote]
    """One for each step so far."""

    async def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any) -> T: ...


@dataclass(frozen=True)
class Job:
    """Something to be done, at least once, after what stands before it in its lane."""

    id: str
    """Enqueuing the same id again is harmless."""
    lane: str
    """Jobs of one lane run one at a time, in the order of `sequence`."""
    sequence: int
    kind: str = "turn"


Handler: TypeAlias = Callable[[str, Step], Awaitable[None]]
"""Does the job of that id."""


class Presence(Protocol):
    """Which processes of this installation are alive."""

    async def claim(self, name: str) -> str:
        """Take this name, or one derived from it when a living process has it, until `release` or the end of the process."""

    async def dead(self) -> Sequence[str]:
        """Names that were claimed once and whose process is gone."""

    async def bury(self, name: str) -> None:
        """What the dead process left was taken over; forget it."""

    async def release(self) -> None:
        """Give the name back."""


class Outcomes(Protocol):
    """What the steps of jobs gave, each as a line of JSON, until the job is forgotten."""

    async def of(self, job_id: str) -> Sequence[tuple[str, str]]:
        """The name and the outcome of each step so far, in order."""

    async def add(self, job_id: str, ordinal: int, name: str, outcome: str) -> None:
        """Keep one; `ordinal` counts from 0. In the place of one that was kept there before."""

    async def forget(self, job_ids: Collection[str]) -> None:
        """Delete those of these jobs."""

    async def forget_before(self, before: datetime, but: Collection[str]) -> int:
        """Delete those of jobs that last did something before then, but of these; gives how many jobs."""


class Jobs(Protocol):
    """Work that survives a crash."""

    name: str
    """Of this process among those that work on the same jobs, once started."""

    async def start(self, handlers: Mapping[str, Handler], *, working: bool = True) -> None:
        """Begin; jobs that a crash interrupted are taken up again. working: False only hands jobs to other processes."""

    async def enqueue(self, job: Job) -> None:
        """Hand over a job; harmless when repeated."""

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what is remembered of jobs that have ended: their steps' results hold what people said."""

    async def tidy(self, before: datetime) -> int:
        """The same for all jobs that ended before then; gives how many."""

    async def close(self, patience_s: float = 4.0) -> None:
        """Stop taking jobs, let the running ones end for that long, leave the rest to the next start."""


__all__ = [name for name in dir() if not name.startswith("_")]
