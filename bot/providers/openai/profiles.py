"""Facts about OpenAI's models: what they take, when they end, and what comes after them.

Sources: the SDK's model lists and their deprecation notes, and the model, deprecation and latest-model pages of
developers.openai.com, as of November 2026. An unknown model gets careful defaults, and what it refuses is learnt from its 400s.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from bot.types import Modality, ModelProfile

DEFAULTS: dict[Modality, str] = {
    "chat": "gpt-6.1-terra",
    "transcribe": "gpt-transcribe",
    "speech": "gpt-realtime-2.1-mini",
    "image": "gpt-image-2.5-flare",
    "embedding": "text-embedding-3-small",
}
OFFERED = ("gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-astra", "gpt-6-luna", "gpt-5.5", "gpt-5.4-mini", "gpt-5.2")
ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
THINKING = ("low", "medium", "high", "xhigh", "max")
SAMPLING = frozenset({"temperature", "top_p"})
CHAT_ONLY = frozenset({"frequency_penalty", "presence_penalty", "stop"})
"""What only Chat Completions takes."""
NATIVE_STOP = frozenset({"stop"})
"""Not worth leaving Responses, or giving up reasoning, for: the engine cuts at stop texts itself."""
ALWAYS = frozenset({"max_tokens"})
REASONING = frozenset({"effort", "verbosity"})


@dataclass(frozen=True)
class Family:
    """Facts that models whose names begin alike share."""

    prefix: str
    context_tokens: int = 128_000
    output_tokens: int = 16_384
    efforts: tuple[str, ...] = ()
    chat_tools: str = "always"
    """Whether Chat Completions lets it call tools: always, "none" only without reasoning, never."""
    sees: bool = True
    penalties: bool = True
    """Whether it takes penalties and stop sequences by Chat Completions at all."""


FAMILIES = (
    Family("gpt-6-astra", 1_050_000, 128_000, THINKING, "never", penalties=False),
    Family("gpt-6.2-astra", 1_050_000, 128_000, THINKING, "never", penalties=False),
    Family("gpt-6.1-sol", 1_050_000, 128_000, THINKING, "never", penalties=False),
    Family("gpt-6.2-sol", 1_050_000, 128_000, THINKING, "never", penalties=False),
    Family("gpt-6.1-terra", 1_050_000, 128_000, ("none", *THINKING), "never"),
    Family("gpt-6-luna", 1_050_000, 128_000, ("none", *THINKING), "none"),
    Family("gpt-6", 1_050_000, 128_000, ("none", *THINKING), "none"),
    Family("gpt-5.6", 1_050_000, 128_000, ("none", *THINKING), "none"),
    Family("gpt-5.5", 1_050_000, 128_000, ("none", "low", "medium", "high", "xhigh")),
    Family("gpt-5.4", 400_000, 128_000, ("none", "low", "medium", "high", "xhigh")),
    Family("gpt-5.2-pro", 400_000, 128_000, ("medium", "high", "xhigh"), "never", penalties=False),
    Family("gpt-5.2", 400_000, 128_000, ("none", "low", "medium", "high", "xhigh")),
    Family("gpt-5.1", 400_000, 128_000, ("none", "low", "medium", "high")),
    Family("gpt-5", 400_000, 128_000, ("minimal", "low", "medium", "high"), penalties=False),
    Family("o", 200_000, 100_000, ("low", "medium", "high"), penalties=False),
    Family("gpt-4.1", 1_000_000, 32_768),
    Family("gpt-4o", 128_000, 16_384),
    Family("chatgpt", 128_000, 16_384),
)
DATED = re.compile(r"-20\d\d-\d\d-\d\d$")
ENDS: dict[str, tuple[date, str]] = {
    "gpt-5.2-chat-latest": (date(2026, 8, 10), "gpt-5.5"),
    "gpt-5.3-chat-latest": (date(2026, 8, 10), "gpt-5.5"),
    "gpt-5": (date(2026, 12, 11), "gpt-5.5"),
    "gpt-5-mini": (date(2026, 12, 11), "gpt-6.1-terra"),
    "gpt-5-nano": (date(2026, 12, 11), "gpt-6-luna"),
    "o3": (date(2026, 12, 11), "gpt-6.1-sol"),
    "gpt-4o": (date(2027, 1, 14), "gpt-6.1-terra"),
    "gpt-4o-mini": (date(2027, 1, 14), "gpt-6-luna"),
    "gpt-4.1": (date(2027, 1, 14), "gpt-6.1-terra"),
    "gpt-4.1-mini": (date(2027, 1, 14), "gpt-6-luna"),
    "gpt-4.1-nano": (date(2026, 10, 23), "gpt-6-luna"),
    "gpt-5.1": (date(2027, 4, 1), "gpt-5.5"),
    "gpt-5.4-nano": (date(2027, 4, 1), "gpt-6-luna"),
    "gpt-4o-2024-05-13": (date(2026, 10, 23), "gpt-6.1-terra"),
    "gpt-5.1-chat-latest": (date(2026, 7, 23), "gpt-5.5"),
    "gpt-5.1-codex": (date(2026, 7, 23), "gpt-6.1-sol"),
    "gpt-5-chat-latest": (date(2026, 7, 23), "gpt-5.5"),
    "gpt-4o-search-preview": (date(2026, 7, 23), "gpt-6.1-terra"),
    "gpt-4o-mini-search-preview": (date(2026, 7, 23), "gpt-6-luna"),
    "gpt-audio-mini": (date(2027, 1, 20), "gpt-realtime-2.1-mini"),
    "gpt-4-0613": (date(2026, 10, 23), "gpt-6.1-terra"),
    "gpt-4-1106-preview": (date(2026, 10, 23), "gpt-6.1-terra"),
    "gpt-3.5-turbo-0125": (date(2026, 10, 23), "gpt-6-luna"),
    "gpt-3.5-turbo-1106": (date(2026, 9, 28), "gpt-6-luna"),
    "o1": (date(2026, 10, 23), "gpt-6.1-sol"),
    "o3-mini": (date(2026, 10, 23), "gpt-6-luna"),
    "o4-mini": (date(2026, 10, 23), "gpt-6-luna"),
    "gpt-4": (date(2026, 10, 23), "gpt-6.1-terra"),
    "gpt-4-turbo": (date(2026, 10, 23), "gpt-6.1-terra"),
    "gpt-3.5-turbo": (date(2026, 10, 23), "gpt-6-luna"),
    "chatgpt-4o-latest": (date(2026, 2, 17), "gpt-6.1-terra"),
    "gpt-image-1": (date(2026, 10, 23), "gpt-image-2.5-flare"),
    "gpt-image-1.5": (date(2026, 12, 1), "gpt-image-2.5-flare"),
    "gpt-image-1-mini": (date(2026, 12, 1), "gpt-image-2.5-flare"),
    "chatgpt-image-latest": (date(2026, 12, 1), "gpt-image-2.5-flare"),
    "dall-e-2": (date(2026, 5, 12), "gpt-image-2.5-flare"),
    "dall-e-3": (date(2026, 5, 12), "gpt-image-2.5-flare"),
    "whisper-1": (date(2027, 2, 26), "gpt-transcribe"),
    "gpt-4o-transcribe": (date(2027, 2, 26), "gpt-transcribe"),
    "gpt-4o-mini-transcribe": (date(2027, 2, 26), "gpt-transcribe"),
    "gpt-4o-transcribe-diarize": (date(2027, 2, 26), "gpt-transcribe"),
    "tts-1": (date(2027, 1, 6), "gpt-realtime-2.1-mini"),
    "tts-1-hd": (date(2027, 1, 6), "gpt-realtime-2.1-mini"),
    "gpt-4o-mini-tts": (date(2027, 1, 6), "gpt-realtime-2.1-mini"),
}
"""When a model ends, and its successor. A dated snapshot ends with the name that it begins with, unless it is listed."""
VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "onyx",
    "nova",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)
OLD_VOICES = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")
"""Of tts-1 and tts-1-hd."""
REALTIME_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
MAX_TRANSCRIBE_S = 1_400.0
"""Longest recording of the gpt-4o transcription models; others are held to it too, since nothing is lost by splitting."""


def family(model: str) -> Family | None:
    """The facts about a chat model, or None for one that nobody knows."""
    found = [one for one in FAMILIES if model.startswith(one.prefix)]
    found = [one for one in found if one.prefix != "o" or (model[1:2].isdigit())]
    return max(found, key=lambda one: len(one.prefix), default=None)


def ends(model: str) -> tuple[date | None, str]:
    """When it ends and its successor; None when no date is known."""
    return ENDS.get(model) or ENDS.get(undated(model)) or (None, "")


def undated(model: str) -> str:
    """The name without the date of a snapshot."""
    return DATED.sub("", model)


def always_reasons(model: str) -> bool:
    """Whether reasoning cannot be turned off, so that it never takes a temperature."""
    facts = family(model)
    return facts is not None and bool(facts.efforts) and "none" not in facts.efforts


def chat_profile(model: str, *, responses: bool, refused: Collection[str] = ()) -> ModelProfile:
    """The profile of a chat model by the API that will be used first. refused: settings that the server turned down before."""
    made = _chat_profile(model, responses=responses)
    return replace(made, settings=made.settings - frozenset(refused))


def _chat_profile(model: str, *, responses: bool) -> ModelProfile:
    facts = family(model)
    end, successor = ends(model)
    if facts is None:
        settings = ALWAYS | SAMPLING | (CHAT_ONLY - NATIVE_STOP if responses else CHAT_ONLY)
        return ModelProfile(
            f"openai:{model}",
            context_tokens=32_000,
            sees_images=responses,
            calls_tools=True,
            settings=settings,
            shutdown_at=end,
            successor=successor,
        )
    settings = ALWAYS | (REASONING if facts.efforts else frozenset())
    settings |= frozenset() if always_reasons(model) else SAMPLING
    calls_tools = responses or facts.chat_tools != "never"
    if facts.penalties and (not calls_tools or facts.chat_tools != "never"):
        settings |= CHAT_ONLY - (NATIVE_STOP if responses or facts.efforts else frozenset())
    return ModelProfile(
        f"openai:{model}",
        context_tokens=facts.context_tokens,
        output_tokens=facts.output_tokens,
        sees_images=facts.sees,
        reads_files=facts.sees and responses,
        calls_tools=calls_tools,
        settings=settings,
        efforts=facts.efforts,
        shutdown_at=end,
        successor=successor,
    )


def media_profile(model: str, **facts: object) -> ModelProfile:
    """The profile of a model that does not chat."""
    end, successor = ends(model)
    return ModelProfile(f"openai:{model}", shutdown_at=end, successor=successor, **facts)  # type: ignore[arg-type]
