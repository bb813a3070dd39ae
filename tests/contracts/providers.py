"""Every provider there is, ready for the suites of the model ports: a new one is added here and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from bot.ports import Provider, Tool
from bot.providers import echo as echo_folder
from bot.providers import openai as openai_folder
from bot.types import Blob
from tests.emulators.openai import KEY, OpenAIEmulator
from tests.emulators.openai.spec import violations

DRAW = Tool(
    "generate_image",
    "Make a picture.",
    {
        "type": "object",
        "properties": {"prompt": {"type": "string"}, "shape": {"type": "string", "enum": ["square"]}},
        "required": ["prompt", "shape"],
        "additionalProperties": False,
    },
)
"""A tool that models may call in tests."""


@dataclass
class Ready:
    """A provider and the models to try; an empty name where it has none."""

    provider: Provider
    chat: str
    transcribe: str
    speech: str
    image: str
    embedding: str
    openai: OpenAIEmulator | None = None


class MemoryBlobs:
    """The `Blobs` port in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def read(self, blob: Blob) -> bytes:
        """The bytes."""
        return self.kept[blob.sha256]

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Keep them."""
        import hashlib

        blob = Blob(hashlib.sha256(data).hexdigest(), mime_type, len(data))
        self.kept[blob.sha256] = data
        return blob


@asynccontextmanager
async def echo(home: Path) -> AsyncIterator[Ready]:
    """Echo."""
    provider = echo_folder.create()
    yield Ready(provider, "echo", "echo", "echo", "echo", "echo")
    await provider.close()


@asynccontextmanager
async def openai(home: Path) -> AsyncIterator[Ready]:
    """OpenAI's provider against the loopback OpenAI, by Responses."""
    async with OpenAIEmulator() as server:
        yield await _openai(server, "responses")
        assert violations(server.requests) == []


@asynccontextmanager
async def compatible(home: Path) -> AsyncIterator[Ready]:
    """The same against a compatible server: Chat Completions, and the older speech endpoint."""
    async with OpenAIEmulator() as server:
        ready = await _openai(server, "chat")
        ready.speech = "gpt-4o-mini-tts"
        yield ready
        assert violations(server.requests) == []


async def _openai(server: OpenAIEmulator, api: Literal["responses", "chat"]) -> Ready:
    options = openai_folder.Options(
        openai_api_key=SecretStr(KEY), openai_base_url=server.base_url, openai_api=api, openai_timeout_s=5
    )
    provider = openai_folder.create(options)
    return Ready(
        provider,
        "gpt-5.2",
        "gpt-transcribe",
        "gpt-realtime-2.1-mini",
        "gpt-image-2",
        "text-embedding-3-small",
        openai=server,
    )


PROVIDERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Ready]]] = {
    "echo": echo,
    "openai": openai,
    "compatible": compatible,
}
Making = Callable[[Path], Awaitable[Ready]]
