"""Owns the state of the emulated Discord: who and what there is, and the news of every change."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from . import model, permissions, wire_people, wire_places
from .cdn import Cdn
from .clock import EmulatorClock, Snowflakes
from .errors import ApiError
from .model import Channel, Guild, Json, Member, Message, Role, Sticker, User

GUILDS, GUILD_MEMBERS, PRESENCES = 1 << 0, 1 << 1, 1 << 8
GUILD_MESSAGES, GUILD_REACTIONS, GUILD_TYPING = 1 << 9, 1 << 10, 1 << 11
DIRECT_MESSAGES, DIRECT_REACTIONS, DIRECT_TYPING = 1 << 12, 1 << 13, 1 << 14
MESSAGE_CONTENT = 1 << 15
"""Gateway intents. Source: Discord, Gateway, List of Intents."""


@dataclass
class AppConfig:
    """The application in the developer portal: its name, token and what was granted to it."""

    name: str = "Parley"
    token: str = ""
    message_content: bool = True
    """The message-content intent is switched on in the portal."""
    guild_members: bool = False
    presences: bool = False
    interactions_endpoint_url: str | None = None
    """When set, interactions go there and the gateway gets none; this emulator then sends them nowhere."""
    identify_limit: int = 1000
    """IDENTIFYs a day. Source: Discord, Gateway, Session Start Limit."""
    max_concurrency: int = 1
    shards: int = 1
    """What GET /gateway/bot recommends."""
    id: int = 0
    bot_id: int = 0
    owner_id: int = 0
    user_installs: set[int] = field(default_factory=set)
    """Users who installed the app for themselves."""

    @property
    def granted_intents(self) -> int:
        """All intents but the privileged ones that the portal withholds."""
        withheld = (0 if self.message_content else MESSAGE_CONTENT) | (0 if self.guild_members else GUILD_MEMBERS)
        return ~(withheld | (0 if self.presences else PRESENCES))

    @property
    def flags(self) -> int:
        """The portal's switches as application flags: the limited ones of an app in under 100 servers."""
        granted = ((self.presences, 13), (self.guild_members, 15), (self.message_content, 19))
        return sum(1 << bit for given, bit in granted if given)


@dataclass
class Event:
    """One piece of news. `build` makes the payload, given whether the reader sees message content."""

    name: str
    build: Callable[[bool], Json]
    intent: int = 0
    channel: Channel | None = None
    guild_id: int | None = None
    subject: object = None
    for_bot: bool = True
    is_of_server: bool = False
    """It tells of a channel that belongs to a server: bots hear of it also where they may not look."""


class World:
    """Everything there is, found by id."""

    def __init__(self, app: AppConfig, clock: EmulatorClock) -> None:
        self.app, self.clock = app, clock
        self.snowflakes = Snowflakes(clock)
        self.cdn = Cdn(clock)
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self.unfurled: list[tuple[str, Message]] = []
        """Addresses that were fetched for a preview, each with the message it stands in."""
        self._by_channel: dict[int, list[Message]] = {}
        self._register_app()

    def _register_app(self) -> None:
        owner = self.add_user("owner", "Olivia Owner")
        self.app.id = self.app.id or self.new_id()
        self.app.bot_id, self.app.owner_id = self.app.id, owner.id
        self.users[self.app.id] = User(self.app.id, self.app.name, bot=True)
        self.app.token = self.app.token or _make_token(self.app.id)

    def new_id(self) -> int:
        """A fresh snowflake."""
        return self.snowflakes.next()

    def emit(self, event: Event) -> None:
        """Tell the gateway, the page and the tests."""
        for listener in list(self.listeners):
            listener(event)

    @property
    def bot(self) -> User:
        """The app's own user."""
        return self.users[self.app.bot_id]

    # -- finding -------------------------------------------------------------------------------------------------

    def guild(self, guild_id: int) -> Guild:
        """A server the bot is in; 10004 else."""
        found = self.guilds.get(guild_id)
        if found is None:
            raise ApiError(10004)
        if self.app.bot_id not in found.members:
            raise ApiError(50001)
        return found

    def channel(self, channel_id: int) -> Channel:
        """A channel that the bot sees; 10003 for none, 50001 without sight."""
        found = self.channels.get(channel_id)
        if found is None:
            raise ApiError(10003)
        if not self.app_sees(found):
            raise ApiError(50001)
        return found

    def message(self, channel_id: int, message_id: int) -> Message:
        """A message that stands in the channel; 10008 else, also for ephemeral ones."""
        found = self.messages.get(message_id)
        if found is None or found.is_deleted or found.channel_id != channel_id or found.ephemeral_to:
            raise ApiError(10008)
        return found

    def sticker(self, sticker_id: int) -> Sticker | None:
        """A server's sticker by id."""
        return next((g.stickers[sticker_id] for g in self.guilds.values() if sticker_id in g.stickers), None)

    def parent(self, channel: Channel) -> Channel:
        """A thread's channel; a channel is its own."""
        return self.channels[channel.parent_id] if channel.is_thread and channel.parent_id else channel

    def channels_of(self, guild_id: int) -> Iterator[Channel]:
        """A server's channels and threads."""
        return (channel for channel in self.channels.values() if channel.guild_id == guild_id)

    def history(self, channel_id: int, *, with_ephemeral: bool = False) -> list[Message]:
        """A channel's messages that still stand, oldest first."""
        messages = self._by_channel.get(channel_id, [])
        return [m for m in messages if not m.is_deleted and (with_ephemeral or not m.ephemeral_to)]

    def app_sees(self, channel: Channel) -> bool:
        """Whether the bot is there and may look."""
        if channel.guild_id is not None and self.app.bot_id not in self.guilds[channel.guild_id].members:
            return False
        return bool(permissions.in_channel(self, channel, self.app.bot_id) & permissions.VIEW_CHANNEL)

    def app_may_read(self, message: Message) -> bool:
        """Whether the content is the app's to read without the intent: its own, its direct messages, its mentions."""
        channel = self.channels[message.channel_id]
        return message.author_id == self.app.bot_id or channel.guild_id is None or self.app.bot_id in message.mentions

    def knows_app(self, user: User) -> bool:
        """Whether a user shares a server with the bot, or installed the app."""
        shared = any({user.id, self.app.bot_id} <= guild.members.keys() for guild in self.guilds.values())
        return shared or user.id in self.app.user_installs

    # -- making --------------------------------------------------------------------------------------------------

    def add_user(self, name: str, global_name: str | None = None, *, bot: bool = False, locale: str = "en-US") -> User:
        """Register an account."""
        user = User(self.new_id(), name, global_name, bot, locale)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, owner: User, *, with_bot: bool = True, tier: int = 0) -> Guild:
        """Found a server with its owner, its everyone role and, unless told otherwise, the bot."""
        guild = Guild(self.new_id(), name, owner.id, tier=tier)
        guild.roles[guild.id] = Role(guild.id, "@everyone", permissions.MEMBER & ~permissions.MENTION_EVERYONE)
        self.guilds[guild.id] = guild
        self.join(guild, owner)
        if with_bot:
            self.join(guild, self.bot)
        return guild

    def join(self, guild: Guild, user: User) -> Member:
        """Let a user in; the bot comes with a role of its own, and its gateway learns of the server."""
        member = guild.members[user.id] = Member(user.id, joined_at=self.clock.time())
        if user.id == self.app.bot_id:
            role = self.add_role(guild, self.app.name, permissions=0, bot_id=user.id)
            member.roles.append(role.id)
            self._tell_of_guild(guild)
        else:
            self.emit(
                Event(
                    "GUILD_MEMBER_ADD",
                    lambda _: {**wire_people.member_json(self, member), "guild_id": str(guild.id)},
                    GUILD_MEMBERS,
                    guild_id=guild.id,
                )
            )
        return member

    def _tell_of_guild(self, guild: Guild) -> None:
        def build(_: bool) -> Json:
            return wire_places.guild_create_json(self, guild, with_members=self.app.guild_members)

        self.emit(Event("GUILD_CREATE", build, GUILDS, guild_id=guild.id))

    def remove_bot(self, guild: Guild) -> None:
        """Throw the bot out of a server."""
        gone = {"id": str(guild.id)}
        self.emit(Event("GUILD_DELETE", lambda _: gone, GUILDS, guild_id=guild.id))
        del guild.members[self.app.bot_id]

    def add_role(
        self, guild: Guild, name: str, *, permissions: int = 0, mentionable: bool = False, bot_id: int | None = None
    ) -> Role:
        """Make a role."""
        role = Role(self.new_id(), name, permissions, len(guild.roles), mentionable=mentionable, bot_id=bot_id)
        guild.roles[role.id] = role
        body = {"guild_id": str(guild.id), "role": wire_people.role_json(role)}
        self.emit(Event("GUILD_ROLE_CREATE", lambda _: body, GUILDS, guild_id=guild.id))
        return role

    def add_channel(
        self,
        guild: Guild,
        name: str,
        kind: int = model.TEXT,
        *,
        topic: str | None = None,
        category: Channel | None = None,
    ) -> Channel:
        """Make a channel at the end of the list. In a category it begins with a copy of the category's overwrites."""
        position = sum(1 for channel in self.channels_of(guild.id) if not channel.is_thread)
        channel = Channel(self.new_id(), kind, guild.id, name, topic, position=position, created_at=self.clock.time())
        if category:
            channel.parent_id = category.id
            channel.overwrites = {one: replace(given) for one, given in category.overwrites.items()}
        self.channels[channel.id] = channel
        self.tell_channel("CHANNEL_CREATE", channel)
        return channel

    def direct_channel(self, *users: User) -> Channel:
        """The one direct conversation of these users, made on first use; more than two are a group."""
        ids = sorted(user.id for user in users)
        for channel in self.channels.values():
            if channel.guild_id is None and sorted(channel.recipients) == ids:
                return channel
        kind = model.DM if len(ids) == 2 else model.GROUP_DM
        channel = Channel(self.new_id(), kind, recipients=ids, created_at=self.clock.time())
        self.channels[channel.id] = channel
        return channel

    def tell_channel(self, name: str, channel: Channel, **extra: object) -> None:
        """Send a channel's or thread's news."""

        def build(_: bool) -> Json:
            return wire_places.channel_json(self, channel) | extra

        is_of_server = not channel.is_thread
        self.emit(Event(name, build, GUILDS, channel, channel.guild_id, channel, is_of_server=is_of_server))

    def keep(self, message: Message) -> None:
        """Store a message at the end of its channel."""
        self.messages[message.id] = message
        self._by_channel.setdefault(message.channel_id, []).append(message)


def _make_token(app_id: int) -> str:
    """A bot token of Discord's shape: the id in base64, then two more parts."""
    return f"{base64.b64encode(str(app_id).encode()).decode().rstrip('=')}.EMULAT.offline-discord-emulator-token"
