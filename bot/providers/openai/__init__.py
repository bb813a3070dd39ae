"""OpenAI, and servers that speak its API: text and reasoning, speech, pictures and vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from bot.errors import UnavailableError
from bot.ports.plugins import FolderOptions, ProviderPlugin
from bot.types import Diagnostic, Modality, Usage

if TYPE_CHECKING:
    from bot.ports import ChatModel, Embedder, ImageGenerator, OcrReader, SpeechToText, TextToSpeech
    from bot.providers.openai.client import Connection

OPENAI_HOST = "api.openai.com"
EXAMPLES: Mapping[Modality, str] = {
    "chat": "auto",
    "transcribe": "whisper-1",
    "speech": "tts-1",
    "image": "gpt-image-2",
    "embedding": "text-embedding-3-small",
}
"""For hints: names that compatible servers take for one of their own models."""


class Options(FolderOptions):
    """What the environment says about OpenAI."""

    openai_api_key: SecretStr | None = Field(
        None,
        description="Key of an OpenAI project or service account; restricted permissions are enough (model capabilities: write).",
    )
    openai_base_url: str = Field(
        "", description="Another server that speaks OpenAI's API, such as `http://127.0.0.1:11434/v1`."
    )
    openai_org_id: str = Field("", description="Organization that pays, where the key belongs to several.")
    openai_project_id: str = Field("", description="Project that pays, where the key belongs to several.")
    openai_api: Literal["auto", "responses", "chat"] = Field(
        "auto",
        description="Which API answers: `responses`, `chat` (Chat Completions), or `auto`: Responses at OpenAI, Chat elsewhere.",
    )
    openai_timeout_s: float = Field(
        120, gt=0, description="Seconds without a sign of life after which a call is given up."
    )
    openai_prices: str = Field(
        "",
        description='Prices that are not known or not yours, in USD per million tokens: `{"model": [input, output]}` as JSON.',
    )

    @field_validator("openai_base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        split = urlsplit(value)
        if value and (split.scheme not in ("http", "https") or not split.hostname):
            raise ValueError("write an address such as http://127.0.0.1:11434/v1")
        return value

    @field_validator("openai_prices")
    @classmethod
    def _are_prices(cls, value: str) -> str:
        try:
            found = json.loads(value or "{}")
        except json.JSONDecodeError as error:
            raise ValueError(f"write it as JSON; {error}") from error
        if not isinstance(found, dict) or not all(_is_price(price) for price in found.values()):
            raise ValueError('write it as {"model": [input, output]}, in USD per million tokens')
        return value


def _is_price(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) and one >= 0 for one in value)
    )


def missing(options: Options) -> tuple[str, ...]:
    """On when there is a key or another server."""
    return () if options.openai_api_key or options.openai_base_url else ("OPENAI_API_KEY",)


def hint(modality: Modality, options: Options) -> str:
    """What brings a model of this modality that is off, for whoever runs the installation."""
    variable = f"{modality.upper()}_MODEL"
    if missing(options):
        return f"set OPENAI_API_KEY or {variable}"
    return f"set {variable}, such as openai:{EXAMPLES[modality]}"


def create(options: Options) -> OpenAIProvider:
    """Make the provider; the first call connects."""
    return OpenAIProvider(options)


class OpenAIProvider:
    """Makes the models of one account or server."""

    name = "openai"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._made: Connection | None = None

    @property
    def _connection(self) -> Connection:
        if self._made is None:
            from bot.providers.openai.client import Connection

            self._made = Connection(self._options)
        return self._made

    @property
    def _is_openai(self) -> bool:
        host = urlsplit(self._options.openai_base_url).hostname or OPENAI_HOST
        return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")

    def chat(self, model: str) -> ChatModel:
        """A model that answers."""
        from bot.providers.openai.chat import CompletionsModel
        from bot.providers.openai.responses import ResponsesModel

        api = self._options.openai_api
        if api == "chat" or (api == "auto" and not self._is_openai):
            return CompletionsModel(model, self._connection)
        return ResponsesModel(model, self._connection)

    def speech_to_text(self, model: str) -> SpeechToText:
        """A model that listens."""
        from bot.providers.openai.audio import Transcriber

        return Transcriber(model, self._connection)

    def text_to_speech(self, model: str) -> TextToSpeech:
        """A model that speaks: by Realtime when it is a realtime model, else by the speech endpoint."""
        from bot.providers.openai.audio import RealtimeSpeaker, Speaker

        return RealtimeSpeaker(model, self._connection) if "realtime" in model else Speaker(model, self._connection)

    def image_generator(self, model: str) -> ImageGenerator:
        """A model that makes pictures."""
        from bot.providers.openai.images import Painter

        return Painter(model, self._connection)

    def embedder(self, model: str) -> Embedder:
        """A model that turns text into vectors."""
        from bot.providers.openai.embeddings import VectorModel

        return VectorModel(model, self._connection)

    def ocr(self) -> OcrReader:
        """The models here see; nothing else reads."""
        raise UnavailableError("Models of this provider see pictures themselves.")

    def default(self, modality: Modality) -> str:
        """Models that live on; at another server only the chat model, the first that it names."""
        from bot.providers.openai.profiles import DEFAULTS

        if self._is_openai:
            return DEFAULTS[modality]
        return "auto" if modality == "chat" else ""

    def models(self) -> Sequence[str]:
        """Chat models to offer in menus."""
        from bot.providers.openai.profiles import OFFERED

        return OFFERED if self._is_openai else ()

    def price_micro_usd(self, model: str, usage: Usage) -> int | None:
        """What that usage costs; None when unknown."""
        from bot.providers.openai.prices import overridden, price_micro_usd

        price = price_micro_usd if self._is_openai else overridden
        return price(model, usage, self._options.openai_prices)

    async def check(self, models: Mapping[Modality, str]) -> Sequence[Diagnostic]:
        """Whether the key works and the models exist, and which will end."""
        from bot.providers.openai.check import check

        return await check(self._connection, models)

    async def close(self) -> None:
        """Let go of connections."""
        if self._made is not None:
            await self._made.close()


PLUGIN = ProviderPlugin(options=Options, create=create, missing=missing, hint=hint, preference=10)
