"""Names for Slack's entities: people, channels, groups and links in a text, as far as Slack would show them to who reads it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from html import unescape as unescape_html
from typing import Any, TypeAlias

from cachetools import TTLCache

from adapters.shared.tasks import cancel
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.ref import SlackRef, TokenScope
from adapters.slack.rights import Rights
from bot.types import Author, ButtonPress, Command, Deletion, Edit, Inbound, InboundMessage

PATIENCE_S = 1.5
"""Looking names up takes at most this long: Slack wants its answer within 3 s."""
KEEP_S = 3_600.0
MAX_KEPT = 20_000
MAX_ASKED = 40
"""Names of each kind that one text makes us ask for: a text that is all mentions must not use up what a workspace may ask."""
_ENTITY = re.compile(r"<([@#!]|https?://|mailto:|tel:)([^<>|\n]*)(?:\|([^<>\n]*))?>")


@dataclass(frozen=True)
class Names:
    """Names by Slack's ids."""

    people: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def readable(text: str, names: Names) -> str:
    """Slack's text as people read it: entities by name, links as Markdown, `&amp;` and the like undone."""
    return _unescape(_ENTITY.sub(lambda found: _entity(found, names), text))


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _entity(found: re.Match[str], names: Names) -> str:
    sign, body, label = found.group(1), found.group(2), found.group(3) or ""
    match sign:
        case "@":
            return f"@{names.people.get(body) or label or body}"
        case "#":
            return f"#{label or names.channels.get(body) or body}"
        case "!":
            return _special(body, label, names)
    target = f"{'' if sign in ('mailto:', 'tel:') else sign}{body}"
    plain = target.removeprefix("mailto:")
    return (
        plain
        if not label or label in (target, plain, plain.rstrip("/")) or target.endswith(label)
        else f"[{label}]({target})"
    )


def _special(body: str, label: str, names: Names) -> str:
    if body.startswith("subteam^"):
        return f"@{label.lstrip('@') or names.groups.get(body[8:]) or body[8:]}"
    if body.startswith("date^"):
        return label
    return f"@{body}" if body in ("here", "channel", "everyone") else (label or body)


def ids_in(text: str) -> tuple[set[str], set[str], set[str]]:
    """The people, channels and user groups whose names a text needs: those that Slack sent without a label."""
    people: set[str] = set()
    channels: set[str] = set()
    groups: set[str] = set()
    for found in _ENTITY.finditer(text):
        sign, body, label = found.groups()
        if sign == "@":
            people.add(body)
        elif sign == "#" and not label:
            channels.add(body)
        elif sign == "!" and body.startswith("subteam^") and not label:
            groups.add(body[8:])
    return people, channels, groups


Key: TypeAlias = tuple[str, str, str]
"""Of a name: the workspace, so that none learns another's names; "person" or "group"; the id."""


@dataclass(frozen=True)
class Reader:
    """For whom the names of channels are looked up."""

    user_id: str
    place: str
    """The channel where it is read."""
    is_direct: bool = False
    """Nobody else reads it."""


class Directory:
    """Looks names up at Slack and remembers them."""

    def __init__(self, client: SlackClient, rights: Rights) -> None:
        self._client, self._rights = client, rights
        self._known: TTLCache[Key, str] = TTLCache(MAX_KEPT, KEEP_S, client.host.clock.monotonic)
        self._asking: dict[Key, asyncio.Task[str]] = {}

    async def with_names(self, inbound: Inbound, patience_s: float = PATIENCE_S) -> Inbound:
        """The inbound with names for ids; what cannot be learned in time keeps its id."""
        if isinstance(inbound, Deletion):
            return inbound
        ref = SlackRef.from_ref(inbound.ref, inbound.address.workspace)
        text = "" if isinstance(inbound, ButtonPress) else inbound.text
        foreign = [one.text for one in inbound.quoted] if isinstance(inbound, InboundMessage) else []
        reader = Reader(ref.user_id, inbound.address.channel, _is_direct(inbound))
        names = await self.names(ref.scope, "\n".join((text, *foreign)), {ref.user_id} - {""}, reader, patience_s)
        author = replace(inbound.author, name=names.people.get(ref.user_id) or inbound.author.name)
        return _renamed(_with_mentioned(inbound, ref, names), text, names, author)

    async def names(
        self,
        scope: TokenScope,
        text: str,
        people: set[str],
        reader: Reader | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Names:
        """The names that a text needs, and those of these people. Without a reader no channel's name is told."""
        in_text, channels, groups = ids_in(text)
        in_text |= people
        told = asyncio.create_task(self._channel_names(scope, channels, reader, patience_s))
        named = await asyncio.gather(
            self._all(scope, "person", sorted(people) + sorted(in_text - people), patience_s),
            self._all(scope, "group", sorted(groups), patience_s),
        )
        return Names(named[0], await told, named[1])

    async def _channel_names(
        self, scope: TokenScope, channels: set[str], reader: Reader | None, patience_s: float
    ) -> dict[str, str]:
        if not channels or reader is None:
            return {}
        asked = sorted(channels, key=lambda one: (one != reader.place, one))[:MAX_ASKED]
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                return await self._rights.names(scope, reader.user_id, reader.place, asked, is_direct=reader.is_direct)
        return {}

    async def _all(self, scope: TokenScope, kind: str, ids: list[str], patience_s: float) -> dict[str, str]:
        """The names by their ids; what is not known in time is left out."""
        found = {one: name for one in ids if (name := self._known.get((scope.team, kind, one))) is not None}
        unknown = [one for one in ids if one not in found][:MAX_ASKED]
        waiting = {one: self._ask(scope, (scope.team, kind, one)) for one in unknown}
        if waiting:
            await asyncio.wait(waiting.values(), timeout=patience_s)
        return found | {one: task.result() for one, task in waiting.items() if task.done() and not task.cancelled()}

    def _ask(self, scope: TokenScope, key: Key) -> asyncio.Task[str]:
        """The request for this name that is under way, or a new one."""
        if key not in self._asking:
            task = asyncio.create_task(self._look_up(scope, key))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return self._asking[key]

    async def _look_up(self, scope: TokenScope, key: Key) -> str:
        _, kind, id_ = key
        try:
            name = await LOOK_UPS[kind](self, scope, id_)
        except SlackError as error:
            if error.retry_after_s is not None:
                return ""  # asked again next time; a refusal is remembered
            name = ""
        self._known[key] = name
        return name

    async def _person(self, scope: TokenScope, id_: str) -> str:
        user: dict[str, Any] = (await self._client.call(scope, "users.info", user=id_)).get("user") or {}
        profile = user.get("profile") or {}
        names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
        return " ".join(next((unescape_html(str(name)) for name in names if name), "").split())

    async def _group(self, scope: TokenScope, id_: str) -> str:
        groups = (await self._client.call(scope, "usergroups.list")).get("usergroups") or ()
        for group in groups:
            self._known[(scope.team, "group", str(group.get("id")))] = str(group.get("handle") or "")
        return next((str(group.get("handle") or "") for group in groups if group.get("id") == id_), "")

    async def close(self) -> None:
        """End the requests that are under way."""
        await cancel(*self._asking.values())


LOOK_UPS = {"person": Directory._person, "group": Directory._group}


def _is_direct(inbound: InboundMessage | Edit | Command | ButtonPress) -> bool:
    """Of changes Slack tells only where we are, so that a direct message among them is one with us."""
    if isinstance(inbound, InboundMessage | Command):
        return inbound.is_direct
    return isinstance(inbound, Edit) and inbound.address.channel.startswith("D")


def _with_mentioned(
    inbound: InboundMessage | Edit | Command | ButtonPress, ref: SlackRef, names: Names
) -> InboundMessage | Edit | Command | ButtonPress:
    """Note the names of those whom the asker mentioned: an answer that says `@Name` means them."""
    mentions = {one: names.people.get(one) or name for one, name in ref.mentions.items()}
    return replace(inbound, ref=replace(ref, mentions=mentions).to_ref()) if mentions else inbound


def _renamed(
    inbound: InboundMessage | Edit | Command | ButtonPress, text: str, names: Names, author: Author
) -> InboundMessage | Edit | Command | ButtonPress:
    if isinstance(inbound, ButtonPress):
        return replace(inbound, author=author)
    named = replace(inbound, author=author, text=readable(text, names))
    if not isinstance(named, InboundMessage) or not named.quoted:
        return named
    return replace(named, quoted=tuple(replace(one, text=readable(one.text, names)) for one in named.quoted))
