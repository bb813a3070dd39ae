"""Slash commands and message menus as Discord takes them. They are sent only when Discord holds others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.discord.client import DiscordClient
from bot.policy.settings import SETTINGS
from bot.types import CommandOption, CommandSpec, Intent

CHAT_INPUT, MESSAGE = 1, 3
STRING, ATTACHMENT = 3, 11
EVERYWHERE = {"integration_types": [0, 1], "contexts": [0, 1, 2]}
"""For servers and for persons; in servers, in direct messages with us, and elsewhere. Source: Discord, Application Commands."""
MENUS: Mapping[str, Intent | None] = {
    "Ask about this": None,
    "Summarise from here": "summarize",
    "Transcribe": "transcribe",
    "Describe image": "describe",
    "Translate": "translate",
}
"""What each message menu's command asks for; None asks for a question first."""
LOCAL_MENUS: Mapping[str, Mapping[str, str]] = {
    "Ask about this": {"de": "Danach fragen", "fr": "Poser une question", "es-ES": "Preguntar sobre esto"},
    "Summarise from here": {
        "de": "Ab hier zusammenfassen",
        "fr": "Résumer à partir d'ici",
        "es-ES": "Resumir desde aquí",
    },
    "Transcribe": {"de": "Verschriftlichen", "fr": "Transcrire", "es-ES": "Transcribir"},
    "Describe image": {"de": "Bild beschreiben", "fr": "Décrire l'image", "es-ES": "Describir imagen"},
    "Translate": {"de": "Übersetzen", "fr": "Traduire", "es-ES": "Traducir"},
}
LOCAL_NAMES: Mapping[str, Mapping[str, str]] = {
    "ask": {"de": "fragen", "fr": "demander", "es-ES": "preguntar"},
    "imagine": {"de": "malen", "fr": "imaginer", "es-ES": "imaginar"},
    "say": {"de": "vorlesen", "fr": "dire", "es-ES": "decir"},
    "transcribe": {"de": "verschriftlichen", "fr": "transcrire", "es-ES": "transcribir"},
    "summarize": {"de": "zusammenfassen", "fr": "résumer", "es-ES": "resumir"},
    "search": {"de": "suchen", "fr": "chercher", "es-ES": "buscar"},
    "settings": {"de": "einstellungen", "fr": "réglages", "es-ES": "ajustes"},
    "persona": {"de": "persona", "fr": "persona", "es-ES": "persona"},
    "usage": {"de": "verbrauch", "fr": "consommation", "es-ES": "consumo"},
    "reset": {"de": "neu", "fr": "recommencer", "es-ES": "reiniciar"},
    "forget": {"de": "vergessen", "fr": "oublier", "es-ES": "olvidar"},
    "help": {"de": "hilfe", "fr": "aide", "es-ES": "ayuda"},
}
COMPLETED = ("value", "model", "persona")
"""Options that suggest what may be entered."""
MAX_CHOICES = 25
"""Source: Discord, Application Command Option Choice, Autocomplete."""
WITHOUT: Mapping[str, Any] = {
    "options": [],
    "choices": [],
    "name_localizations": None,
    "required": False,
    "autocomplete": False,
}
"""What Discord may hold where our definition says nothing."""
log = logging.getLogger(__name__)


def command_set(specs: Mapping[str, CommandSpec]) -> list[dict[str, Any]]:
    """All commands and menus, as PUT /applications/{id}/commands takes them."""
    chat = [chat_input(spec) for spec in specs.values()]
    menus = [
        {"type": MESSAGE, "name": name, "name_localizations": dict(LOCAL_MENUS[name]), **EVERYWHERE} for name in MENUS
    ]
    return [*chat, *menus]


def chat_input(spec: CommandSpec) -> dict[str, Any]:
    """A slash command; what is required comes first, as Discord wants it."""
    made: dict[str, Any] = {"type": CHAT_INPUT, "name": spec.name, "description": spec.summary[:100], **EVERYWHERE}
    if names := LOCAL_NAMES.get(spec.name):
        made["name_localizations"] = dict(names)
    options = sorted(spec.options, key=lambda option: not option.required)
    return {**made, "options": [_option(option) for option in options]} if options else made


def _option(option: CommandOption) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": ATTACHMENT if option.is_attachment else STRING,
        "name": option.name,
        "description": option.summary[:100],
    }
    if option.required:
        made["required"] = True
    if option.choices:
        made["choices"] = [{"name": one, "value": one} for one in option.choices[:MAX_CHOICES]]
    elif option.name in COMPLETED:
        made["autocomplete"] = True
    return made


def suggestions(
    options: Sequence[Mapping[str, Any]], models: Sequence[str], personas: Sequence[str] = ()
) -> list[dict[str, str]]:
    """The suggestions for the option that a person is typing into."""
    given = {str(one.get("name")): str(one.get("value") or "") for one in options}
    focused = next((str(one.get("name")) for one in options if one.get("focused")), "")
    asked_for = given.get("name", "model") if focused == "value" else focused
    known = {"model": models, "persona": (*personas, "default") if personas else ()}
    declared = SETTINGS[asked_for].suggestions if asked_for in SETTINGS else ()
    offered = known.get(asked_for) or declared
    typed = given.get(focused, "").lower()
    found = [one for one in dict.fromkeys(offered) if typed in one.lower()][:MAX_CHOICES]
    return [{"name": one[:100], "value": one[:100]} for one in found]


def differences(wanted: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of commands that Discord lacks, holds in another form, or holds although we have none."""
    ours = {(one.get("type", 1), one.get("name")): one for one in wanted}
    theirs = {(one.get("type", 1), one.get("name")): one for one in held}
    both = ours.keys() & theirs.keys()
    wrong = (ours.keys() ^ theirs.keys()) | {key for key in both if not _is_same(ours[key], theirs[key])}
    return sorted(str(name) for _, name in wrong)


def _is_same(ours: Any, theirs: Any) -> bool:
    """Whether Discord holds our definition. It adds ids, versions and defaults of its own."""
    if isinstance(ours, Mapping):
        held = theirs if isinstance(theirs, Mapping) else {}
        return all(
            _is_same(value, held.get(name)) for name, value in {**WITHOUT, **ours}.items() if name in (*ours, *held)
        )
    if isinstance(ours, list | tuple):
        found = list(theirs or ())
        if all(isinstance(one, int) for one in ours):
            return sorted(ours) == sorted(found)
        return len(ours) == len(found) and all(map(_is_same, ours, found))
    return bool(ours == theirs or (not ours and not theirs))


async def sync(client: DiscordClient) -> bool:
    """Send our commands to Discord if it holds others; return whether they were sent. Raises DiscordError."""
    app_id, commands = await client.app_id(), command_set(client.host.commands)
    path, whole = "/applications/{application_id}/commands", {"with_localizations": "true"}
    held = await client.call("GET", path, application_id=app_id, params=whole)
    if not (wrong := differences(commands, held)):
        return False
    await client.call("PUT", path, commands, application_id=app_id)
    log.info("sent %d commands to Discord, which held others for %s", len(commands), ", ".join(wrong[:12]))
    return True
