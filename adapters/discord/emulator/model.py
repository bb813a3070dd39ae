"""Owns what a Discord is made of, as plain records; ids are integers here and strings on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TEXT, DM, VOICE, GROUP_DM, CATEGORY, NEWS = 0, 1, 2, 3, 4, 5
STAGE = 13
PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 11, 12, 15
THREADS = (10, PUBLIC_THREAD, PRIVATE_THREAD)

CROSSPOSTED, SUPPRESS_EMBEDS, HAS_THREAD, EPHEMERAL, LOADING = 1, 1 << 2, 1 << 5, 1 << 6, 1 << 7
SUPPRESS_NOTIFICATIONS, IS_VOICE, HAS_SNAPSHOT, COMPONENTS_V2 = 1 << 12, 1 << 13, 1 << 14, 1 << 15
"""Message flags. Source: Discord, Message Resource, Message Flags."""

DEFAULT, THREAD_CREATED, REPLY, CHAT_INPUT, THREAD_STARTER, CONTEXT_MENU = 0, 18, 19, 20, 21, 23
"""Message types. Source: Discord, Message Resource, Message Types."""

REQUIRE_TAG = 1 << 4


@dataclass(eq=False)
class User:
    """An account: a person, or a bot."""

    id: int
    name: str
    global_name: str | None = None
    bot: bool = False
    locale: str = "en-US"
    allows_dms: bool = True

    @property
    def shown(self) -> str:
        """The name that others read."""
        return self.global_name or self.name


@dataclass(eq=False)
class Role:
    """A named set of permissions."""

    id: int
    name: str
    permissions: int
    position: int = 0
    color: int = 0
    mentionable: bool = False
    bot_id: int | None = None


@dataclass(eq=False)
class Overwrite:
    """What a channel adds to or takes from a role (kind 0) or a member (kind 1)."""

    id: int
    kind: int
    allow: int = 0
    deny: int = 0


@dataclass(eq=False)
class Tag:
    """A forum's tag."""

    id: int
    name: str
    moderated: bool = False
    emoji_name: str | None = None


@dataclass(eq=False)
class Channel:
    """A place for messages: text channel, thread, forum or direct message."""

    id: int
    kind: int
    guild_id: int | None = None
    name: str = ""
    topic: str | None = None
    parent_id: int | None = None
    position: int = 0
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipients: list[int] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    flags: int = 0
    slowmode_s: int = 0
    last_message_id: int | None = None
    owner_id: int | None = None
    archived: bool = False
    locked: bool = False
    invitable: bool = True
    auto_archive_minutes: int = 1440
    created_at: float = 0.0
    archive_at: float = 0.0
    thread_members: dict[int, float] = field(default_factory=dict)
    applied_tags: list[int] = field(default_factory=list)
    message_count: int = 0
    total_sent: int = 0

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread or a forum's post."""
        return self.kind in THREADS

    @property
    def takes_messages(self) -> bool:
        """Whether messages can stand here at all."""
        return self.kind not in (FORUM, CATEGORY, 14, 16)


@dataclass(eq=False)
class Member:
    """A user inside a server."""

    user_id: int
    nick: str | None = None
    roles: list[int] = field(default_factory=list)
    joined_at: float = 0.0
    timed_out_until: float = 0.0
    """By the emulator's clock."""


@dataclass(eq=False)
class Sticker:
    """A server's own sticker; format 1 is PNG, 2 APNG, 3 Lottie, 4 GIF."""

    id: int
    name: str
    data: bytes
    guild_id: int
    description: str = ""
    tags: str = "smile"
    format_type: int = 1


@dataclass(eq=False)
class Guild:
    """A server."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    stickers: dict[int, Sticker] = field(default_factory=dict)
    tier: int = 0
    locale: str = "en-US"

    @property
    def upload_limit_bytes(self) -> int:
        """The largest file; 10 MiB, 50 at boost level 2, 100 at level 3."""
        return {2: 50, 3: 100}.get(self.tier, 10) * 1024 * 1024


@dataclass(eq=False)
class Attachment:
    """A file that stands on the CDN, with its bytes."""

    id: int
    channel_id: int
    filename: str
    mime_type: str
    data: bytes
    description: str | None = None
    title: str | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    waveform: str | None = None
    ephemeral: bool = False
    is_spoiler: bool = False


@dataclass(eq=False)
class Reference:
    """What a message points at: an answered (kind 0) or a forwarded one (kind 1)."""

    message_id: int | None
    channel_id: int
    guild_id: int | None
    kind: int = 0


@dataclass(eq=False)
class Message:
    """A message and what became of it."""

    id: int
    channel_id: int
    author_id: int
    content: str
    sent_at: float
    kind: int = DEFAULT
    flags: int = 0
    edited_at: float | None = None
    mentions: list[int] = field(default_factory=list)
    mention_roles: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    stickers: list[Sticker] = field(default_factory=list)
    reference: Reference | None = None
    snapshot: Message | None = None
    reactions: dict[str, list[int]] = field(default_factory=dict)
    nonce: str | int | None = None
    pinned: bool = False
    position: int | None = None
    by_app: bool = False
    webhook: bool = False
    interaction: Json | None = None
    ephemeral_to: int | None = None
    pinged: set[int] = field(default_factory=set)
    versions: list[str] = field(default_factory=list)
    is_deleted: bool = False

    @property
    def is_voice(self) -> bool:
        """Whether it is a voice message."""
        return bool(self.flags & IS_VOICE)
