"""Owns the running emulator: its server, and the Python API by which tests play the people of a workspace."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import aiohttp
from aiohttp import web

from .clock import Clock
from .config import AppConfig
from .delivery import Attempt, Delivery, HttpCarrier, Post
from .desk import CallRecord, Desk
from .events import Events
from .faults import Fault, Faults
from .interactivity import Interactivity, view_json
from .limits import Limits
from .mrkdwn import rich_text
from .oauth import Consent, Grant, install, new_code
from .page import Page
from .payloads import message_json
from .people import deactivate
from .socket_mode import Socket, SocketMode
from .timeline import Timeline
from .uploads import Uploads
from .web_api import WebApi
from .workspace import Channel, ChannelKind, File, Json, Message, Session, Team, Token, User, UserGroup, View
from .world import World

T = TypeVar("T")
Who = User | str
Where = Channel | str
Attached = File | tuple[str, bytes] | tuple[str, bytes, str]
MAX_UPLOAD_BYTES = 1 << 30


class SlackEmulator:
    """A Slack on loopback. Use as `async with SlackEmulator() as slack:`; see README.md for the API in a table."""

    def __init__(
        self,
        app: AppConfig | None = None,
        *,
        clock: Clock | None = None,
        port: int = 0,
        limits: Literal["off", "strict"] = "off",
        enterprise: str = "",
        people: Sequence[str] = ("ada", "grace"),
        channels: Sequence[str] = ("general", "random"),
        installed: bool = True,
    ) -> None:
        """Make a workspace "Acme" with these people and public channels; the bot is in the first channel.

        port: 0 takes a free one. enterprise: a name makes it part of an Enterprise Grid organisation.
        """
        self._port = port
        self.clock = clock or Clock()
        self.world = World(app or AppConfig(), self.clock)
        if enterprise:
            self.world.enterprise_id, self.world.enterprise_name = self.world.ids.new("E"), enterprise
        self._moved = asyncio.Event()
        self.world.watchers.append(self._on_change)
        self.desk = _desk(self.world, limits)
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.team = self.add_team("Acme", people=people, channels=channels, installed=installed)
        self.app_token = self._make_app_token()

    # -- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to serve on 127.0.0.1. Raises OSError when the port is taken."""
        self._http = aiohttp.ClientSession()
        self.desk.post.carrier = _Carrier(self.world, self.desk.sockets, HttpCarrier(self.world, self._http))
        self._runner = web.AppRunner(self._routes(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.world.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop serving and end everything under way."""
        await self.desk.close()
        if self._http:
            await self._http.close()
        if self._runner:
            await self._runner.cleanup()

    def _routes(self) -> web.Application:
        server = web.Application(client_max_size=MAX_UPLOAD_BYTES)
        api, uploads, consent = WebApi(self.desk), self.desk.uploads, Consent(self.desk)
        server.router.add_route("*", "/api/{method}", api.handle)
        server.router.add_get("/link/", self.desk.sockets.handle)
        server.router.add_post("/upload/v1/{secret}", uploads.receive)
        server.router.add_get("/files-pri/{file}/{name}", uploads.download)
        server.router.add_get("/files-pri/{file}/download/{name}", uploads.download)
        server.router.add_get("/files-tmb/{file}/file.vtt", uploads.captions)
        server.router.add_get("/login", uploads.login)
        server.router.add_post("/hooks/{team}/{secret}", self.desk.interactivity.respond)
        server.router.add_get("/oauth/v2/authorize", consent.ask)
        server.router.add_post("/oauth/v2/authorize", consent.agree)
        Page(self).add_routes(server.router)
        return server

    @property
    def url(self) -> str:
        """The address of the page, and of everything else."""
        return self.world.base_url

    @property
    def api_url(self) -> str:
        """What a client takes as its base URL: `http://127.0.0.1:PORT/api/`."""
        return f"{self.world.base_url}/api/"

    @property
    def authorize_url(self) -> str:
        """Where a person agrees to an install; on Slack it is https://slack.com/oauth/v2/authorize."""
        return f"{self.world.base_url}/oauth/v2/authorize"

    @property
    def app(self) -> AppConfig:
        """The app as it is configured now."""
        return self.world.app

    def configure(self, **changes: Any) -> None:
        """Change fields of the app's configuration, such as `events_url` once the bot's port is known."""
        self.world.app = replace(self.world.app, **changes)

    def environment(self) -> dict[str, str]:
        """The variables that start Parley against this emulator."""
        app = self.world.app
        values = {"SLACK_API_URL": self.api_url, "SLACK_SIGNING_SECRET": app.signing_secret}
        values |= {"SLACK_BOT_TOKEN": self.bot_token} if self.bot_token else {}
        values |= {"SLACK_APP_TOKEN": self.app_token} if app.socket_mode else {}
        return values | {"SLACK_CLIENT_ID": app.client_id, "SLACK_CLIENT_SECRET": app.client_secret}

    async def verify_events_url(self) -> bool:
        """Send the challenge to the events' address, as Slack does when it is saved."""
        assert self._http is not None
        return await HttpCarrier(self.world, self._http).verify(self.world.app.events_url)

    # -- the workspace

    def add_team(
        self,
        name: str,
        *,
        people: Sequence[str] = ("ada", "grace"),
        channels: Sequence[str] = ("general", "random"),
        installed: bool = True,
    ) -> Team:
        """A workspace with people and public channels; the bot, when installed, is in the first channel."""
        team = self.world.add_team(name, name.lower().replace(" ", "-"))
        members = [self.world.add_user(team, person).id for person in people]
        for index, channel in enumerate(channels):
            self.world.add_channel(team, channel, members).is_general = index == 0
        if installed:
            self.install(team)
            for channel in channels[:1]:
                self.world.channel_named(channel, team.id).members.append(team.bot_user_id)
        return team

    def install(self, team: Team | None = None, *, scopes: Iterable[str] | None = None, wide: bool = False) -> Token:
        """Install the app (again, with other scopes), in one workspace or in the whole organisation; its token."""
        team = team or self.team
        person = next(user.id for user in self.world.users.values() if user.team_id == team.id)
        granted = list(self.world.app.bot_scopes if scopes is None else scopes)
        return install(self.world, Grant(person, team.id, granted, "", wide))[1]

    def uninstall(self, team: Team | None = None) -> None:
        """Remove the app from a workspace: its tokens end, and it is told."""
        team = team or self.team
        tokens = [token for token in self.world.tokens.values() if token.team_id == team.id and token.kind != "app"]
        bots = [team.bot_user_id]
        self.desk.events.revoked(team.id, bots=bots, users=[], uninstalled=True)
        for token in tokens:
            token.revoked = True
        deactivate(self.world.installations, team.id, team.enterprise_id)

    def revoke(self, token: str) -> None:
        """Revoke one bot token; the app is told."""
        found = self.world.tokens[token]
        found.revoked = True
        self.desk.events.revoked(found.team_id or self.team.id, bots=[found.user_id or ""], users=[], uninstalled=False)

    @property
    def bot_token(self) -> str:
        """The newest valid bot token of the first workspace; "" before it is installed."""
        return self.token_of(self.team)

    def token_of(self, team: Team) -> str:
        """The newest valid bot token of a workspace, or of its organisation; "" without one."""
        found = [t for t in self.world.tokens.values() if t.kind == "bot" and not t.revoked]
        own = [token.value for token in found if token.team_id == team.id]
        wide = [t.value for t in found if t.team_id is None and t.enterprise_id == team.enterprise_id]
        return (wide + own or [""])[-1]

    @property
    def bot(self) -> User:
        """The app's bot user in the first workspace."""
        return self.world.users[self.team.bot_user_id]

    def user(self, name: Who, team: Team | None = None) -> User:
        """A user by name or id. Raises KeyError."""
        return name if isinstance(name, User) else self.world.user_named(name, team.id if team else None)

    def _member(self, user: Who, room: Channel) -> User:
        """The user of this name in the channel's own workspace, else in any."""
        team = self.world.teams[room.team_id]
        named = any(each.team_id == team.id and user in (each.name, each.id) for each in self.world.users.values())
        return self.user(user, team if named else None)

    def channel(self, name: Where, team: Team | None = None) -> Channel:
        """A channel by name or id. Raises KeyError."""
        return name if isinstance(name, Channel) else self.world.channel_named(name, team.id if team else None)

    def add_user(self, name: str, *, team: Team | None = None, **more: Any) -> User:
        """A new member; `is_bot=True, bot_id="B..."` makes another app's bot."""
        return self.world.add_user(team or self.team, name, **more)

    def add_group(self, handle: str, users: Iterable[Who] = ()) -> UserGroup:
        """A new user group."""
        members = [self.user(user).id for user in users]
        group = UserGroup(self.world.ids.new("S"), self.team.id, handle, handle.title(), members)
        self.world.groups[group.id] = group
        return group

    def add_channel(
        self,
        name: str,
        members: Iterable[Who] = (),
        kind: ChannelKind = "public",
        *,
        bot: bool = True,
        team: Team | None = None,
    ) -> Channel:
        """A new conversation of these people (everyone when none is named), and of the bot."""
        team = team or self.team
        everyone = [user for user in self.world.users.values() if user.team_id == team.id and not user.is_bot]
        people = [self.user(member, team).id for member in members] or [user.id for user in everyone]
        bots = [team.bot_user_id] if bot and team.bot_user_id else []
        return self.world.add_channel(team, name, [*people, *bots], kind)

    def invite_bot(self, channel: Where) -> None:
        """Make the bot a member of a channel; the app hears `member_joined_channel`."""
        room = self.channel(channel)
        bot = self.world.bot_user(room.team_id)
        assert bot is not None, "the app is not installed"
        if bot.id not in room.members:
            room.members.append(bot.id)
            event = {"type": "member_joined_channel", "user": bot.id, "channel": room.id, "team": room.team_id}
            self.desk.events.in_channel(room, event | {"channel_type": room.id[0]})

    def share_channel(self, channel: Where, team: Team, members: Iterable[Who] = ()) -> None:
        """Share a channel with another workspace (Slack Connect)."""
        room = self.channel(channel)
        room.connected_team_ids.append(team.id)
        for member in members:
            user = self.user(member, team)
            user.is_stranger = True
            room.members.append(user.id)

    # -- what people do

    def post(
        self,
        user: Who,
        channel: Where,
        text: str = "",
        *,
        thread_ts: str | None = None,
        files: Sequence[Attached] = (),
        **more: Any,
    ) -> Message:
        """Write a message as a person (or as another bot, with `bot_id=`); its events are on their way on return.

        text: as Slack sends it, so escaped and with `<@U...>`. files: File values, or (name, bytes[, mimetype]).
        more: fields of `Message`, such as `subtype`.
        """
        room = self.channel(channel)
        person = self._member(user, room)
        attached = [self._attached(person, each) for each in files]
        if person.team_id != room.team_id:
            foreign = {"user_team": person.team_id, "source_team": person.team_id}
            more["extra"] = {**foreign, **more.get("extra", {})}
        return self.desk.timeline.typed(person.id, room, text, attached, thread_ts=thread_ts, **more)

    def _attached(self, user: User, given: Attached) -> File:
        if isinstance(given, File):
            return given
        return self.desk.uploads.make(self.world.teams[user.team_id], user.id, *given)

    def file(self, user: Who, name: str, content: bytes, mimetype: str | None = None, **more: Any) -> File:
        """A file that is not shared yet; `more` sets fields of `File`, such as `access="check_file_info"`."""
        person = self.user(user)
        made = self.desk.uploads.make(self.world.teams[person.team_id], person.id, name, content, mimetype)
        for field, value in more.items():
            setattr(made, field, value)
        return made

    def upload_clip(
        self,
        user: Who,
        channel: Where,
        content: bytes,
        *,
        mimetype: str = "audio/mp4",
        name: str = "audio_message.m4a",
        subtype: str = "slack_audio",
        duration_ms: int = 3000,
        transcript: str | None = None,
        text: str = "",
        thread_ts: str | None = None,
    ) -> Message:
        """Record a voice or video clip: `file_share`, usually without text; any mimetype, "" too."""
        person = self._member(user, self.channel(channel))
        clip = self.file(person, name, content, mimetype, subtype=subtype, duration_ms=duration_ms)
        if transcript is not None:
            preview = {"content": transcript[:100], "has_more": len(transcript) > 100}
            clip.transcription = {"status": "complete", "locale": "en-US", "preview": preview}
        return self.post(person, channel, text, thread_ts=thread_ts, files=[clip])

    def edit(self, message: Message, text: str) -> list[Delivery]:
        """Edit a message as its author."""
        blocks = rich_text(text, self.world.ids.token(text, 5))
        return self.desk.timeline.change(message, message.user, text=text, blocks=blocks)

    def unfurl(self, message: Message, title: str = "A page") -> list[Delivery]:
        """Add a link preview: `message_changed` though the text is the same."""
        return self.desk.timeline.change(message, None, attachments=[{"id": 1, "title": title, "fallback": title}])

    def delete(self, message: Message) -> list[Delivery]:
        """Delete a message as its author."""
        return self.desk.timeline.remove(message)

    def react(self, user: Who, message: Message, name: str, *, remove: bool = False) -> list[Delivery]:
        """Add a reaction, or take it back."""
        person = self._member(user, self.world.channels[message.channel])
        return self.desk.timeline.react(message, name, person.id, added=not remove)

    async def slash(self, user: Who, channel: Where, command: str, text: str = "") -> Delivery:
        """Run a slash command and wait for its acknowledgement. Raises LookupError for one that is not registered."""
        room = self.channel(channel)
        return await self.desk.interactivity.slash(self._member(user, room), room, command, text)

    async def shortcut(self, user: Who, callback_id: str, message: Message | None = None) -> Delivery:
        """Use a message shortcut, or a global one without a message. Raises LookupError when the app has none such."""
        person = self._member(user, self.world.channels[message.channel]) if message else self.user(user)
        return await self.desk.interactivity.shortcut(person, callback_id, message)

    async def click(self, user: Who, message: Message, action_id: str, value: Any = None) -> Delivery:
        """Press a button or choose in a message. Raises LookupError when the element is not there."""
        person = self._member(user, self.world.channels[message.channel])
        return await self.desk.interactivity.act(person, message, action_id, value)

    async def click_view(self, user: Who, view: View, action_id: str, value: Any = None) -> Delivery:
        """Press a button or choose in a modal or Home tab."""
        return await self.desk.interactivity.act_in_view(self.user(user), view, action_id, value)

    async def suggest(self, user: Who, view: View, action_id: str, typed: str) -> list[Json]:
        """The options that an external select offers for the typed letters."""
        return await self.desk.interactivity.suggest(self.user(user), view, action_id, typed)

    async def submit_modal(self, user: Who, view: View, values: Json | None = None) -> Delivery:
        """Send a modal, its values by action or block id. Errors that the app answers are in `view.errors`."""
        return await self.desk.interactivity.submit(self.user(user), view, values or {})

    async def close_modal(self, user: Who, view: View) -> Delivery | None:
        """Close a modal; a delivery when the app asked to hear of it."""
        return await self.desk.interactivity.dismiss(self.user(user), view)

    def open_dm(self, user: Who) -> Channel:
        """Open the app's messages tab: the direct channel with the bot, and `app_home_opened`."""
        person = self.user(user)
        channel = self.dm(person)
        self._home_event(person, channel, "messages")
        return channel

    def dm(self, user: Who) -> Channel:
        """The direct channel of a person and the bot, without an event."""
        person = self.user(user)
        team = self.world.teams[person.team_id]
        return self.world.direct_channel(team, [person.id, team.bot_user_id])

    def open_home(self, user: Who) -> list[Delivery]:
        """Open the app's Home tab."""
        person = self.user(user)
        return self._home_event(person, self.dm(person), "home")

    def _home_event(self, person: User, channel: Channel, tab: str) -> list[Delivery]:
        event: Json = {"type": "app_home_opened", "user": person.id, "channel": channel.id, "tab": tab}
        view = self.world.homes.get((person.team_id, person.id))
        if view and tab == "home":
            event["view"] = view_json(self.world, view)
        return self.desk.events.in_team(person.team_id, event)

    def change_context(self, user: Who, channel: Where) -> list[Delivery]:
        """Look at a channel while the agent's panel is open."""
        room = self.channel(channel)
        person = self._member(user, room)
        entity = {"type": "slack#/types/channel_id", "value": room.id, "team_id": room.team_id}
        event: Json = {"type": "app_context_changed", "user": person.id, "context": {"entities": [entity]}}
        return self.desk.events.in_team(person.team_id, event | {"channel": self.dm(person).id})

    def start_assistant_thread(self, user: Who, channel: Where | None = None) -> Message:
        """Open the older assistant view: a thread in the direct channel, and `assistant_thread_started`."""
        person = self.user(user)
        room = self.dm(person)
        bot = self.world.teams[person.team_id].bot_user_id
        root = self.desk.timeline.add(Message(self.world.ids.ts(), room.id, bot, "New Assistant Thread"))
        root.thread_ts = root.ts
        context = {"channel_id": self.channel(channel).id, "team_id": person.team_id} if channel else {}
        thread = {"user_id": person.id, "context": context, "channel_id": room.id, "thread_ts": root.ts}
        self.desk.events.in_team(person.team_id, {"type": "assistant_thread_started", "assistant_thread": thread})
        return root

    def stop_session(self, user: Who, channel: Where, thread_ts: str) -> list[Delivery]:
        """Press Stop: Slack ends the thread's live streams and tells the app. Raises LookupError when nothing runs."""
        room = self.channel(channel)
        person = self._member(user, room)
        live = [m for m in room.in_order() if m.is_streaming and thread_ts in (m.ts, m.thread_ts)]
        session = self.session(room, thread_ts)
        if session is None or session.status != "processing":
            raise LookupError("no Stop button: the session is not processing")
        for message in live:
            assert message.stream is not None
            message.stream.live, message.extra = False, {}
            self.desk.timeline.touch(message)
        event: Json = {"type": "agent_session_stopped", "channel": room.id, "thread_ts": thread_ts, "user": person.id}
        event["streaming_message_ts"] = [message.ts for message in live]
        return self.desk.events.in_channel(room, event)

    # -- what there is to see

    def messages(self, channel: Where, thread_ts: str | None = None) -> list[Message]:
        """A channel's messages outside threads, or one thread with its root; oldest first."""
        room = self.channel(channel)
        if thread_ts is None:
            return [m for m in room.in_order() if m.thread_ts in (None, m.ts) or m.broadcast]
        return [m for m in room.in_order() if thread_ts in (m.ts, m.thread_ts)]

    def from_bot(self, channel: Where, thread_ts: str | None = None) -> list[Message]:
        """As `messages`, only those of the app."""
        room = self.channel(channel)
        bot = self.world.bot_user(room.team_id)
        return [m for m in self.messages(room, thread_ts) if bot and m.user == bot.id]

    def ephemerals(self, channel: Where, user: Who) -> list[Message]:
        """What only this person sees in a channel."""
        room = self.channel(channel)
        person = self._member(user, room)
        return [m for m in room.ephemerals if m.ephemeral_to == person.id]

    def replies(self, message: Message) -> list[Message]:
        """The thread under a message, without it."""
        return self.world.channels[message.channel].replies(message.thread_ts or message.ts)

    def as_json(self, message: Message) -> Json:
        """A message as Slack would answer it."""
        return message_json(self.world, message, metadata=True)

    def status(self, channel: Where, thread_ts: str) -> str:
        """The status line under a thread; "" when there is none."""
        status = self.world.status(self.channel(channel).id, thread_ts)
        return status.text if status else ""

    def session(self, channel: Where, thread_ts: str) -> Session | None:
        """The agent's session in a thread."""
        return self.world.sessions.get((self.channel(channel).id, thread_ts))

    def home(self, user: Who) -> View | None:
        """What the app has published to a person's Home tab."""
        person = self.user(user)
        return self.world.homes.get((person.team_id, person.id))

    def modals(self, user: Who) -> list[View]:
        """The open modals of a person, the topmost last."""
        person = self.user(user)
        opened = [view for view in self.world.views.values() if view.user == person.id and view.is_open]
        return [view for view in opened if view.payload["type"] == "modal"]

    @property
    def calls(self) -> list[CallRecord]:
        """Every call to the Web API, oldest first."""
        return self.desk.calls

    def calls_to(self, *methods: str) -> list[CallRecord]:
        """The calls to these methods."""
        return [call for call in self.desk.calls if call.method in methods]

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery to the app with its attempts, oldest first."""
        return self.desk.post.log

    @property
    def sockets(self) -> list[Socket]:
        """The open sockets; `freeze()` makes one silently dead, `disconnect()` recycles it."""
        return self.desk.sockets.sockets

    # -- trouble and waiting

    def fail(self, method: str, **trouble: Any) -> Fault:
        """Let the next calls of a method go wrong; `trouble` sets fields of `Fault`: error, status, drop, ...

        method: `*` is any; `upload` and `download` are the transfers of files.
        """
        return self.desk.faults.order(Fault(method, **trouble))

    def new_code(
        self, team: Team | None = None, *, redirect_uri: str, scopes: Iterable[str] | None = None, wide: bool = False
    ) -> str:
        """An OAuth code, as if someone had agreed on the consent page."""
        team = team or self.team
        person = next(user.id for user in self.world.users.values() if user.team_id == team.id)
        granted = list(self.world.app.bot_scopes if scopes is None else scopes)
        return new_code(self.desk, Grant(person, team.id, granted, redirect_uri, wide))

    def divert_downloads(self, url: str) -> None:
        """Redirect every download to another address, to see what a client takes along; "" ends it."""
        self.desk.uploads.diverted_to = url

    async def wait_for(self, predicate: Callable[[], T], timeout_s: float = 5.0) -> T:
        """The first truthy value of `predicate`, asked again after each change. Raises TimeoutError.

        timeout_s: in real seconds, whatever the emulator's clock does.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    moved = self._moved
                    if found := predicate():
                        return found
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(moved.wait(), 0.25)
        except TimeoutError as error:
            raise TimeoutError(f"not seen within {timeout_s} s; {self.describe()}") from error

    async def idle(self, timeout_s: float = 5.0) -> None:
        """Return once no delivery and no sharing of a file is under way."""
        await self.wait_for(lambda: self.desk.is_quiet, timeout_s)

    def describe(self) -> str:
        """The last calls, deliveries and messages in one line each, for failing tests."""
        calls = [f"{c.method}:{c.error or 'ok'}" for c in self.calls[-8:]]
        sent = [f"{d.event_type}:{'taken' if d.acknowledged else 'not taken'}" for d in self.deliveries[-8:]]
        shown = [m.shown[:60] for room in self.world.channels.values() for m in room.in_order()[-3:]]
        return f"calls {calls}; deliveries {sent}; messages {shown}"

    def _on_change(self, what: str, about: Json) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _make_app_token(self) -> str:
        app = self.world.app
        value = self.world.ids.secret(f"xapp-1-{app.app_id}-", 32)
        self.world.tokens[value] = Token(value, "app", app.app_id, None, None, None, ["connections:write"])
        return value


class _Carrier:
    """Socket Mode or HTTP, as the app is configured at the moment."""

    def __init__(self, world: World, sockets: SocketMode, http: HttpCarrier) -> None:
        self._world, self._sockets, self._http = world, sockets, http

    async def carry(self, delivery: Delivery, attempt: Attempt) -> Json:
        way = self._sockets if self._world.app.socket_mode else self._http
        return await way.carry(delivery, attempt)


def _desk(world: World, limits: Literal["off", "strict"]) -> Desk:
    sockets = SocketMode(world)
    post = Post(world, sockets)
    events = Events(world, post)
    timeline = Timeline(world, events)
    interactivity = Interactivity(world, post, timeline)
    bounds, faults = Limits(world.clock, enforced=limits == "strict"), Faults()
    return Desk(world, post, events, timeline, sockets, interactivity, Uploads(world, faults), bounds, faults)
