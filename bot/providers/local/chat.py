"""Chat with a GGUF model in this process, by llama.cpp."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import CutOffError, ProviderError, RejectedError, UnavailableError
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.providers.local.prompt import fit, plain
from bot.providers.local.worker import Emit, Stopped, Worker
from bot.types import GrowingText, ModelProfile, Settings, TextDelta, Usage

SETTINGS = frozenset({"temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty", "stop"})
REFUSED_SETTINGS = ("effort", "verbosity")
DEFAULT_TEMPERATURE = 0.3
"""Small models wander above it."""
DEFAULT_MAX_TOKENS = 512
GGUF_MAGIC = b"GGUF"
SILENT = -1
"""llama.cpp's verbosity below every message."""


@dataclass(frozen=True)
class Tuning:
    """How llama.cpp uses this machine."""

    threads: int
    """For answering: one less than the cores, as a busy core holds up all threads."""
    context_tokens: int


class LocalChat:
    """A chat model that runs here. It neither sees pictures nor calls tools, and says so when asked."""

    def __init__(self, name: str, path: Path, worker: Worker, tuning: Tuning) -> None:
        self._path = path
        self._worker = worker
        self._tuning = tuning
        self.profile = ModelProfile(
            name=f"local:{name}",
            context_tokens=tuning.context_tokens,
            output_tokens=tuning.context_tokens // 2,
            settings=SETTINGS,
            is_local=True,
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """Text as it comes. Closing the iterator stops the model within a token."""
        said = GrowingText()

        def work(emit: Emit[ModelEvent], stopped: Stopped) -> Iterator[None]:
            return self._work(request, emit, stopped)

        async with aclosing(self._worker.stream(work)) as events:
            try:
                async for event in events:
                    said.add(event.text if isinstance(event, TextDelta) else "")
                    yield event
            except ProviderError as error:
                if said:
                    raise CutOffError(f"The answer broke off. {error.text}", partial=said.text) from error
                raise

    def _work(self, request: ChatRequest, emit: Emit[ModelEvent], stopped: Stopped) -> Iterator[None]:
        server = self._worker.resident(f"chat {self._path}", lambda: load(self._path, self._tuning))
        yield
        answer = _Answer(emit, stopped)
        most = _max_tokens(request.settings, self._tuning)
        budget = self._tuning.context_tokens - most
        for _ in range(3):
            messages, was_cut = fit(plain(request.messages), budget)
            server.handle_chat_completions(_body(messages, request.settings, most), answer.take)
            if not answer.excess:
                break
            budget = int(budget / answer.excess * 0.9)  # the estimate was too low: by how much, the server has said
            answer.excess = 0.0
        if not stopped():
            emit(answer.done(_notices(request, was_cut=was_cut)))


class _Answer:
    """Takes the server's pieces of one answer."""

    def __init__(self, emit: Emit[ModelEvent], stopped: Stopped) -> None:
        self._emit = emit
        self._stopped = stopped
        self._finish = ""
        self._usage: Mapping[str, Any] = {}
        self._error: Mapping[str, Any] = {}
        self.excess = 0.0
        """How many times too long the prompt was; 0 when it fitted."""

    def take(self, piece: Mapping[str, Any]) -> bool:
        """Called by the server for each piece; True makes it stop."""
        if error := piece.get("error"):
            self._refuse(error)
            return True
        self._usage = piece.get("usage") or self._usage
        for choice in piece.get("choices", ()):
            if text := choice.get("delta", {}).get("content"):
                self._emit(TextDelta(text))
            self._finish = choice.get("finish_reason") or self._finish
        return self._stopped()

    def _refuse(self, error: Mapping[str, Any]) -> None:
        if error.get("type") == "exceed_context_size_error":
            self.excess = max(1.1, error.get("n_prompt_tokens", 0) / max(1, error.get("n_ctx", 1)))
        self._error = error

    def done(self, notices: tuple[str, ...]) -> ModelDone:
        """The end of the answer; raises what the server complained of."""
        if self._error and not self._finish:
            kind = RejectedError if self._error.get("code") == 400 else ProviderError
            raise kind(f"The local model could not answer: {self._error.get('message', 'unknown reason')}.")
        details = self._usage.get("prompt_tokens_details") or {}
        usage = Usage(
            input_tokens=self._usage.get("prompt_tokens", 0),
            cached_tokens=details.get("cached_tokens", 0),
            output_tokens=self._usage.get("completion_tokens", 0),
            is_estimate=not self._usage,
        )
        return ModelDone(usage, "length" if self._finish == "length" else "stop", notices)


def load(path: Path, tuning: Tuning) -> Any:
    """Start llama.cpp on a GGUF file; takes a second or two and about the file's size of memory.

    Its server always opens a socket. It is on 127.0.0.1 with a free port, and a key that is known to nobody; requests from
    other origins are not allowed. We call it in process. Raises UnavailableError for what is no model.
    """
    import os

    if not is_gguf(path):
        raise UnavailableError(f"{path} is no GGUF file that can be read. Set LOCAL_CHAT_MODEL to one.")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = tuning.context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = tuning.threads
    params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.cors_origins = "http://127.0.0.1"
    params.ui = params.endpoint_slots = False
    params.verbosity = SILENT
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise UnavailableError(f"The model {path.name} could not be loaded: {error}.") from error


def is_gguf(path: Path) -> bool:
    """Whether the file begins as GGUF files do."""
    try:
        with path.open("rb") as opened:
            return opened.read(len(GGUF_MAGIC)) == GGUF_MAGIC
    except OSError:
        return False


def _max_tokens(settings: Settings, tuning: Tuning) -> int:
    return max(1, min(settings.max_tokens or DEFAULT_MAX_TOKENS, tuning.context_tokens // 2))


def _body(messages: list[dict[str, str]], settings: Settings, max_tokens: int) -> dict[str, Any]:
    """The request as OpenAI's Chat Completions spells it."""
    chosen = {
        "top_p": settings.top_p,
        "frequency_penalty": settings.frequency_penalty,
        "presence_penalty": settings.presence_penalty,
        "stop": list(settings.stop) if settings.stop else None,
    }
    return {
        "messages": messages,
        "temperature": DEFAULT_TEMPERATURE if settings.temperature is None else settings.temperature,
        "max_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **{name: value for name, value in chosen.items() if value is not None},
    }


def _notices(request: ChatRequest, *, was_cut: bool) -> tuple[str, ...]:
    """What the person should know: settings left out, history not read. Of pictures the engine has told already."""
    notices = [
        f"The setting {name} was left out: the local model has no such setting."
        for name in REFUSED_SETTINGS
        if getattr(request.settings, name) is not None
    ]
    if was_cut:
        notices.append(
            "The local model reads little at once: earlier or longer parts of the conversation were left out."
        )
    return tuple(notices)
