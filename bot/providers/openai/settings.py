"""A person's settings as parameters, what has to be left out, and the words about it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bot.providers.openai.profiles import CHAT_ONLY, SAMPLING, Family, always_reasons, family
from bot.types import Settings

NAMES = {
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "reasoning": "effort",
    "reasoning_effort": "effort",
}
"""What a parameter is called among our settings, where the names differ."""
TUNING = ("temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty", "stop", "effort", "verbosity")


def chosen(settings: Settings) -> dict[str, Any]:
    """What was set, by our names."""
    return {name: value for name in TUNING if (value := getattr(settings, name)) is not None}


def wants_completions(model: str, settings: Settings, *, tools: bool) -> bool:
    """Whether a call has to go to Chat Completions: something only it takes was set, and the model can be called there."""
    facts = family(model)
    if not CHAT_ONLY & set(chosen(settings)) or (facts is not None and not facts.penalties):
        return False
    return not tools or facts is None or facts.chat_tools == "always" or _without_reasoning(facts, settings)


def _without_reasoning(facts: Family, settings: Settings) -> bool:
    return facts.chat_tools == "none" and (settings.effort or "none") == "none"


def fitting(
    model: str, settings: Settings, refused: Collection[str], *, completions: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What can be sent, by our names, and remarks about what cannot.

    refused: names that this server turned down before.
    """
    facts, kept = family(model), chosen(settings)
    notices: list[str] = []

    def drop(name: str, why: str) -> None:
        if kept.pop(name, None) is not None:
            notices.append(f"The setting {name} was left out: {why}.")

    for name in refused:
        drop(name, f"{model} does not take it")
    if not completions:
        for name in sorted(CHAT_ONLY):
            drop(
                name,
                f"{model} takes it only without tools, or not at all" if facts else f"{model} does not take it here",
            )
    if facts is not None:
        if "effort" in kept and kept["effort"] not in facts.efforts:
            allowed = f"it takes {', '.join(facts.efforts)}" if facts.efforts else "it does not reason"
            drop("effort", f"{model} cannot do {kept['effort']}; {allowed}")
        if not facts.efforts:
            drop("verbosity", f"{model} does not take it")
        if always_reasons(model):
            for name in sorted(SAMPLING):
                drop(name, f"{model} always reasons, and then takes none")
        elif kept.get("effort", "none") != "none":
            for name in sorted(SAMPLING):
                drop(name, f"{model} takes it only with effort none")
    return _settled(model, kept, facts), tuple(notices)


def _settled(model: str, kept: dict[str, Any], facts: Family | None) -> dict[str, Any]:
    """A temperature needs reasoning to be off, which is not every model's default."""
    if SAMPLING & set(kept) and facts is not None and "none" in facts.efforts:
        kept["effort"] = "none"
    return kept


def our_name(parameter: str) -> str:
    """What we call a parameter that the server complained about; empty when it is no setting."""
    name = NAMES.get(parameter, parameter)
    return name if name in TUNING else ("verbosity" if parameter == "text" else "")
