"""Owns what the page asks of the server: the state as a person sees it, live news, and the person's deeds."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from . import interactions, model, permissions, remux, wire_messages, wire_places
from .errors import ApiError, Refused
from .interactions import Interaction
from .model import Channel, Json, Message, User
from .people import FileLike
from .world import Event

if TYPE_CHECKING:
    from .emulator import DiscordEmulator

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HISTORY = 200
"""How many messages of a channel the page shows."""

POLICY = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'"


class Page:
    """Serves the page for one emulator."""

    def __init__(self, discord: DiscordEmulator) -> None:
        self.discord = discord
        self._readers: dict[asyncio.Queue[str], User] = {}
        discord.world.listeners.append(self._hear)
        discord.interactions.changed.append(self._hear_answer)

    def mount(self, router: web.UrlDispatcher) -> None:
        """Add the page's paths."""
        router.add_get("/", self._file)
        router.add_get("/static/{name}", self._file)
        router.add_get("/emulator/state", self._state)
        router.add_get(r"/emulator/channels/{channel:\d+}", self._messages)
        router.add_get("/emulator/events", self._events)
        router.add_post("/emulator/act", self._act)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = STATIC / request.match_info.get("name", "index.html")
        if path.parent != STATIC or not path.is_file():
            raise web.HTTPNotFound
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        kind = TYPES.get(path.suffix, "application/octet-stream")
        return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=headers)

    # -- looking -------------------------------------------------------------------------------------------------

    def _viewer(self, number: str | None) -> User:
        """The person whose eyes are used; Alice unless another is named."""
        people = self.discord.world.users
        found = people.get(int(number)) if number and number.isdigit() else self.discord.alice
        if found is None or found.bot:
            raise web.HTTPNotFound(text="nobody of that id")
        return found

    def _sees(self, user: User, channel: Channel) -> bool:
        return bool(permissions.in_channel(self.discord.world, channel, user.id) & permissions.VIEW_CHANNEL)

    async def _state(self, request: web.Request) -> web.Response:
        viewer, world = self._viewer(request.query.get("as")), self.discord.world
        for person in world.users.values():
            if not person.bot:
                world.direct_channel(world.bot, person)
        return _json(
            {
                "me": _person(viewer),
                "bot": _person(world.bot),
                "connected": self.discord.gateway.connected,
                "people": [_person(user) for user in world.users.values()],
                "roles": {str(r.id): r.name for guild in world.guilds.values() for r in guild.roles.values()},
                "guilds": [self._guild(viewer, guild) for guild in world.guilds.values() if viewer.id in guild.members],
                "directs": [
                    self._place(c) for c in world.channels.values() if c.guild_id is None and self._sees(viewer, c)
                ],
            }
        )

    def _guild(self, viewer: User, guild: model.Guild) -> Json:
        channels = [c for c in self.discord.world.channels_of(guild.id) if self._sees(viewer, c)]
        return {
            "id": str(guild.id),
            "name": guild.name,
            "members": [str(user) for user in guild.members],
            "channels": [self._place(channel) for channel in channels],
        }

    def _place(self, channel: Channel) -> Json:
        return {
            "id": str(channel.id),
            "kind": channel.kind,
            "name": channel.name,
            "topic": channel.topic,
            "parent": str(channel.parent_id) if channel.parent_id else None,
            "guild": str(channel.guild_id) if channel.guild_id else None,
            "archived": channel.archived,
            "people": [str(user) for user in channel.recipients],
            "tags": [wire_places.tag_json(tag) for tag in channel.tags],
            "applied": [str(tag) for tag in channel.applied_tags],
            "count": channel.message_count,
        }

    async def _messages(self, request: web.Request) -> web.Response:
        viewer = self._viewer(request.query.get("as"))
        channel = self.discord.world.channels.get(int(request.match_info["channel"]))
        if channel is None or not self._sees(viewer, channel):
            raise web.HTTPNotFound
        every = self.discord.world.history(channel.id, with_ephemeral=True)
        shown = [self._message(m) for m in every if m.ephemeral_to in (None, viewer.id)][-HISTORY:]
        offered = self.discord.registered
        commands = offered.every(channel.guild_id) + (offered.every(None) if channel.guild_id else [])
        seen = [command for command in commands if self.discord.sees_command(viewer, channel, command)]
        return _json({"channel": self._place(channel), "messages": shown, "commands": seen})

    def _message(self, message: Message) -> Json:
        body = wire_messages.message_json(self.discord.world, message, sees_content=True)
        every = self.discord.interactions.all if message.webhook else []
        used = next((one for one in every if one.original is message and one.kind == interactions.COMMAND), None)
        command = {"user": used.user.shown, "name": used.data["name"]} if used else None
        return body | {"ephemeral": message.ephemeral_to is not None, "command": command}

    # -- news ----------------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events until the page goes away."""
        viewer = self._viewer(request.query.get("as"))
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await stream.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._readers[queue] = viewer
        try:
            await stream.write(b"retry: 500\n\n")
            while True:
                await stream.write(await self._next(queue))
        except (ConnectionError, asyncio.CancelledError):
            return stream
        finally:
            del self._readers[queue]

    async def _next(self, queue: asyncio.Queue[str]) -> bytes:
        """The next piece of news, or after 15 quiet seconds a sign of life."""
        try:
            async with asyncio.timeout(15):
                return f"data: {await queue.get()}\n\n".encode()
        except TimeoutError:
            return b": still here\n\n"

    def _tell(self, news: Json, sees: Callable[[User], bool]) -> None:
        text = json.dumps(news)
        for queue, viewer in self._readers.items():
            if sees(viewer):
                queue.put_nowait(text)

    def _hear(self, event: Event) -> None:
        if not self._readers:
            return
        subject, channel = event.subject, event.channel
        if isinstance(subject, Message) and channel:
            owner = subject.ephemeral_to
            told = {"type": "message", "message": self._message(subject)}
            self._tell(told, lambda viewer: owner in (None, viewer.id) and self._sees(viewer, channel))
        elif isinstance(subject, list) and channel:
            gone = {"type": "gone", "channel": str(channel.id), "ids": [str(message.id) for message in subject]}
            self._tell(gone, lambda viewer: True)
        elif event.name == "TYPING_START" and isinstance(subject, tuple):
            typing = {"type": "typing", "channel": str(subject[0].id), "user": str(subject[1])}
            self._tell(typing, lambda viewer: viewer.id != subject[1])
        elif event.name.startswith(("CHANNEL_", "THREAD_", "GUILD_")):
            self._tell({"type": "places"}, lambda viewer: True)

    def _hear_answer(self, made: Interaction) -> None:
        told = {"type": "interaction", **_interaction(made)}
        self._tell(told, lambda viewer: viewer.id == made.user.id)

    # -- deeds ---------------------------------------------------------------------------------------------------

    async def _act(self, request: web.Request) -> web.Response:
        """Do what the page's person wants: a form with `what` as JSON, and files. Only from this page itself."""
        if request.headers.get("X-Emulator") != "page":
            raise web.HTTPForbidden(text="only this page may act")
        what, files = await _read_form(request)
        deed = DEEDS.get(str(what.get("do")))
        if deed is None:
            raise web.HTTPBadRequest(text="unknown deed")
        try:
            made = deed(self, self._viewer(what.get("as")), what, files)
        except (Refused, ApiError) as error:
            return _json({"error": error.body["message"] if isinstance(error, ApiError) else str(error)})
        return _json(_interaction(made) if isinstance(made, Interaction) else made or {})

    def channel_of(self, what: Json) -> Channel:
        """The channel that a deed names."""
        return self.discord.world.channels[int(what["channel"])]

    def message_of(self, what: Json) -> Message:
        """The message that a deed names."""
        return self.discord.world.messages[int(what["message"])]

    def interaction_of(self, what: Json) -> Interaction:
        """The interaction that a deed goes on with."""
        return next(one for one in self.discord.interactions.all if str(one.id) == what["interaction"])


def _person(user: User) -> Json:
    return {"id": str(user.id), "name": user.shown, "bot": user.bot}


def _interaction(made: Interaction) -> Json:
    return {
        "interaction": str(made.id),
        "answer": made.answer,
        "modal": made.modal,
        "choices": made.choices,
        "channel": str(made.channel.id),
    }


def _json(body: Any) -> web.Response:
    return web.json_response(body, headers={"Cache-Control": "no-store"})


async def _read_form(request: web.Request) -> tuple[Json, dict[str, list[FileLike]]]:
    """The `what` of a form, and its files by field."""
    if not request.content_type.startswith("multipart/"):
        raise web.HTTPBadRequest(text="a form is expected")
    what: Json = {}
    files: dict[str, list[FileLike]] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        raw = bytes(await part.read(decode=False))
        if part.filename:
            files.setdefault(part.name or "", []).append((part.filename, raw, part.headers.get("Content-Type", "")))
        elif part.name == "what":
            what = json.loads(raw)
    return what, files


Files = dict[str, list[FileLike]]
Deed = Callable[[Page, User, Json, Files], Interaction | Json | None]


def _post(page: Page, user: User, what: Json, files: Files) -> None:
    target = page.discord.world.messages.get(int(what.get("reply_to") or 0))
    page.discord.post(user, page.channel_of(what), what["content"], files=files.get("files", []), reply_to=target)


def _voice(page: Page, user: User, what: Json, files: Files) -> None:
    data = files["files"][0][1]
    ogg = remux.to_ogg(data) if remux.is_webm(data) else data
    page.discord.voice_note(
        user, page.channel_of(what), ogg, float(what["duration"]), base64.b64decode(what["waveform"])
    )


def _edit(page: Page, user: User, what: Json, files: Files) -> None:
    message = page.message_of(what)
    if message.author_id != user.id:
        raise Refused("only your own messages")
    page.discord.edit(message, what["content"])


def _delete(page: Page, user: User, what: Json, files: Files) -> None:
    message = page.message_of(what)
    if message.ephemeral_to == user.id:
        page.discord.dismiss(message)
        return
    channel = page.discord.world.channels[message.channel_id]
    if message.author_id != user.id and not page.discord.permissions_of(user, channel) & permissions.MANAGE_MESSAGES:
        raise Refused("only your own messages")
    page.discord.delete(message)


def _react(page: Page, user: User, what: Json, files: Files) -> None:
    message, emoji = page.message_of(what), what["emoji"]
    own = user.id in message.reactions.get(emoji, [])
    (page.discord.unreact if own else page.discord.react)(user, message, emoji)


def _thread(page: Page, user: User, what: Json, files: Files) -> Json:
    target = page.discord.world.messages.get(int(what.get("message") or 0))
    thread = page.discord.create_thread(user, page.channel_of(what), what["name"], message=target)
    return {"channel": str(thread.id)}


def _forum(page: Page, user: User, what: Json, files: Files) -> Json:
    forum = page.channel_of(what)
    tags = [tag for tag in forum.tags if str(tag.id) in what.get("tags", [])]
    given = files.get("files", [])
    thread, _ = page.discord.create_forum_post(user, forum, what["name"], what["content"], tags=tags, files=given)
    return {"channel": str(thread.id)}


def _slash(page: Page, user: User, what: Json, files: Files) -> Interaction:
    dropped = {name: given[0] for name, given in files.items()}
    return page.discord.slash(user, page.channel_of(what), what["name"], what.get("options"), dropped)


def _complete(page: Page, user: User, what: Json, files: Files) -> Interaction:
    channel = page.channel_of(what)
    return page.discord.autocomplete(user, channel, what["name"], what["focused"], what["value"], what.get("options"))


def _menu(page: Page, user: User, what: Json, files: Files) -> Interaction:
    return page.discord.context_menu(user, what["name"], page.message_of(what))


def _click(page: Page, user: User, what: Json, files: Files) -> Interaction:
    return page.discord.click(user, page.message_of(what), what["custom_id"])


def _select(page: Page, user: User, what: Json, files: Files) -> Interaction:
    return page.discord.select(user, page.message_of(what), what["custom_id"], what["values"])


def _modal(page: Page, user: User, what: Json, files: Files) -> Interaction:
    return page.discord.submit_modal(page.interaction_of(what), {**what["values"], **files})


def _typing(page: Page, user: User, what: Json, files: Files) -> None:
    page.discord.type(user, page.channel_of(what))


def _install(page: Page, user: User, what: Json, files: Files) -> None:
    page.discord.install_for(user)


DEEDS: dict[str, Deed] = {
    "post": _post,
    "voice": _voice,
    "edit": _edit,
    "delete": _delete,
    "react": _react,
    "thread": _thread,
    "forum": _forum,
    "slash": _slash,
    "complete": _complete,
    "menu": _menu,
    "click": _click,
    "select": _select,
    "modal": _modal,
    "typing": _typing,
    "install": _install,
}
