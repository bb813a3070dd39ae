"""Text to vectors in this process: all-MiniLM-L6-v2 in 8 bits, on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.ports import EmbeddingResult
from bot.providers.local.worker import Worker
from bot.types import ModelProfile, Usage

DIMENSIONS = 384
MAX_TOKENS = 256
"""What the model was trained to read. Source: the model's card, all-MiniLM-L6-v2."""
BATCH = 32


@dataclass(frozen=True)
class _Model:
    tokenizer: Any
    session: Any


class LocalEmbedder:
    """MiniLM. It knows English well, other languages hardly."""

    def __init__(self, name: str, folder: Path, worker: Worker) -> None:
        self._folder = folder
        self._worker = worker
        self.profile = ModelProfile(
            name=f"local:{name}", context_tokens=MAX_TOKENS, is_local=True, dimensions=DIMENSIONS
        )

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        """A vector of 384 numbers for each text, of which it reads the first 256 tokens."""
        vectors: list[tuple[float, ...]] = []
        tokens = 0
        for start in range(0, len(texts), BATCH):
            batch = list(texts[start : start + BATCH])
            found, used = await self._worker.run(lambda batch=batch: self._embed(batch))  # type: ignore[misc]
            vectors += found
            tokens += used
        return EmbeddingResult(tuple(vectors), Usage(input_tokens=tokens))

    def _embed(self, texts: list[str]) -> tuple[list[tuple[float, ...]], int]:
        """The mean over each text's tokens, scaled to length 1."""
        import numpy as np

        model = self._worker.resident(f"embed {self._folder}", lambda: _load(self._folder))
        encoded = model.tokenizer.encode_batch(texts)
        ids = np.array([item.ids for item in encoded], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = model.session.run(["last_hidden_state"], fed)[0]
        mean = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return [tuple(row) for row in unit.astype(float).tolist()], int(mask.sum())


def _load(folder: Path) -> _Model:
    import onnxruntime
    from tokenizers import BertWordPieceTokenizer

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
    )
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return _Model(tokenizer, session)
