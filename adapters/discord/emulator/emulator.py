"""Owns the emulator as a whole: its server on a loopback port, its default inhabitants, and what tests look at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from . import cdn, model, permissions, rest_app, rest_channels, rest_guilds, rest_interactions, rest_messages
from .buckets import Buckets, Limits
from .clock import EmulatorClock
from .commands import Commands
from .faults import Fault, Faults
from .gateway import Gateway
from .interactions import Interaction, Interactions
from .model import Channel, Guild, Message, Role, Tag, User
from .moderation import Moderation
from .page import Page
from .people import People
from .rest import Api, Call, Rest
from .world import AppConfig, Event, World

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TABLES = [rest_app.routes, rest_guilds.routes, rest_channels.routes, rest_messages.routes, rest_interactions.routes]


@web.middleware
async def _only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other host names, so that no foreign web page reaches this server by a name of its own."""
    if request.host.rpartition(":")[0] not in ("127.0.0.1", "localhost"):
        raise web.HTTPForbidden(text="this server speaks with its own machine only")
    return await handler(request)


class DiscordEmulator(People, Moderation):
    """A Discord of one's own, on 127.0.0.1, for as long as the context lasts.

    app: the application and what was granted to it. clock: moved by tests. limits: sizes of the buckets, or off.
    port: 0 takes a free one. There are from the start: `guild` with `general`, `random` and the forum `ideas`, the
    people `alice` and `bob`, and the app's `bot`.
    """

    def __init__(
        self,
        app: AppConfig | None = None,
        clock: EmulatorClock | None = None,
        limits: Limits | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.clock = clock or EmulatorClock()
        self.world = World(app or AppConfig(), self.clock)
        self.gateway = Gateway(self.world)
        self.interactions = Interactions(self.world)
        self.registered = Commands(self.world)
        self.limits = limits or Limits()
        self.faults = Faults()
        api = Api(self.world, self.gateway, self.interactions, self.registered)
        self.rest = Rest(api, Buckets(self.clock, self.limits), self.faults, TABLES)
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._news = asyncio.Event()
        self._settle()
        self._subscribe()

    def _settle(self) -> None:
        """The people and places that are there from the start."""
        self.alice = self.world.add_user("alice", "Alice")
        self.bob = self.world.add_user("bob", "Bob")
        self.guild = self.world.add_guild("Workshop", self.world.users[self.world.app.owner_id])
        self.world.join(self.guild, self.alice)
        self.world.join(self.guild, self.bob)
        self.general = self.world.add_channel(self.guild, "general", topic="Everything and nothing")
        self.random = self.world.add_channel(self.guild, "random")
        self.forum = self.add_forum(self.guild, "ideas", ["question", "wish", "done"])

    def _subscribe(self) -> None:
        self.world.listeners.append(lambda _event: self._news.set())
        self.interactions.changed.append(lambda _interaction: self._news.set())
        self.rest.changed = self._news.set

    # -- life ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> DiscordEmulator:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        application = web.Application(client_max_size=256 * 1024 * 1024, middlewares=[_only_this_machine])
        application.router.add_route("*", r"/api/v{version:\d+}/{tail:.*}", self.rest.serve)
        application.router.add_get("/gateway", self.gateway.serve)
        application.router.add_get("/gateway/", self.gateway.serve)
        cdn.mount(application.router, self.world)
        Page(self).mount(application.router)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.gateway.url, self.world.cdn.base_url = self.gateway_url, self.cdn_url

    async def stop(self) -> None:
        """End every connection and stop listening."""
        self.gateway.stop()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """The base of the REST API: DISCORD_API_URL."""
        return f"{self.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        """The gateway's address: DISCORD_GATEWAY_URL."""
        return f"ws://{self._host}:{self._port}/gateway"

    @property
    def cdn_url(self) -> str:
        """The base of files' addresses: DISCORD_CDN_URL."""
        return f"{self.url}/cdn"

    @property
    def token(self) -> str:
        """The bot's token: DISCORD_BOT_TOKEN."""
        return self.world.app.token

    @property
    def bot(self) -> User:
        """The app's own user."""
        return self.world.bot

    # -- building ------------------------------------------------------------------------------------------------

    def add_user(self, name: str, global_name: str | None = None, *, locale: str = "en-US") -> User:
        """Someone new, in no server yet."""
        return self.world.add_user(name, global_name, locale=locale)

    def add_guild(self, name: str, *, with_bot: bool = True, members: list[User] | None = None, tier: int = 0) -> Guild:
        """Another server. tier: its boost level, which raises the upload limit."""
        guild = self.world.add_guild(name, self.world.users[self.world.app.owner_id], with_bot=with_bot, tier=tier)
        for user in members or [self.alice, self.bob]:
            self.world.join(guild, user)
        return guild

    def add_channel(
        self,
        guild: Guild,
        name: str,
        kind: int = model.TEXT,
        *,
        topic: str | None = None,
        category: Channel | None = None,
    ) -> Channel:
        """Another channel; in a category it begins with the category's overwrites."""
        return self.world.add_channel(guild, name, kind, topic=topic, category=category)

    def add_forum(self, guild: Guild, name: str, tags: list[str], *, require_tag: bool = False) -> Channel:
        """A forum with tags."""
        forum = self.world.add_channel(guild, name, model.FORUM)
        forum.tags = [Tag(self.world.new_id(), tag) for tag in tags]
        forum.flags = model.REQUIRE_TAG if require_tag else 0
        return forum

    def add_role(self, guild: Guild, name: str, *, permissions: int = 0, mentionable: bool = False) -> Role:
        """A role."""
        return self.world.add_role(guild, name, permissions=permissions, mentionable=mentionable)

    def add_sticker(self, guild: Guild, name: str, data: bytes, *, format_type: int = 1) -> model.Sticker:
        """A server's sticker, as PNG unless another format is named."""
        sticker = model.Sticker(self.world.new_id(), name, data, guild.id, format_type=format_type)
        guild.stickers[sticker.id] = sticker
        return sticker

    def direct(self, *users: User) -> Channel:
        """The conversation of these users; one alone speaks with the bot, more without it unless it is named."""
        return self.world.direct_channel(*users) if len(users) > 1 else self.world.direct_channel(self.bot, *users)

    def forbid(self, channel: Channel, bits: int) -> None:
        """Take permissions from the bot in a channel."""
        self.overwrite(channel, self.bot, deny=bits)

    def install_for(self, user: User) -> None:
        """Let a person install the app for themselves."""
        self.world.app.user_installs.add(user.id)

    # -- looking -------------------------------------------------------------------------------------------------

    def messages(self, channel: Channel, *, with_ephemeral: bool = False) -> list[Message]:
        """A channel's messages, oldest first, without system lines."""
        kept = (model.THREAD_CREATED, model.THREAD_STARTER)
        return [m for m in self.world.history(channel.id, with_ephemeral=with_ephemeral) if m.kind not in kept]

    def replies(self, channel: Channel, *, with_ephemeral: bool = True) -> list[Message]:
        """The bot's messages in a channel that are done loading, oldest first."""
        every = self.messages(channel, with_ephemeral=with_ephemeral)
        return [m for m in every if m.author_id == self.bot.id and not m.flags & model.LOADING]

    @property
    def interaction_responses(self) -> list[Interaction]:
        """Every interaction so far, with what answered it."""
        return self.interactions.all

    @property
    def unfurled(self) -> list[tuple[str, Message]]:
        """Every address that was fetched for a preview, with the message it stands in."""
        return self.world.unfurled

    @property
    def calls(self) -> list[Call]:
        """Every REST call so far."""
        return self.rest.calls

    def calls_to(self, method: str, route: str) -> list[Call]:
        """The calls of one route, named by its template."""
        return [call for call in self.calls if (call.method, call.route) == (method, route)]

    def permissions_of(self, user: User, channel: Channel) -> int:
        """What a user may do in a channel."""
        return permissions.in_channel(self.world, channel, user.id)

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """Wait until the predicate gives something true, and give that; looks again at every change.

        timeout: real seconds, after which TimeoutError is raised with the last calls.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (found := predicate()):
                    self._news.clear()
                    await self._wait_news()
        except TimeoutError:
            recent = [f"{call.method} {call.path} -> {call.status}" for call in self.calls[-8:]]
            raise TimeoutError(f"nothing came within {timeout} s; the last calls: {recent}") from None
        return found

    async def _wait_news(self) -> None:
        """Until something changes; the gateway's own state is looked at ten times a second."""
        try:
            async with asyncio.timeout(0.1):
                await self._news.wait()
        except TimeoutError:
            return

    async def wait_connected(self, timeout: float = 5.0) -> None:
        """Wait until the app has a session on the gateway."""
        await self.wait_for(lambda: self.gateway.connected, timeout)

    # -- trouble -------------------------------------------------------------------------------------------------

    def fail(self, method: str, route: str, **how: Any) -> None:
        """Let the next calls of a route fail: see `Fault` for the ways."""
        self.faults.add(Fault(method, route, **how))

    def drop(self, *, code: int | None = None) -> None:
        """Cut the gateway's sockets."""
        self.gateway.drop(code=code)

    def refuse_resumes(self, times: int = 1) -> None:
        """Answer the next RESUMEs with an invalid session."""
        self.gateway.refuse_resumes = times

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.clock.advance(seconds)


__all__ = ["DiscordEmulator", "Event"]
