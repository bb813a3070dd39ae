"""What `/settings` and `/persona` would change, for whom, and whether the others at the place are told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from bot.errors import UsageError
from bot.policy.permissions import is_shared_choice, may_set, usual_scope
from bot.policy.settings import SCOPE_WORDS, parse_setting
from bot.types import Command, InboundMessage, Scope

USAGE = "Write it like this: /settings set NAME VALUE, with `for channel` or `for me` behind it if you like."
PERSONA_OFF = "default"
"""The word that chooses no persona."""


@dataclass(frozen=True)
class SettingsChange:
    """One choice to make or to take back."""

    scope: Scope
    name: str = ""
    """Empty for all settings of the scope, which are taken back."""
    value: str = ""
    """As it was written; empty to take the choice back."""


def settings_change(command: Command) -> SettingsChange | None:
    """What the command would change; None when it only shows. Raises UsageError when it is written wrongly."""
    if command.name == "persona":
        value = command.text.strip()
        return SettingsChange(_usual_scope(command), "persona", _persona(value)) if value else None
    words, scope = _scope(command)
    match [words[0].lower() if words else "show", *words[1:]]:
        case ["show", *_]:
            return None
        case ["reset", *names]:
            return SettingsChange(scope, names[0] if names else "")
        case ["set", name, _, *_]:
            return SettingsChange(scope, name, " ".join(words[2:]))
        case [first, _, *_] if first != "set":
            return SettingsChange(scope, words[0], " ".join(words[1:]))
    raise UsageError(USAGE)


def _persona(value: str) -> str:
    return "" if value.lower() in (PERSONA_OFF, "none", "off") else value


def _scope(command: Command) -> tuple[list[str], Scope]:
    """The words without `for SCOPE`, and the scope."""
    words = command.text.split()
    if len(words) >= 2 and words[-2].lower() == "for" and words[-1].lower() in SCOPE_WORDS:
        return words[:-2], SCOPE_WORDS[words[-1].lower()]
    return words, _usual_scope(command)


def _usual_scope(command: Command) -> Scope:
    return usual_scope(command.author, command.address, is_direct=command.is_direct)


def is_announced(inbound: InboundMessage | Command) -> bool:
    """Whether it is a valid choice that holds for others too. Its answer stands where they read it, whatever the command."""
    if not isinstance(inbound, Command) or inbound.name not in ("settings", "persona"):
        return False
    with suppress(UsageError):
        change = settings_change(inbound)
        if change is None or not is_shared_choice(change.scope, is_direct=inbound.is_direct):
            return False
        if change.value:
            parse_setting(change.name, change.value)
        return may_set(change.scope, inbound.author, inbound.address, is_direct=inbound.is_direct)
    return False
