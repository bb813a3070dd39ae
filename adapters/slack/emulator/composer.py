"""Owns what Slack makes of what a person types: escapes, mentions and links. Pure over the world's names."""

import re

from .mrkdwn import escape
from .workspace import User
from .world import World

AT = re.compile(r"(?<!\S)@([\w.-]*\w)")
HASH = re.compile(r"(?<!\S)#([\w-]+)")
LINK = re.compile(r"(?<!\S)(https?://[^\s<>]+)")
BROADCASTS = ("here", "channel", "everyone")


def _called(user: User) -> set[str]:
    """The names that a person may be called by behind an `@`."""
    return {name.casefold() for name in (user.name, user.real_name) if name}


def typed(world: World, text: str, *, labels: bool = False) -> str:
    """Typed text as Slack sends it: `@ada` as `<@U...>`, `#general` as `<#C...>`, links in `<...>`, the rest escaped.

    labels: with names beside the ids, `<@U...|ada>`, as slash commands with `should_escape` have them.
    """

    def link(mark: str, identity: str, name: str) -> str:
        return f"<{mark}{identity}|{name}>" if labels else f"<{mark}{identity}>"

    def person(match: re.Match[str]) -> str:
        name = match.group(1).casefold()
        if name in BROADCASTS:
            return f"<!{name}>"
        found = [user for user in world.users.values() if name in _called(user)]
        groups = [group for group in world.groups.values() if group.handle.casefold() == name]
        if found:
            return link("@", found[0].id, found[0].name)
        return link("!subteam^", groups[0].id, f"@{groups[0].handle}") if groups else match.group(0)

    def place(match: re.Match[str]) -> str:
        found = [channel for channel in world.channels.values() if channel.name == match.group(1)]
        return link("#", found[0].id, found[0].name) if found else match.group(0)

    return HASH.sub(place, LINK.sub(r"<\1>", AT.sub(person, escape(text))))
