"""Text to vectors, in batches as large as the server takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bot.ports import EmbeddingResult
from bot.providers.openai.client import Connection
from bot.providers.openai.errors import ours
from bot.providers.openai.profiles import media_profile
from bot.types import Usage, clean_text

MAX_INPUTS = 2_048
MAX_TOKENS = 300_000
MAX_INPUT_TOKENS = 8_192
"""Create embeddings: inputs and tokens of a request, tokens of an input."""
DIMENSIONS = {"text-embedding-3-small": 1_536, "text-embedding-3-large": 3_072}


class VectorModel:
    """An embedding model."""

    def __init__(self, model: str, connection: Connection) -> None:
        self.profile = media_profile(model, context_tokens=MAX_INPUT_TOKENS, dimensions=DIMENSIONS.get(model, 0))
        self._model = model
        self._connection = connection

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """Vectors of length 1, in the order of the texts; each text is cut to what the model reads."""
        vectors: list[tuple[float, ...]] = []
        usage = Usage()
        for batch in batches([cut(text) for text in texts]):
            with ours():
                answer = await self._connection.client.embeddings.create(model=self._model, input=batch)
            vectors += [unit(item.embedding) for item in sorted(answer.data, key=lambda item: item.index)]
            usage += Usage(input_tokens=answer.usage.prompt_tokens if answer.usage else 0)
        return EmbeddingResult(tuple(vectors), usage)


def tokens(text: str) -> int:
    """An upper bound that is not far off: a token is at least a byte, and for plain text about four."""
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    return min(size_bytes, len(text) // 2 + 8) if text.isascii() else size_bytes


def cut(text: str) -> str:
    """As much as surely fits; an empty text becomes a space, since the server refuses none."""
    while (found := tokens(text)) > MAX_INPUT_TOKENS:
        text = text[: max(int(len(text) * MAX_INPUT_TOKENS / found), 1)]
    return clean_text(text) or " "


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, in lists that one request may hold."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == MAX_INPUTS or size + tokens(text) > MAX_TOKENS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += tokens(text)
    if batch:
        yield batch


def unit(vector: Sequence[float]) -> tuple[float, ...]:
    """The vector at length 1."""
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return tuple(value / length for value in vector)
