"""The forms that Parley opens at Discord: a question about a message, how a picture should change, a setting. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from adapters.discord.custom_ids import ASK, SETTINGS
from bot.types import CommandSpec

Form: TypeAlias = dict[str, Any]
LABEL, SELECT, INPUT = 18, 3, 4
LINE, PARAGRAPH = 1, 2


def ask_form(target: str) -> Form:
    """Asks what one wants to know about a message. Source: Discord, Components, Modal: title 45, label 45 characters."""
    words = _input("words", PARAGRAPH, "What would you like to know about it?")
    return {"custom_id": f"{ASK}:{target}", "title": "Ask about this", "components": [_label("Your question", words)]}


def edit_form(custom_id: str) -> Form:
    """Asks how a picture should change. custom_id: of the button that opened it."""
    words = _input("words", PARAGRAPH, "Make it bluer")
    return {"custom_id": custom_id, "title": "Edit the picture", "components": [_label("What should change?", words)]}


def settings_form(specs: Mapping[str, CommandSpec]) -> Form:
    """Asks which setting, and its value."""
    spec = specs.get("settings")
    names = next((option.choices for option in spec.options if option.name == "name"), ()) if spec else ()
    options = [{"label": name.replace("_", " "), "value": name} for name in names[:25]]
    select = {"type": SELECT, "custom_id": "name", "options": options, "placeholder": "Which one"}
    value = {**_input("value", LINE, "Leave empty to reset it"), "required": False}
    return {
        "custom_id": SETTINGS,
        "title": "Your settings",
        "components": [_label("Setting", select), _label("Value", value)],
    }


def _label(text: str, component: Form) -> Form:
    return {"type": LABEL, "label": text, "component": component}


def _input(name: str, style: int, hint: str) -> Form:
    return {"type": INPUT, "custom_id": name, "style": style, "placeholder": hint, "max_length": 4_000}
