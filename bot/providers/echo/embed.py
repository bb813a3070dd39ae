"""Echo's vectors: words hashed into 64 numbers, so that texts which share words are near."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

from bot.ports import EmbeddingResult
from bot.providers.echo.script import Script
from bot.types import ModelProfile, Usage

DIMENSIONS = 64


class EchoEmbedder:
    """Text to vectors without a model."""

    def __init__(self, model: str, script: Script) -> None:
        self._script = script
        self._model = model
        self.profile = ModelProfile(name=f"echo:{model}", is_local=True, dimensions=DIMENSIONS)

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """A vector of length 1 for each text; a token is a word."""
        self._script.note("embedding", self._model, tuple(texts))
        scripted = self._script.result("embedding", " ".join(texts))
        used = Usage(input_tokens=sum(len(_words(text)) for text in texts))
        return scripted or EmbeddingResult(tuple(vector(text) for text in texts), used)


def vector(text: str) -> tuple[float, ...]:
    """How often each word's bucket occurs, scaled to length 1; a text without words points along the first axis."""
    counts = [0.0] * DIMENSIONS
    for word in _words(text) or [""]:
        counts[hashlib.sha256(word.encode()).digest()[0] % DIMENSIONS if word else 0] += 1.0
    length = math.sqrt(sum(count * count for count in counts))
    return tuple(count / length for count in counts)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
