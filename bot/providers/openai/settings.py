"""A person's settings as parameters, what has to be left out, and the words about it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bot.errors import RejectedError
from bot.policy.settings import MODEL_DEPENDENT
from bot.providers.openai.errors import is_lasting, parameter
from bot.providers.openai.profiles import CHAT_ONLY, SAMPLING, Family, always_reasons, family
from bot.types import Settings

NAMES = {
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "reasoning": "effort",
    "reasoning_effort": "effort",
    "text": "verbosity",
}
"""What a parameter is called among our settings, where the names differ."""
NEEDS_REST = SAMPLING | CHAT_ONLY
"""What a model that can reason takes only while it does not."""


def chosen(settings: Settings) -> dict[str, Any]:
    """What was set, by our names."""
    return {name: value for name in MODEL_DEPENDENT if (value := getattr(settings, name)) is not None}


def wants_completions(model: str, settings: Settings, *, tools: bool) -> bool:
    """Whether a call has to go to Chat Completions: something only it takes was set, and the model can be called there."""
    facts = family(model)
    if not CHAT_ONLY & set(chosen(settings)):
        return False
    if facts is None:
        return True
    rests = not facts.efforts or ("none" in facts.efforts and (settings.effort or "none") == "none")
    return facts.penalties and rests and (not tools or facts.chat_tools != "never")


def fitting(
    model: str, settings: Settings, refused: Collection[str], *, completions: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What can be sent, by our names, and remarks about what cannot.

    refused: names that this server turned down before. Stop texts need no remark: whoever reads the answer cuts it there.
    """
    facts, kept = family(model), chosen(settings)
    notices: list[str] = []

    def drop(name: str, why: str) -> None:
        if kept.pop(name, None) is not None and name != "stop":
            notices.append(f"The setting {name} was left out: {why}.")

    for name in refused:
        drop(name, f"{model} does not take it")
    for name, why in _unfit(model, facts, kept):
        drop(name, why)
    if not completions:
        for name in sorted(CHAT_ONLY):
            drop(name, f"{model} takes it only without tools, or not at all")
    if facts is not None and NEEDS_REST & set(kept) and "none" in facts.efforts and "effort" not in refused:
        kept["effort"] = "none"  # which is not every model's default
    return kept, tuple(notices)


def _unfit(model: str, facts: Family | None, kept: dict[str, Any]) -> list[tuple[str, str]]:
    """What this model is known not to take, and why."""
    if facts is None:
        return []
    found: list[tuple[str, str]] = []
    effort = kept.get("effort")
    if effort is not None and effort not in facts.efforts:
        allowed = f"it takes {', '.join(facts.efforts)}" if facts.efforts else "it does not reason"
        found.append(("effort", f"{model} cannot do {effort}; {allowed}"))
        effort = None
    if not facts.efforts:
        found.append(("verbosity", f"{model} does not take it"))
    if always_reasons(model):
        found += [(name, f"{model} always reasons, and then takes none") for name in sorted(NEEDS_REST)]
    elif effort not in (None, "none"):
        found += [(name, f"{model} takes it only with effort none") for name in sorted(NEEDS_REST)]
    return found


def our_name(found: str) -> str:
    """What we call a parameter that the server complained about; empty when it is no setting."""
    name = NAMES.get(found, found)
    return name if name in MODEL_DEPENDENT else ""


def blamed(error: RejectedError, settings: Settings) -> tuple[str, ...]:
    """The settings to leave out after a 400 that is about one of them; empty when it is about something else."""
    name = our_name(parameter(error))
    asked = chosen(settings)
    if name == "effort" and name not in asked:
        return ("effort", *sorted(NEEDS_REST & set(asked)))  # we set it ourselves, for the sake of these
    return (name,) if name in asked else ()


def learn(error: RejectedError, settings: Settings, dropped: set[str], lasting: set[str]) -> bool:
    """Note what is to be left out from now: in this call, and for good when the model takes it at no value.

    False when nothing can be left out that was not before.
    """
    names = set(blamed(error, settings)) - dropped - lasting
    dropped |= names
    if is_lasting(error):
        lasting |= names
    return bool(names)
