"""The page's HTTP: the page itself, what it sends, and the stream of what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from adapters.playground import CAPABILITIES, parse, render
from adapters.playground.bodies import read_json, read_password
from adapters.playground.files import Proof, asset_response, page_response, send_blob
from adapters.playground.forms import MAX_FILES, FormReader
from adapters.playground.guard import VISITOR, Guard, author_of, visitor_of
from adapters.playground.renderer import Renderer
from adapters.playground.reply import publish_to_pages
from adapters.playground.slots import Slots, UploadRoom
from adapters.playground.stream import Watcher, stream_events
from bot.policy.actions import actions_for
from bot.policy.callers import network_of
from bot.policy.fairness import on_behalf_of
from bot.ports import Accept, Host
from bot.types import MODALITIES, Accepted, Address, ButtonPress, Deletion, Edit, Inbound, TimelineEntry

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOO_MANY_PAGES = "Parley is open in too many places. Close it in one, and reload this page.\n"
TOO_MANY_FILES = "Too many files are being fetched at once. Please try again in a few seconds.\n"
STREAMS_FOR_PERSON = 10
"""Open pages. Each holds a connection for as long as it is open."""
DOWNLOADS = {"for_person": 8, "for_network": 48, "in_all": 64}
"""Files on their way to browsers: each holds a piece of four megabytes. A browser asks for six at once."""


class Routes:
    """Every route of the page, each behind the guard."""

    def __init__(
        self,
        host: Host,
        accept: Accept,
        guard: Guard,
        renderer: Renderer,
        *,
        max_upload_bytes: int,
        max_streams: tuple[int, int],
    ) -> None:
        """max_upload_bytes: of all files in one message. max_streams: open pages for one address, and in all."""
        self._host, self._accept, self._guard, self._renderer = host, accept, guard, renderer
        self._max_upload_bytes = max_upload_bytes
        self._streams = Slots(
            TOO_MANY_PAGES, for_person=STREAMS_FOR_PERSON, for_network=max_streams[0], in_all=max_streams[1]
        )
        self._downloads = Slots(TOO_MANY_FILES, **DOWNLOADS)
        self._uploads = UploadRoom(for_person=2 * max_upload_bytes, in_all=8 * max_upload_bytes)

    def table(self) -> Sequence[web.AbstractRouteDef]:
        """Return the routes for the web server to mount."""
        conversation = "/api/conversations/{channel}"
        message = conversation + "/messages/{message}"
        return [
            web.get("/", self._admitted(self._page)),
            web.get("/playground/{asset}", self._admitted(self._asset)),
            web.post("/playground/login", self._admitted(self._log_in)),
            web.post("/playground/logout", self._admitted(self._log_out)),
            web.get("/api/status", self._known(self._status)),
            web.get("/api/events", self._known(self._events)),
            web.get("/api/conversations", self._known(self._conversations)),
            web.get(conversation, self._known(self._entries)),
            web.delete(conversation, self._known(self._forget)),
            web.post("/api/messages", self._known(self._post)),
            web.patch(message, self._known(self._edit)),
            web.delete(message, self._known(self._delete)),
            web.post(message + "/press", self._known(self._press)),
            web.get("/api/blobs/{sha256:[0-9a-f]{64}}", self._known(self._blob)),
        ]

    # --- Who may ---------------------------------------------------------------------------------------------------

    def _admitted(self, handler: Handler) -> Handler:
        async def admitted(request: web.Request) -> web.StreamResponse:
            self._guard.admit(request)
            return await handler(request)

        return admitted

    def _known(self, handler: Handler) -> Handler:
        async def known(request: web.Request) -> web.StreamResponse:
            visitor = await self._guard.sessions.visitor_of(request)
            if not visitor:
                raise web.HTTPUnauthorized(text="Open the page first.\n")
            request[VISITOR] = visitor
            with on_behalf_of(visitor):  # one person's long texts do not make others wait for theirs
                return await handler(request)

        return self._admitted(known)

    async def _page(self, request: web.Request) -> web.Response:
        """Return the page to whoever has a session, and begin one for whoever needs no proof; the others learn what to do."""
        sessions = self._guard.sessions
        if not await sessions.visitor_of(request):
            if not self._guard.needs_no_proof(request):
                return (
                    page_response("login.html") if self._guard.has_password else page_response("start.html", status=403)
                )
            response = web.HTTPSeeOther("/")
            await sessions.begin(request, response)
            raise response
        if "key" in request.query:
            raise web.HTTPSeeOther("/")  # so that it stands neither in the address bar nor in a bookmark
        self._renderer.warm_up()
        return page_response("index.html")

    async def _asset(self, request: web.Request) -> web.Response:
        return asset_response(request.match_info["asset"])

    async def _log_in(self, request: web.Request) -> web.Response:
        if not await self._guard.is_right(request, await read_password(request)):
            return page_response("login.html", changed=("hidden data-wrong", "data-wrong"), status=403)
        response = web.HTTPSeeOther("/")
        await self._guard.sessions.begin(request, response)
        raise response

    async def _log_out(self, request: web.Request) -> web.Response:
        response = web.HTTPSeeOther("/")
        await self._guard.sessions.end(request, response)
        raise response

    # --- What there is ---------------------------------------------------------------------------------------------

    async def _status(self, request: web.Request) -> web.Response:
        """Return what the page needs to begin: the person's handle, the commands, and the model of each modality."""
        chosen, ways = self._host.models, self._ways()
        models = [
            {"modality": modality, "model": chosen.get(modality, ""), "way": ways.get(modality, "")}
            for modality in MODALITIES
        ]
        commands = [
            {"name": spec.name, "summary": spec.summary, "usage": spec.usage, "begins_anew": spec.begins_anew}
            for spec in self._host.commands.values()
        ]
        limits = {"max_upload_bytes": self._max_upload_bytes, "max_files": MAX_FILES}
        who = {"handle": visitor_of(request), "can_log_out": self._guard.has_password}
        return web.json_response({**who, "models": models, "commands": commands, **limits})

    def _ways(self) -> dict[str, str]:
        """Return how to turn on each modality that is off: the part of its diagnostic after the colon."""
        if all(self._host.models.get(modality) for modality in MODALITIES):
            return {}
        return {one.subject: one.text.rpartition(": ")[2] for one in self._host.diagnostics() if one.level == "off"}

    async def _conversations(self, request: web.Request) -> web.Response:
        found = await self._host.timeline.conversations("playground", "local", author_of(request).id)
        return web.json_response(
            [{"id": one.address.channel, "title": one.title, "updated_at": one.updated_at.isoformat()} for one in found]
        )

    async def _entries(self, request: web.Request) -> web.Response:
        entries = await self._host.timeline.entries(_address(request))
        shown = [entry for entry in entries if entry.role in ("user", "assistant")]
        proof = self._proof(request)
        return web.json_response(await asyncio.gather(*(self._entry(entry, proof) for entry in shown)))

    async def _entry(self, entry: TimelineEntry, proof: Proof) -> dict[str, Any]:
        text = render.text_of(entry.parts)
        blocks = await self._renderer.blocks(text) if entry.role == "assistant" else []
        return _entry(entry, text, blocks, proof)

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        visitor = visitor_of(request)
        blobs, turn = self._host.blobs(Address("playground", "local", visitor)), self._proof(request).holds(request)
        with self._downloads.taken(visitor, network_of(request.remote or "")):
            return await send_blob(request, blobs, visitor, turn)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        visitor, address = visitor_of(request), _address(request)
        self._renderer.warm_up()

        async def is_welcome() -> bool:
            return await self._guard.sessions.visitor_of(request) == visitor

        with self._streams.taken(visitor, network_of(request.remote or "")):
            watcher = Watcher(self._proof(request), is_welcome)
            return await stream_events(request, self._host, self._renderer, address, watcher)

    def _proof(self, request: web.Request) -> Proof:
        return Proof(self._guard.sessions.token_of(request))

    # --- What the page sends ---------------------------------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.Response:
        author = author_of(request)
        with self._uploads.entered(author.id) as note:
            reader = FormReader(author.id, self._host.blobs, self._max_upload_bytes, note)
            address, form = await reader.read(request)
        now, names = self._host.clock.now(), self._host.commands
        return await self._hand_in(
            parse.parse_message(form.fields, form.files, address, author, now, names), {"kind": "changed"}
        )

    async def _edit(self, request: web.Request) -> web.Response:
        data, where = await read_json(request), self._where(request)
        return await self._hand_in(parse.parse_edit(data, *where), {"kind": "changed"})

    async def _delete(self, request: web.Request) -> web.Response:
        return await self._hand_in(
            parse.parse_deletion(request.query.get("id", ""), *self._where(request)), {"kind": "changed"}
        )

    async def _press(self, request: web.Request) -> web.Response:
        data = await read_json(request)
        return await self._hand_in(parse.parse_press(data, *self._where(request)))

    async def _forget(self, request: web.Request) -> web.Response:
        """Delete a conversation for good: the command of that name, as if it were typed there."""
        event, now = request.query.get("id", ""), self._host.clock.now()
        return await self._hand_in(parse.parse_forget("forget", event, _address(request), author_of(request), now))

    def _where(self, request: web.Request) -> tuple[str, Address, Any, Any]:
        return request.match_info["message"], _address(request), author_of(request), self._host.clock.now()

    async def _hand_in(self, inbound: Inbound, told: dict[str, Any] | None = None) -> web.Response:
        accepted: Accepted = await self._accept(inbound)
        if told:
            await publish_to_pages(self._host, inbound.address.channel, told)
        status = 200 if isinstance(inbound, Edit | Deletion | ButtonPress) else 202
        answer = {
            "outcome": accepted.outcome,
            "turn": accepted.turn_id,
            "position": accepted.position,
            "reason": accepted.reason,
        }
        return web.json_response(answer, status=status)


def _address(request: web.Request) -> Address:
    """Return the conversation a request is about. Raises UsageError when it is not this person's."""
    channel = request.match_info.get("channel") or request.query.get("conversation", "")
    return parse.address_of(channel, visitor_of(request))


def _entry(entry: TimelineEntry, text: str, blocks: list[str], proof: Proof) -> dict[str, Any]:
    parts = render.draw_parts(entry.parts)
    return {
        "turn": entry.turn_id,
        "role": entry.role,
        "id": entry.message_id or (entry.turn_id if entry.role == "user" else ""),
        "is_editable": entry.is_editable,
        "text": text,
        "blocks": blocks,
        "parts": proof.sign(parts, entry.turn_id) if entry.role == "assistant" else parts,
        "notices": list(entry.notices),
        "model": entry.model,
        "error": entry.error,
        "is_running": entry.is_running,
        "is_stopped": entry.is_stopped,
        "is_truncated": entry.is_truncated,
        "actions": actions_for(entry.reply, CAPABILITIES) if entry.role == "assistant" else (),
        "created_at": entry.created_at.isoformat(),
    }
