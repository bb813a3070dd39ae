"""Owns what Slack makes of what a person types: escapes, mentions and links. Pure over the world's names."""

import re

from .mrkdwn import escape
from .workspace import User
from .world import World

AT = re.compile(r"(?<!\S)@([\w.-]*\w)")
HASH = re.compile(r"(?<!\S)#([\w-]+)")
LINK = re.compile(r"(?<!\S)(https?://[^\s<>]+)")
BROADCASTS = ("here", "channel", "everyone")


def names_of(world: World, user: User) -> list[str]:
    """The names by which a person or the app may be called: the handle and the displayed name."""
    own = world.app.name if user.app_id == world.app.app_id and user.is_bot else ""
    return [name for name in (user.name, user.real_name, own) if name]


def called(world: World, name: str, team_id: str = "") -> User | None:
    """The user who is called so, in any case of letters, those of the workspace first."""
    near = sorted(world.users.values(), key=lambda user: user.team_id != team_id)
    wanted = name.casefold()
    return next((user for user in near if wanted in (one.casefold() for one in names_of(world, user))), None)


def typed(world: World, text: str, *, labels: bool = False, team_id: str = "") -> str:
    """Typed text as Slack sends it: `@ada` as `<@U...>`, `#general` as `<#C...>`, links in `<...>`, the rest escaped.

    A mention is of a handle or a displayed name, in any case. labels: with names beside the ids, `<@U...|ada>`, as slash commands
    with `should_escape` have them. team_id: whose people are meant where two workspaces have the same name.
    """

    def link(mark: str, identity: str, name: str) -> str:
        return f"<{mark}{identity}|{name}>" if labels else f"<{mark}{identity}>"

    def person(match: re.Match[str]) -> str:
        if match.group(1) in BROADCASTS:
            return f"<!{match.group(1)}>"
        found = called(world, match.group(1), team_id)
        groups = [group for group in world.groups.values() if group.handle == match.group(1)]
        if found:
            return link("@", found.id, found.name)
        return link("!subteam^", groups[0].id, f"@{groups[0].handle}") if groups else match.group(0)

    def place(match: re.Match[str]) -> str:
        found = [channel for channel in world.channels.values() if channel.name == match.group(1)]
        return link("#", found[0].id, found[0].name) if found else match.group(0)

    return HASH.sub(place, LINK.sub(r"<\1>", _people(world).sub(person, escape(text))))


def _people(world: World) -> re.Pattern[str]:
    """A mention: one of the known names, which may hold blanks, else a word."""
    spaced = {name for user in world.users.values() for name in names_of(world, user) if " " in name}
    if not spaced:
        return AT
    names = "|".join(re.escape(escape(name)) for name in sorted(spaced, key=len, reverse=True))
    return re.compile(rf"(?<!\S)@({names}|[\w.-]*\w)(?!\w)", re.IGNORECASE)


def strangers(world: World, text: str) -> list[str]:
    """The names that are called in a typed text and that nobody has."""
    words = {found.group(1) for found in _people(world).finditer(text)}
    groups = {group.handle for group in world.groups.values()}
    return sorted(word for word in words if word not in (*BROADCASTS, *groups) and called(world, word) is None)
