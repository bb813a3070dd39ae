"""Owns the page that shows the workspace to a person: what it asks for, and what a person does on it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .composer import called, strangers, typed
from .page_state import PageState
from .render import code_css
from .workspace import Json, Message, User, View

if TYPE_CHECKING:
    from .emulator import SlackEmulator

STATIC = {"style.css": "text/css", "app.js": "text/javascript"}
HOSTS = ("127.0.0.1", "localhost")
PAUSE_S = 0.04
"""How long changes are gathered before the page is told."""
POLICY = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'"


class Page:
    """Serves the page; every action goes through the same API that tests use."""

    def __init__(self, slack: "SlackEmulator") -> None:
        self._slack, self._state = slack, PageState(slack)
        self._acts: dict[str, Callable[[User, Json], Awaitable[str | None]]] = {
            "post": self._post,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "click": self._click,
            "shortcut": self._shortcut,
            "submit": self._submit,
            "dismiss": self._dismiss,
            "stop": self._stop,
            "home": self._home,
            "look": self._look,
        }

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the page's addresses beside the API's."""
        router.add_get("/", self._index)
        router.add_get("/emulator/static/{name}", self._static)
        router.add_get("/emulator/state", self._show)
        router.add_get("/emulator/changes", self._changes)
        router.add_get("/emulator/file/{file}", self._file)
        router.add_post("/emulator/act", self._act)
        router.add_post("/emulator/upload", self._upload)

    async def _index(self, request: web.Request) -> web.Response:
        _check_host(request)
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=_read("index.html"), content_type="text/html", headers=headers)

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "code.css":
            return web.Response(text=code_css(), content_type="text/css")
        if name not in STATIC:
            raise web.HTTPNotFound
        return web.Response(text=_read(name), content_type=STATIC[name])

    async def _show(self, request: web.Request) -> web.Response:
        _check_host(request)
        return web.json_response(self._state.read(request.query))

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        _check_host(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        async with aclosing(self._ticks()) as ticks:
            with suppress(ConnectionResetError):  # the person has left
                async for _ in ticks:
                    await response.write(b"data: changed\n\n")
        return response

    async def _ticks(self) -> AsyncGenerator[None]:
        moved, watchers = asyncio.Event(), self._slack.world.watchers

        def watch(what: str, about: Json) -> None:
            moved.set()

        watchers.append(watch)
        try:
            while True:
                yield
                await moved.wait()
                await asyncio.sleep(PAUSE_S)
                moved.clear()
        finally:
            watchers.remove(watch)

    async def _file(self, request: web.Request) -> web.Response:
        _check_host(request)
        file = self._slack.world.files.get(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound
        kind = file.mimetype if file.mimetype.startswith(("image/", "audio/", "video/")) else "application/octet-stream"
        safe = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=file.content, headers={"Content-Type": kind, **safe})

    # -- what a person does

    async def _act(self, request: web.Request) -> web.Response:
        _check_host(request, acting=True)
        body = await request.json()
        try:
            note = await self._acts[body["do"]](self._slack.user(body["user"]), body)
        except (LookupError, StopIteration) as error:
            return web.json_response({"problem": str(error).strip("'\"")}, status=400)
        return web.json_response({"note": note} if note else {})

    def _typed(self, user: User, text: str) -> str:
        return typed(self._slack.world, text, team_id=user.team_id)

    def _message(self, body: Json) -> Message:
        found = self._slack.world.message(body["channel"], body["ts"])
        if found is None:
            raise LookupError("the message is gone")
        return found

    async def _post(self, user: User, body: Json) -> str | None:
        text = body["text"]
        if text.startswith("/invite "):
            return self._invite(user, body)
        if text.startswith("/"):
            if body.get("thread"):
                raise LookupError("Slack does not support slash commands in threads")
            command, _, rest = text.partition(" ")
            await self._slack.slash(user, body["channel"], command, rest)
            return None
        self._slack.post(user, body["channel"], self._typed(user, text), thread_ts=body.get("thread"))
        return self._unheard(user, body["channel"], text)

    def _invite(self, user: User, body: Json) -> str:
        """Slack's own command: people and the app join the channel."""
        world, room = self._slack.world, self._slack.channel(body["channel"])
        names = body["text"].removeprefix("/invite ").strip().split("@")[1:] or [body["text"].removeprefix("/invite ")]
        found = [(name.strip(), called(world, name.strip(), user.team_id)) for name in names]
        if unknown := [name for name, one in found if one is None]:
            raise LookupError(f"nobody is called {', '.join(unknown)}")
        bot = world.bot_user(user.team_id)
        for _, one in found:
            if one is bot and one is not None:
                self._slack.invite_bot(room)
            elif one is not None and one.id not in room.members:
                room.members.append(one.id)
        world.changed("channel", id=room.id)
        return f"{', '.join(one.real_name for _, one in found if one)} can read #{room.name} now"

    def _unheard(self, user: User, channel: str, text: str) -> str | None:
        """What a person should know who called somebody that does not hear it."""
        world, room = self._slack.world, self._slack.channel(channel)
        if names := strangers(world, text):
            return f"Nobody here is called {', '.join(names)}."
        bot = world.bot_user(user.team_id)
        if bot is not None and bot.id not in room.members and f"<@{bot.id}>" in self._typed(user, text):
            return f"{world.app.name} is not in #{room.name}: /invite @{bot.name}"
        return None

    async def _edit(self, user: User, body: Json) -> None:
        self._slack.edit(self._own(user, body), self._typed(user, body["text"]))

    async def _delete(self, user: User, body: Json) -> None:
        self._slack.delete(self._own(user, body))

    def _own(self, user: User, body: Json) -> Message:
        message = self._message(body)
        if message.user != user.id and message.ephemeral_to != user.id:
            raise LookupError("the message is someone else's")
        return message

    async def _react(self, user: User, body: Json) -> None:
        message = self._message(body)
        given = user.id in message.reactions.get(body["name"], [])
        self._slack.react(user, message, body["name"], remove=given)

    async def _click(self, user: User, body: Json) -> None:
        value = body.get("value")
        if body.get("view"):
            await self._slack.click_view(user, self._view(body), body["action"], value)
        else:
            await self._slack.click(user, self._message(body), body["action"], value)

    def _view(self, body: Json) -> View:
        return self._slack.world.views[body["view"]]

    async def _shortcut(self, user: User, body: Json) -> None:
        await self._slack.shortcut(user, body["callback_id"], self._message(body) if body.get("ts") else None)

    async def _submit(self, user: User, body: Json) -> None:
        await self._slack.submit_modal(user, self._view(body), body["values"])

    async def _dismiss(self, user: User, body: Json) -> None:
        await self._slack.close_modal(user, self._view(body))

    async def _stop(self, user: User, body: Json) -> None:
        self._slack.stop_session(user, body["channel"], body["thread"])

    async def _home(self, user: User, body: Json) -> None:
        self._slack.open_home(user)

    async def _look(self, user: User, body: Json) -> None:
        if self._slack.dm(user).id == body["channel"]:
            self._slack.open_dm(user)
        else:
            self._slack.change_context(user, body["channel"])

    async def _upload(self, request: web.Request) -> web.Response:
        _check_host(request, acting=True)
        form: Any = await request.post()
        user, thread = self._slack.user(form["user"]), form.get("thread") or None
        held = [field for field in form.getall("file") if isinstance(field, web.FileField)]
        text = self._typed(user, form.get("text", ""))
        if form.get("clip"):
            name, kind = held[0].filename, held[0].content_type.partition(";")[0]
            self._slack.upload_clip(
                user, form["channel"], held[0].file.read(), mimetype=kind, name=name, text=text, thread_ts=thread
            )
        else:
            attached = [(field.filename, field.file.read(), field.content_type) for field in held]
            self._slack.post(user, form["channel"], text, files=attached, thread_ts=thread)
        return web.json_response({})


def _read(name: str) -> str:
    return (files(__package__) / "static" / name).read_text(encoding="utf-8")


def _check_host(request: web.Request, *, acting: bool = False) -> None:
    """Keep other sites out: only loopback names, and for actions a header that no foreign form can send."""
    if request.host.partition(":")[0] not in HOSTS:
        raise web.HTTPForbidden(text="loopback only")
    if acting and request.headers.get("X-Emulator") != "page":
        raise web.HTTPForbidden(text=json.dumps({"problem": "not from the page"}))
