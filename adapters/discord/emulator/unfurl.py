"""Owns previews of links: which addresses Discord fetches for a message, unless its flags forbid it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import model, permissions
from .model import Json, Message

if TYPE_CHECKING:
    from .world import World

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"(?<!<)https?://[^\s<>)\]]+")
KIND = "link"


def links(content: str) -> list[str]:
    """The addresses that get a preview: not those in code, nor those in angle brackets."""
    return list(dict.fromkeys(_LINK.findall(_CODE.sub(" ", content))))


def unfurl(at: World, message: Message) -> bool:
    """Fetch the previews that a message should have now; return whether its embeds changed."""
    before = list(message.embeds)
    own = [one for one in message.embeds if one.get("type") != KIND]
    wanted = [] if message.flags & model.SUPPRESS_EMBEDS or not _may_embed(at, message) else links(message.content)
    known = {one.get("url") for one in before}
    at.unfurled += [(url, message) for url in wanted if url not in known]
    previews: list[Json] = [{"type": KIND, "url": url} for url in wanted]
    message.embeds = own + previews
    return message.embeds != before


def _may_embed(at: World, message: Message) -> bool:
    """Whether its author's links get previews there. What came by an interaction's token needs no permission."""
    channel = at.channels[message.channel_id]
    if message.webhook:
        return True
    return bool(permissions.in_channel(at, channel, message.author_id) & permissions.EMBED_LINKS)
