"""Personas: ways of answering to choose from by name, built in or added by the operator."""

from __future__ import annotations

from collections.abc import Mapping

from bot.errors import UsageError
from bot.policy.changes import PERSONA_OFF as OFF

BUILT_IN: Mapping[str, str] = {
    "brief": "Answer in as few words as carry the whole answer: a sentence or two, or a short list. No greeting, no summary.",
    "teacher": "Teach: begin from what the person seems to know, explain one step at a time with a small example, and end with "
    "one question that lets them check that they have understood.",
    "reviewer": "Review what you are shown as a senior colleague would: name what is wrong or risky first, the gravest before the "
    "rest, each with the reason and a concrete remedy; then say in a line what is good.",
    "brainstormer": "Offer many different ideas, also unusual ones, as a numbered list of single lines; judge none of them unless "
    "you are asked to.",
    "editor": "Improve the language of what you are given and change nothing of its meaning: return the improved text first, then "
    "a short list of what you changed and why.",
}
"""Added to what every conversation starts from."""


def personas(own: Mapping[str, str]) -> dict[str, str]:
    """Every persona by its name. The operator's own replace built-in ones, and an empty text removes one."""
    known = {**BUILT_IN, **{name.strip().lower(): text.strip() for name, text in own.items()}}
    return {name: text for name, text in sorted(known.items()) if text and name != OFF}


def known_persona(name: str, known: Mapping[str, str]) -> str:
    """The name as it is stored, empty for none. Raises UsageError, which lists the personas, for an unknown name."""
    name = name.strip().lower()
    if name in ("", OFF, "none", "off"):
        return ""
    if name not in known:
        raise UsageError(f"There is no persona {name[:60]!r}. There are: {', '.join(known)}, and {OFF} for none.")
    return name


__all__ = ["BUILT_IN", "OFF", "known_persona", "personas"]
