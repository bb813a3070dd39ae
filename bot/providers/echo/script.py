"""What a test may tell echo beforehand, and what it may ask afterwards: scripted answers, directives, the calls made."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.errors import BotError, from_json
from bot.ports import EmbeddingResult, ImageResult, ModelEvent, SpeechResult, TranscriptionResult
from bot.types import Modality

Scripted: TypeAlias = (
    ModelEvent | str | Exception | asyncio.Event | TranscriptionResult | SpeechResult | ImageResult | EmbeddingResult
)
DIRECTIVE = re.compile(r"\[\[(?P<name>[a-z_]+)(?:\s+(?P<rest>.*?))?\]\]", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One call of a model."""

    modality: str
    """One of the modalities, or "text" for reading what is written in a picture."""
    model: str
    request: Any
    """A ChatRequest, or what else the model was given: text, a prompt, texts, bytes."""
    extra: dict[str, Any]
    """The named arguments."""


class Script:
    """The calls that were made and the answers that are laid ready."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._ready: dict[str, deque[Sequence[Scripted]]] = defaultdict(deque)
        self._failed: set[str] = set()

    def enqueue(self, modality: Modality, items: Sequence[Scripted]) -> None:
        """Lay an answer ready for the next call of that modality, after those that lie there."""
        self._ready[modality].append(items)

    def note(self, modality: str, model: str, request: Any, **extra: Any) -> None:
        """Record a call."""
        self.calls.append(Call(modality, model, request, extra))

    def next(self, modality: Modality) -> Sequence[Scripted] | None:
        """The answer that was laid ready for this call, if any."""
        return self._ready[modality].popleft() if self._ready[modality] else None

    def result(self, modality: Modality, text: str = "") -> Any:
        """For the modalities with one result: the scripted one, or None; raises what was scripted or told in the text."""
        self.fail_as_told(text)
        items = self.next(modality)
        if items is None:
            return None
        if isinstance(items[0], Exception):
            raise items[0]
        return items[0]

    def fail_as_told(self, text: str) -> None:
        """Raise for `[[fail CODE]]`: with seconds as its Retry-After, with `once` only the first time."""
        if (told := directives(text).get("fail")) is None:
            return
        code, *rest = told.split() or [BotError.code]
        if "once" in rest and text in self._failed:
            return
        self._failed.add(text)
        seconds = next((float(word) for word in rest if word != "once"), None)
        raise from_json({"code": code, "text": f"Echo was told to fail: {code}.", "retry_after_s": seconds})


def directives(text: str) -> dict[str, str]:
    """The directives in a text by name, the last of a name winning: `[[cut after 3 words]]` is `{"cut": "after 3 words"}`."""
    return {found["name"]: (found["rest"] or "").strip() for found in DIRECTIVE.finditer(text)}


def without_directives(text: str) -> str:
    """The text as a person would have meant it."""
    return DIRECTIVE.sub("", text).strip()


def number(text: str, otherwise: float) -> float:
    """The first number in a directive's words."""
    found = re.search(r"\d+(?:\.\d+)?", text)
    return float(found[0]) if found else otherwise
