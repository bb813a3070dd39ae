"""Owns the running emulator: its server, and the Python API by which tests play the people of a workspace."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import aiohttp
from aiohttp import web

from .acts import Acts
from .clock import Clock
from .config import AppConfig
from .delivery import Attempt, Delivery, HttpCarrier, Post
from .desk import Desk
from .events import Events
from .faults import Fault, Faults
from .interactivity import Interactivity
from .limits import Limits
from .oauth import Consent, Grant, new_code
from .page import Page
from .socket_mode import SocketMode
from .timeline import Timeline
from .uploads import Uploads
from .web_api import WebApi
from .workspace import Json, Team, Token
from .world import World

T = TypeVar("T")
MAX_UPLOAD_BYTES = 1 << 30


class SlackEmulator(Acts):
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
