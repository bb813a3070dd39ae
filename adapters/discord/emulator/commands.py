"""Owns the registered application commands: their limits, the overwrites of all, and how the app is told of a use."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from . import limits
from .errors import ApiError, Form
from .model import Json
from .world import World

CHAT_INPUT, USER, MESSAGE = 1, 2, 3
PER_KIND = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15}
"""Most commands of a kind in one scope; context menus were 5 until March 2026. Source: Discord, change log."""
CREATES_A_DAY = 200
OPTIONS, CHOICES, CHARACTERS = 25, 25, 8000
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER_OPTION, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)
_LOCALES = (
    "ar bg cs da de el en-GB en-US es-419 es-ES fi fr he hi hr hu id it ja ko lt nl no pl pt-BR ro ru sv-SE th tr uk "
    "vi zh-CN zh-TW"
)
LOCALES = frozenset(_LOCALES.split())
NAME = re.compile(r"^[-_'\w\u0900-\u097F\u0E00-\u0E7F]{1,32}$")


class Commands:
    """Commands by scope: None is everywhere, else a server's id."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scopes: dict[int | None, list[Json]] = {}
        self._creates: deque[float] = deque()

    def every(self, scope: int | None) -> list[Json]:
        """A scope's commands."""
        return self.scopes.setdefault(scope, [])

    def find(self, scope: int | None, command_id: int) -> Json:
        """One command by id; 10063 else."""
        for command in self.every(scope):
            if command["id"] == str(command_id):
                return command
        raise ApiError(10063)

    def named(self, guild_id: int | None, name: str, kind: int) -> Json | None:
        """The command that a person means in a place: the server's own first."""
        scopes = ([guild_id] if guild_id else []) + [None]
        every = [command for scope in scopes for command in self.every(scope)]
        return next((one for one in every if one["name"] == name and one["type"] == kind), None)

    def replace_all(self, scope: int | None, bodies: list[Json]) -> list[Json]:
        """Bulk Overwrite: these are all; those that had the name before keep their id."""
        form = Form()
        for index, body in enumerate(bodies):
            check(form, body, (index,))
        form.finish()
        self._check_counts(bodies)
        old = {(one["type"], one["name"]): one for one in self.every(scope)}
        made = [self._made(scope, body, old.get((body.get("type") or CHAT_INPUT, body["name"]))) for body in bodies]
        self.scopes[scope] = made
        return made

    def create(self, scope: int | None, body: Json) -> tuple[Json, bool]:
        """Create or, by the same name and kind, replace; and whether it is new."""
        form = Form()
        check(form, body, ())
        form.finish()
        kind = body.get("type") or CHAT_INPUT
        others = [one for one in self.every(scope) if (one["type"], one["name"]) != (kind, body["name"])]
        old = next((one for one in self.every(scope) if one not in others), None)
        self._check_counts([*others, body])
        made = self._made(scope, body, old)
        self.scopes[scope] = [*others, made]
        return made, old is None

    def edit(self, scope: int | None, command_id: int, body: Json) -> Json:
        """Change the named fields of a command."""
        old = self.find(scope, command_id)
        merged = {key: old[key] for key in old if key not in ("id", "version", "application_id")} | body
        form = Form()
        check(form, merged, ())
        form.finish()
        made = self._made(scope, merged, old)
        self.scopes[scope] = [made if one is old else one for one in self.every(scope)]
        return made

    def delete(self, scope: int | None, command_id: int) -> None:
        """Forget a command."""
        self.every(scope).remove(self.find(scope, command_id))

    def _check_counts(self, bodies: list[Json]) -> None:
        kinds = [body.get("type") or CHAT_INPUT for body in bodies]
        if any(kinds.count(kind) > most for kind, most in PER_KIND.items()):
            raise ApiError(30032)
        keys = [(body.get("type") or CHAT_INPUT, body["name"]) for body in bodies]
        if len(keys) != len(set(keys)):
            message = "Application command names must be unique"
            errors = {"_errors": [{"code": "APPLICATION_COMMANDS_DUPLICATE_NAME", "message": message}]}
            raise ApiError(50035, errors=errors)

    def _made(self, scope: int | None, body: Json, old: Json | None) -> Json:
        if old is None:
            self._count_create()
        made: Json = {
            "id": old["id"] if old else str(self.world.new_id()),
            "application_id": str(self.world.app.id),
            "version": str(self.world.new_id()),
            "default_member_permissions": _text_or_none(body.get("default_member_permissions")),
            "type": body.get("type") or CHAT_INPUT,
            "name": body["name"],
            "name_localizations": body.get("name_localizations"),
            "description": body.get("description") or "",
            "description_localizations": body.get("description_localizations"),
            "contexts": body.get("contexts"),
            "integration_types": body.get("integration_types") or [0],
            "nsfw": bool(body.get("nsfw")),
        }
        made |= {"guild_id": str(scope)} if scope else {"dm_permission": body.get("dm_permission") is not False}
        return made | ({"options": body["options"]} if body.get("options") else {})

    def _count_create(self) -> None:
        now = self.world.clock.time()
        while self._creates and self._creates[0] < now - 86_400:
            self._creates.popleft()
        if len(self._creates) >= CREATES_A_DAY:
            raise ApiError(30034)
        self._creates.append(now)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def check(form: Form, body: Json, path: limits.Path) -> None:
    """Check one command: names, descriptions, options and their choices, 8,000 characters altogether."""
    kind = body.get("type") or CHAT_INPUT
    _check_name(form, body, path, chat=kind == CHAT_INPUT)
    if kind == CHAT_INPUT:
        _check_description(form, body, path)
        check_options(form, body, path, depth=0)
    else:
        for key in ("description", "options"):
            if body.get(key):
                form.bad((*path, key), "APPLICATION_COMMAND_INVALID_FIELD", "Context menu commands cannot have this")
    for key in ("contexts", "integration_types"):
        if body.get(key) is not None:
            limits.items(form, body, key, path, 3, low=1)
    if _size(body) > CHARACTERS:
        form.bad(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")


def _check_name(form: Form, body: Json, path: limits.Path, *, chat: bool = True) -> None:
    limits.text(form, body, "name", path, 32, low=1, required=True)
    named: list[tuple[tuple[str, ...], Any]] = [(("name",), body.get("name"))]
    named += [(("name_localizations", key), one) for key, one in (body.get("name_localizations") or {}).items()]
    for at, name in named:
        if at[-1] != "name" and at[-1] not in LOCALES:
            form.bad((*path, *at), "ENUM_TYPE_COERCE", f'Value "{at[-1]}" is not a valid enum value.')
        if chat and isinstance(name, str) and (not NAME.match(name) or name != name.lower()):
            form.bad((*path, *at), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_description(form: Form, body: Json, path: limits.Path) -> None:
    limits.text(form, body, "description", path, 100, low=1, required=True)
    for locale in body.get("description_localizations") or {}:
        at = (*path, "description_localizations")
        limits.text(form, body["description_localizations"], locale, at, 100, low=1)


def check_options(form: Form, body: Json, path: limits.Path, *, depth: int) -> None:
    """Options: at most 25, required ones first, unique names; subcommands at most two deep."""
    options = limits.items(form, body, "options", path, OPTIONS)
    if len({option.get("name") for option in options}) != len(options):
        form.bad((*path, "options"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option names must be unique")
    seen_optional = False
    for index, option in enumerate(options):
        at = (*path, "options", index)
        _check_option(form, option, at, depth)
        if option.get("required") and seen_optional:
            message = "Required options must be placed before non-required options"
            form.bad(at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        seen_optional = seen_optional or not option.get("required")


def _check_option(form: Form, option: Json, path: limits.Path, depth: int) -> None:
    _check_name(form, option, path)
    _check_description(form, option, path)
    limits.choice(form, option, "type", path, range(1, 12))
    kind = option.get("type")
    if kind in (SUBCOMMAND, GROUP):
        if depth + (kind == SUBCOMMAND) > 2:
            form.bad(path, "APPLICATION_COMMAND_OPTIONS_NESTING", "Subcommands are nested too deeply")
        check_options(form, option, path, depth=depth + 1)
    limits.number(form, option, "min_length", path, 0, 6000)
    limits.number(form, option, "max_length", path, 1, 6000)
    choices = limits.items(form, option, "choices", path, CHOICES)
    check_choices(form, choices, (*path, "choices"), int(kind or 0))
    if option.get("autocomplete") and (choices or kind not in (STRING, INTEGER, NUMBER)):
        form.bad(path, "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", "Autocomplete is not possible here")


def check_choices(form: Form, choices: list[Any], path: limits.Path, kind: int) -> None:
    """Choices of an option or of an autocomplete's answer: names of 1 to 100 characters, values of the option's type."""
    for index, choice in enumerate(choices):
        limits.text(form, choice, "name", (*path, index), 100, low=1, required=True)
        if kind == STRING:
            limits.text(form, choice, "value", (*path, index), 100, required=True)
        elif not isinstance(choice.get("value"), int | float):
            form.bad((*path, index, "value"), "NUMBER_TYPE_COERCE", f'Value "{choice.get("value")}" is not a number.')


def _size(body: Json) -> int:
    own = len(body.get("name") or "") + len(body.get("description") or "")
    own += sum(len(c.get("name") or "") + len(str(c.get("value", ""))) for c in body.get("choices") or [])
    return own + sum(_size(option) for option in body.get("options") or [])
