"""Echo: a provider without a model. Every modality, deterministic, offline and at once, for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.errors import UnavailableError
from bot.ports.plugins import FolderOptions, ProviderPlugin
from bot.types import Diagnostic, Modality, Usage

if TYPE_CHECKING:
    from bot.ports import ChatModel, Embedder, ImageGenerator, OcrReader, SpeechToText, TextToSpeech
    from bot.providers.echo.script import Call, Scripted

MODELS = ("echo", "echo-blind", "echo-unpriced")
"""The plain one; one that neither sees, nor reads files, nor calls tools; one whose price nobody knows."""
IMAGE_MICRO_USD = 1_000


def create(options: FolderOptions | None = None) -> EchoProvider:
    """Make the provider; the options do not matter to it."""
    return EchoProvider()


class EchoProvider:
    """Answers every port with what it was given. `calls` says what was asked, `enqueue` scripts what comes next."""

    name = "echo"

    def __init__(self) -> None:
        from bot.providers.echo.script import Script

        self.script = Script()

    @property
    def calls(self) -> list[Call]:
        """What was asked of any model of this provider, oldest first."""
        return self.script.calls

    def enqueue(self, *items: Scripted, modality: Modality = "chat") -> None:
        """Set how the next call of that modality goes, in place of the echo.

        chat: the items happen in order: a string or an event is streamed, an exception is raised, an `asyncio.Event` is
        waited for; a ModelDone is added unless one is given. Other modalities: one item, the result or an exception.
        """
        self.script.enqueue(modality, items)

    def chat(self, model: str) -> ChatModel:
        """A model that says back what it was told; see `chat` for the directives that it understands."""
        from bot.providers.echo.chat import EchoChat

        return EchoChat(_known(model), self.script)

    def speech_to_text(self, model: str) -> SpeechToText:
        """Reads back what echo's own speaker spoke, word for word; says how long anything else is."""
        from bot.providers.echo.speech import EchoTranscriber

        return EchoTranscriber(_known(model), self.script)

    def text_to_speech(self, model: str) -> TextToSpeech:
        """Speaks in tones, about as fast as a person."""
        from bot.providers.echo.speech import EchoSpeaker

        return EchoSpeaker(_known(model), self.script)

    def image_generator(self, model: str) -> ImageGenerator:
        """Writes the prompt on a coloured ground."""
        from bot.providers.echo.pictures import EchoPainter

        return EchoPainter(_known(model), self.script)

    def embedder(self, model: str) -> Embedder:
        """Texts that share words are near."""
        from bot.providers.echo.embed import EchoEmbedder

        return EchoEmbedder(_known(model), self.script)

    def ocr(self) -> OcrReader:
        """Reads the prompt off echo's own pictures; says how large anything else is."""
        from bot.providers.echo.pictures import EchoTextReader

        return EchoTextReader(self.script)

    def default(self, modality: Modality) -> str:
        """`echo`, for every modality."""
        return MODELS[0]

    def models(self) -> Sequence[str]:
        """All of them."""
        return MODELS

    def price_micro_usd(self, model: str, usage: Usage) -> int | None:
        """A micro-dollar for each token, character and second, 1,000 for a picture; None for `echo-unpriced`."""
        if model == "echo-unpriced":
            return None
        counted = usage.input_tokens + usage.output_tokens + usage.characters + usage.images * IMAGE_MICRO_USD
        return counted + -int(-usage.audio_s // 1)

    async def check(self, models: Mapping[Modality, str]) -> Sequence[Diagnostic]:
        """Nothing can be wrong; says that the answers are no answers."""
        text = "says back what it is told; it is meant for tests"
        return [Diagnostic(modality, "ok", f"{self.name}:{model} {text}") for modality, model in models.items()]

    async def close(self) -> None:
        """Nothing is held."""


def _known(model: str) -> str:
    if model not in MODELS:
        raise UnavailableError(f"echo has no model {model!r}. Its models: {', '.join(MODELS)}.")
    return model


PLUGIN = ProviderPlugin(options=FolderOptions, create=create, only_when_named=True)
