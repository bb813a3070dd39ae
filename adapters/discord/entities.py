"""What stands for names in Discord's text: mentions, channels, roles, emoji and timestamps as words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

Payload: TypeAlias = Mapping[str, Any]
MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading a payload raises that is not as Discord describes it."""
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_ENTITY = re.compile(
    r"<(?:@!?(?P<user>[0-9]{1,20})|@&(?P<role>[0-9]{1,20})|#(?P<channel>[0-9]{1,20})|a?:(?P<emoji>\w{1,32}):[0-9]{1,20}"
    r"|t:(?P<time>-?[0-9]{1,20})(?::(?P<style>[tTdDfFRsS]))?|/(?P<command>[^:<>]{1,100}):[0-9]{1,20}|id:(?P<place>\w{1,20}))>"
)
"""Source: Discord, Reference, Message Formatting."""
STYLES = {"t": "%H:%M", "T": "%H:%M:%S", "d": "%Y-%m-%d", "D": "%d %B %Y", "F": "%A, %d %B %Y %H:%M"}


@dataclass(frozen=True)
class Names:
    """What ids are called."""

    people: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)


def is_id(text: str) -> bool:
    """Whether it has the shape of an id of Discord's, so that it can stand in a path and be taken for a number."""
    return bool(_ID.fullmatch(text))


def readable(text: str, names: Names) -> str:
    """The text with words for ids; what is unknown keeps a word for what it is."""
    return _ENTITY.sub(lambda found: _word(found, names), text)


def _word(found: re.Match[str], names: Names) -> str:
    match found.lastgroup if found.lastgroup != "style" else "time":
        case "user":
            return f"@{names.people.get(found['user'], 'somebody')}"
        case "role":
            return f"@{names.roles.get(found['role'], 'role')}"
        case "channel":
            return f"#{names.channels.get(found['channel'], 'channel')}"
        case "emoji":
            return f":{found['emoji']}:"
        case "time":
            return moment(int(found["time"]), found["style"] or "f")
        case "command":
            return f"/{found['command']}"
    return str(found["place"])


def moment(unix_s: int, style: str = "f") -> str:
    """A timestamp as Discord would show it, in UTC; one that no calendar has stays a number."""
    try:
        at = datetime.fromtimestamp(unix_s, UTC)
    except (OverflowError, ValueError, OSError):
        return str(unix_s)
    return f"{at.strftime(STYLES.get(style, '%d %B %Y %H:%M'))}{'' if style in 'dD' else ' UTC'}"


def mentioned(text: str) -> tuple[set[str], set[str]]:
    """Ids of the roles and of the channels that a text names."""
    found = list(_ENTITY.finditer(text))
    return {one["role"] for one in found if one["role"]}, {one["channel"] for one in found if one["channel"]}


def name_of(user: Payload, member: Payload | None = None) -> str:
    """What a person is called there."""
    return str((member or {}).get("nick") or user.get("global_name") or user.get("username") or "")


def people_in(message: Payload) -> dict[str, str]:
    """The names of all whom a message mentions, and of its author."""
    named = {str(user.get("id")): name_of(user, user.get("member")) for user in message.get("mentions") or ()}
    author = message.get("author") or {}
    return {**named, str(author.get("id")): name_of(author, message.get("member"))}
