"""Where something happens and who does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from bot.types.plain import value

Scope: TypeAlias = Literal["conversation", "channel", "person"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@value
@dataclass(frozen=True, slots=True)
class Address:
    """A place on a platform where a conversation is held."""

    platform: str
    workspace: str
    """The platform's id of the installation: a Slack team, a Discord server, or "local"."""
    channel: str
    thread: str = ""
    """The platform's id of the thread, empty for the channel's own flow."""

    def key(self) -> str:
        """One string for this place, unique over all platforms."""
        return "/".join((self.platform, self.workspace, self.channel, self.thread))


@value
@dataclass(frozen=True, slots=True)
class Author:
    """Whoever wrote a message, as the platform names them."""

    id: str
    name: str = ""
    is_bot: bool = False
    groups: tuple[str, ...] = ()
    """Ids of the person's roles or user groups, where the platform sends them along."""
    is_manager: bool = False
    """The platform lets them manage the place where they did this, at that moment."""
    sees_history: bool = True
    """The platform shows them what was said there before, at that moment."""


NOBODY = Author("")
"""Where the platform does not tell who it was."""
