"""Models by what they do, and the providers that make them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from bot.ports.host import Blobs
from bot.types import (
    Diagnostic,
    Message,
    Modality,
    ModelProfile,
    Settings,
    TextDelta,
    ToolCall,
    Transcript,
    Usage,
)


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
    finish_reason: Literal["stop", "length", "tools", "refused"] = "stop"
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
class TranscriptionResult:
    """A transcript and what it cost."""

    transcript: Transcript
    usage: Usage


class SpeechToText(Protocol):
    """Speech to text."""

    profile: ModelProfile

    async def transcribe(self, data: bytes, name: str, *, language: str = "", prompt: str = "") -> TranscriptionResult:
        """Any sound that Slack or Discord sends, of any length. name: with the extension of its true format.

        language: ISO 639-1 or empty. Silence gives an empty text. Raises UnreadableError, ProviderError.
        """


@dataclass(frozen=True)
class SpeechResult:
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
    ) -> SpeechResult:
        """Speak at most 4,000 characters. An unknown voice is an UsageError that lists the known ones. Raises ProviderError."""


@dataclass(frozen=True)
class ImageData:
    """A generated picture."""

    data: bytes = field(repr=False)
    mime_type: str


@dataclass(frozen=True)
class ImageResult:
    """Generated pictures and what they cost."""

    pictures: tuple[ImageData, ...]
    usage: Usage
    notices: tuple[str, ...] = ()


class ImageGenerator(Protocol):
    """Pictures from words, and from pictures and words."""

    profile: ModelProfile

    async def generate(
        self, prompt: str, *, size: str = "", quality: str = "", count: int = 1, images: Sequence[ImageData] = ()
    ) -> ImageResult:
        """size: "auto", "WIDTHxHEIGHT", or "square", "landscape", "portrait"; quality: "auto", "low", "medium", "high" and what
        else the model has. images: edited or used as references when given. Raises RefusedError, ProviderError."""


@dataclass(frozen=True)
class EmbeddingResult:
    """Vectors in the order of the texts, each of length 1 in the L2 norm."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    usage: Usage


class Embedder(Protocol):
    """Text to vectors."""

    profile: ModelProfile

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Any number of texts, in batches as the model allows; each cut to what the model reads. Raises ProviderError."""


class OcrReader(Protocol):
    """Reads what is written in a picture, for models that do not see."""

    async def read(self, data: bytes) -> str:
        """The lines of text, top to bottom; empty when there is none."""


class Provider(Protocol):
    """A vendor, a server or this machine: makes models by their bare names (without `provider:`).

    Each maker raises UnavailableError, naming the setting that helps, when this provider cannot do it.
    """

    name: str

    def chat(self, model: str) -> ChatModel: ...
    def speech_to_text(self, model: str) -> SpeechToText: ...
    def text_to_speech(self, model: str) -> TextToSpeech: ...
    def image_generator(self, model: str) -> ImageGenerator: ...
    def embedder(self, model: str) -> Embedder: ...
    def ocr(self) -> OcrReader: ...

    def default(self, modality: Modality) -> str:
        """The model to use when none is named, or empty when this provider has none."""

    def models(self) -> Sequence[str]:
        """Chat models to offer in menus."""

    def price_micro_usd(self, model: str, usage: Usage) -> int | None:
        """What that usage costs, in millionths of a US dollar, rounded up; None when unknown, which is not 0."""

    async def check(self, models: Mapping[Modality, str]) -> Sequence[Diagnostic]:
        """What `doctor` should know about these models: key, reachability, shutdown dates, missing weights."""

    async def close(self) -> None: ...
