"""What a person may set: names, allowed values and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.errors import UsageError


@dataclass(frozen=True)
class SettingSpec:
    """One setting."""

    name: str
    summary: str
    parse: Callable[[str], Any]
    """Raises ValueError with the values that are allowed."""
    values: str
    """The allowed values in words."""


ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}
ESCAPE = re.compile(r"\\([nt\\])")
"""How a person writes what cannot be typed into a command; every other character stands for itself."""


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text.replace(",", "."))
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError
        return text.lower()

    return parse


def _words(limit: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text or len(text) > limit:
            raise ValueError
        return text

    return parse


def _model(text: str) -> str:
    provider, colon, model = text.partition(":")
    if not (provider and colon and model):
        raise ValueError
    return text


def _stops(text: str) -> tuple[str, ...]:
    pieces = (piece.strip().strip('"') for piece in text.split(","))
    found = tuple(ESCAPE.sub(lambda escaped: ESCAPES[escaped[1]], piece) for piece in pieces if piece)
    if not 1 <= len(found) <= 4:
        raise ValueError
    return found


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SPECS = {
    spec.name: spec
    for spec in (
        SettingSpec("model", "The model that answers.", _model, "provider:model, such as openai:gpt-5.2"),
        SettingSpec("system_prompt", "What the model is told to be.", _words(8_000), "up to 8,000 characters"),
        SettingSpec("persona", "Who answers.", _words(64), "a name that /persona lists, or default"),
        SettingSpec("temperature", "How freely it picks words.", _number(0, 2), "0 to 2"),
        SettingSpec("top_p", "How many unlikely words it considers.", _number(0, 1), "0 to 1"),
        SettingSpec("max_tokens", "How long an answer may be.", _whole(16, 128_000), "16 to 128000 tokens"),
        SettingSpec("frequency_penalty", "How much it avoids repeating words.", _number(-2, 2), "-2 to 2"),
        SettingSpec("presence_penalty", "How much it seeks new subjects.", _number(-2, 2), "-2 to 2"),
        SettingSpec("stop", "Where it stops writing.", _stops, "one to four texts, separated by commas"),
        SettingSpec("effort", "How long it thinks.", _one_of(*EFFORTS), ", ".join(EFFORTS)),
        SettingSpec("verbosity", "How much it says.", _one_of("low", "medium", "high"), "low, medium, high"),
        SettingSpec(
            "speech",
            "When answers are spoken: mirror speaks to those who spoke.",
            _one_of("mirror", "always", "never"),
            "mirror, always, never",
        ),
        SettingSpec("voice", "Whose voice speaks.", _words(64), "a voice of the speech model"),
        SettingSpec("image_size", "Size of pictures.", _words(16), "auto, square, landscape, portrait, or 1536x1024"),
        SettingSpec(
            "image_quality",
            "Quality of pictures.",
            _one_of("auto", "low", "medium", "high", "xhigh", "max"),
            "auto, low, medium, high, xhigh, max",
        ),
        SettingSpec(
            "follow",
            "What is answered without a mention: replies in threads of ours, everything, or nothing.",
            _one_of("thread", "always", "mention", "never"),
            "thread, always, mention, never",
        ),
        SettingSpec(
            "language",
            "Language spoken in voice notes, when it is always the same.",
            _words(8),
            "a code such as en or de",
        ),
    )
}
MODEL_SETTINGS = (
    "temperature",
    "top_p",
    "max_tokens",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "effort",
    "verbosity",
)
"""Those that a model may refuse."""


def known_name(name: str) -> str:
    """The setting's name as it is kept; raises UsageError for an unknown one."""
    name = name.lower().replace("-", "_")
    if name not in SPECS:
        raise UsageError(f"There is no setting {name!r}. There are: {', '.join(SPECS)}.")
    return name


def parse_setting(name: str, text: str) -> tuple[str, Any]:
    """The setting's name and value; raises UsageError that says what is allowed."""
    name = known_name(name)
    try:
        return name, SPECS[name].parse(text.strip())
    except ValueError as error:
        raise UsageError(f"{name} takes {SPECS[name].values}.") from error
