"""The page's HTTP: the page itself, what it sends, and the stream of what happens."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from adapters.playground import CAPABILITIES, news, parse, render
from adapters.playground.guard import Guard, author_of, handle, person_of
from adapters.playground.live import View
from adapters.playground.renderer import Renderer
from adapters.playground.reply import tell
from bot.errors import UnreadableError, UsageError
from bot.policy.actions import actions_for
from bot.ports import Accept, Host
from bot.types import (
    MODALITIES,
    Accepted,
    Address,
    Attachment,
    Blob,
    ButtonPress,
    Deletion,
    Edit,
    Inbound,
    TimelineEntry,
)

PAGE = Path(__file__).parent / "page"
ASSETS = {"app.css": "text/css", "app.js": "text/javascript", "login.css": "text/css", "logo.svg": "image/svg+xml"}
PACE_S = 0.04
"""Between two paints of an answer: 25 a second look steady."""
MAX_PACE_S = 1.0
"""An answer is never painted less often than this, however long it takes to render."""
RENDER_SHARE = 5
"""A long answer takes long to render: it is painted less often, so that one page takes at most a sixth of a core."""
HEARTBEAT_S = 15.0
"""Proxies close streams that are silent for longer, often after 30 or 60 s."""
MAX_FIELD_BYTES = 8_000_000
"""Of the words in a message; `parse.MAX_TEXT` characters of up to 4 bytes."""
MAX_FILES = 20
MIME_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}", re.ASCII)
RANGE = re.compile(r"bytes=(\d*)-(\d*)")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes:
    """Every route of the page, each behind the guard."""

    def __init__(self, host: Host, accept: Accept, guard: Guard, renderer: Renderer, max_upload_bytes: int) -> None:
        self._host, self._accept, self._guard, self._renderer = host, accept, guard, renderer
        self._max_upload_bytes = max_upload_bytes

    def table(self) -> Sequence[web.AbstractRouteDef]:
        """The routes for the web server to mount."""
        conversation = "/api/conversations/{channel}"
        message = conversation + "/messages/{message}"
        return [
            web.get("/", self._admitted(self._page)),
            web.get("/playground/{asset}", self._admitted(self._asset)),
            web.post("/playground/login", self._admitted(self._log_in)),
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
            if not self._guard.knows(request) or not person_of(request):
                raise web.HTTPUnauthorized(text="Open the page first.\n")
            return await handler(request)

        return self._admitted(known)

    async def _page(self, request: web.Request) -> web.Response:
        is_known = self._guard.knows(request)
        self._renderer.warm_up()
        response = web.Response(text=_read("index.html" if is_known else "login.html"), content_type="text/html")
        response.headers["Cache-Control"] = "no-store"
        self._guard.remember(request, response, proven=is_known)
        return response

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["asset"]
        if name not in ASSETS:
            raise web.HTTPNotFound(text="There is no such file.\n")
        headers = {"Cache-Control": "no-cache"}
        return web.Response(text=_read(name), content_type=ASSETS[name], charset="utf-8", headers=headers)

    async def _log_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not await self._guard.is_right(str(form.get("password", ""))):
            text = _read("login.html").replace("hidden data-wrong", "data-wrong")
            return web.Response(text=text, content_type="text/html", status=403)
        response = web.HTTPSeeOther("/")
        self._guard.remember(request, response, proven=True)
        raise response

    # --- What there is ---------------------------------------------------------------------------------------------

    async def _status(self, request: web.Request) -> web.Response:
        """What the page needs to begin: whose it is, the commands, and what answers for each modality."""
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
        return web.json_response(
            {"handle": handle(person_of(request)), "models": models, "commands": commands, **limits}
        )

    def _ways(self) -> dict[str, str]:
        """What brings each part that is off: in the overview's words, which name after a colon what to do."""
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
        return web.json_response(await asyncio.gather(*(self._entry(entry) for entry in shown)))

    async def _entry(self, entry: TimelineEntry) -> dict[str, Any]:
        text = render.words(entry.parts)
        blocks = await self._renderer.blocks(text) if entry.role == "assistant" else []
        return _entry(entry, text, blocks)

    async def _blob(self, request: web.Request) -> web.Response:
        """Bytes by their hash, whole or a range of them (players seek)."""
        mime_type = request.query.get("type", "")
        is_inline = mime_type in render.INLINE_TYPES
        size = request.query.get("size", "")
        blob = Blob(request.match_info["sha256"], mime_type, int(size) if size.isdecimal() else 0)
        blobs = self._host.blobs(Address("playground", "local", handle(person_of(request))))
        data = await blobs.read(blob)
        response = _ranged(data, request.headers.get("Range", ""))
        response.content_type = mime_type if is_inline else "application/octet-stream"
        response.headers["Content-Disposition"] = _disposition(request.query.get("name", ""), is_inline=is_inline)
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response

    # --- What the page sends ---------------------------------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.Response:
        """A message: a form whose words (`conversation`, `id`, `text`, and for a voice note `duration_s`) precede its files."""
        if not request.content_type.startswith("multipart/"):
            raise UsageError("A message is sent as a form.")
        fields, files, room = dict[str, str](), list[Attachment](), self._max_upload_bytes
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise UsageError("A message is sent as a plain form.")
            if part.filename is None:
                fields[str(part.name)] = (await _all_of(part, MAX_FIELD_BYTES)).decode("utf-8", "replace")
                continue
            if len(files) == MAX_FILES:
                raise UsageError(f"A message takes up to {MAX_FILES} files.")
            files.append(await self._keep(part, fields, _address(request, fields), room))
            room -= files[-1].size_bytes
        address, author = _address(request, fields), author_of(request)
        now, names = self._host.clock.now(), self._host.commands
        return await self._hand_in(parse.said(fields, files, address, author, now, names), {"kind": "changed"})

    async def _keep(self, part: BodyPartReader, fields: dict[str, str], address: Address, room: int) -> Attachment:
        data = await _all_of(part, room)
        claimed = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        mime_type = claimed if MIME_TYPE.fullmatch(claimed) else "application/octet-stream"
        name = Path(part.filename or "file").name[:200] or "file"
        blob = await self._host.blobs(address).write(data, mime_type)
        if part.name != "voice":
            return parse.attachment(blob, name, address)
        duration_s = _seconds(fields.get("duration_s", ""))
        return parse.attachment(blob, name, address, is_voice_note=True, duration_s=duration_s)

    async def _edit(self, request: web.Request) -> web.Response:
        data, where = await _json(request), self._where(request)
        return await self._hand_in(parse.edited(data, *where), {"kind": "changed"})

    async def _delete(self, request: web.Request) -> web.Response:
        return await self._hand_in(
            parse.deleted(request.query.get("id", ""), *self._where(request)), {"kind": "changed"}
        )

    async def _press(self, request: web.Request) -> web.Response:
        data = await _json(request)
        return await self._hand_in(parse.pressed(data, *self._where(request)))

    async def _forget(self, request: web.Request) -> web.Response:
        """Delete a conversation for good: the command of that name, as if it were typed there."""
        event, now = request.query.get("id", ""), self._host.clock.now()
        return await self._hand_in(parse.forgotten("forget", event, _address(request), author_of(request), now))

    def _where(self, request: web.Request) -> tuple[str, Address, Any, Any]:
        return request.match_info["message"], _address(request), author_of(request), self._host.clock.now()

    async def _hand_in(self, inbound: Inbound, told: dict[str, Any] | None = None) -> web.Response:
        accepted: Accepted = await self._accept(inbound)
        if told:
            await tell(self._host, inbound.address.channel, told)
        status = 200 if isinstance(inbound, Edit | Deletion | ButtonPress) else 202
        answer = {"outcome": accepted.outcome, "turn": accepted.turn_id, "position": accepted.position}
        return web.json_response(answer, status=status)

    # --- What happens ----------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events of one conversation. A page that comes late, or again, is told the whole so far first."""
        channel = _address(request).channel
        self._renderer.warm_up()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        async with self._host.bus.subscribe(news.topic(channel)) as pieces:
            await response.prepare(request)
            await response.write(_event("ready", {}))
            view, changed = View(self._renderer.blocks), asyncio.Event()
            reader = asyncio.create_task(self._read_news(channel, pieces, view, changed))
            try:
                await self._host.bus.publish(news.asking_topic(channel), {})
                with suppress(ConnectionResetError):
                    await _write_changes(response, view, changed, reader)
            finally:
                reader.cancel()
                with suppress(asyncio.CancelledError):
                    await reader
        return response

    async def _read_news(self, channel: str, pieces: Any, view: View, changed: asyncio.Event) -> None:
        async for piece in pieces:
            is_whole = view.take(piece)
            changed.set()
            if not is_whole:
                await self._host.bus.publish(news.asking_topic(channel), {})


async def _write_changes(
    response: web.StreamResponse, view: View, changed: asyncio.Event, reader: asyncio.Task[None]
) -> None:
    """Until the browser leaves or the news end. A slow browser gets fewer, larger changes."""
    while not reader.done():
        try:
            await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        changed.clear()
        began = time.perf_counter()
        events = b"".join(_event(name, data) for name, data in await view.changes())
        await response.write(events)
        await asyncio.sleep(min(max(PACE_S, (time.perf_counter() - began) * RENDER_SHARE), MAX_PACE_S))


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _address(request: web.Request, fields: dict[str, str] | None = None) -> Address:
    """The conversation a request is about. Raises UsageError when it is not this person's."""
    named = fields.get("conversation", "") if fields is not None else request.query.get("conversation", "")
    return parse.address_of(request.match_info.get("channel", named), handle(person_of(request)))


def _entry(entry: TimelineEntry, text: str, blocks: list[str]) -> dict[str, Any]:
    return {
        "turn": entry.turn_id,
        "role": entry.role,
        "id": entry.message_id or (entry.turn_id if entry.role == "user" else ""),
        "is_editable": bool(entry.message_id) and ":" not in entry.message_id,  # not words that a button stood for
        "text": text,
        "blocks": blocks,
        "parts": render.parts(entry.parts),
        "notices": list(entry.notices),
        "model": entry.model,
        "error": entry.error,
        "is_running": entry.is_running,
        "is_stopped": entry.is_stopped,
        "is_truncated": entry.is_truncated,
        "actions": actions_for(entry.reply, CAPABILITIES) if entry.role == "assistant" else (),
        "created_at": entry.created_at.isoformat(),
    }


async def _all_of(part: BodyPartReader, room: int) -> bytes:
    data = bytearray()
    while piece := await part.read_chunk(256 * 1024):
        data += piece
        if len(data) > room:
            limit = f"{room / 1024 / 1024:,.0f} MB"
            raise UnreadableError(f"{part.filename or 'The message'} is too big: up to {limit} can be sent at once.")
    return bytes(data)


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        data = await request.json()
    except ValueError as error:
        raise UsageError("That is no JSON.") from error
    if not isinstance(data, dict):
        raise UsageError("That is no JSON object.")
    return data


def _ranged(data: bytes, wanted: str) -> web.Response:
    """The bytes, or the one range of them that was wanted. Source: RFC 9110, section 14."""
    size, found = len(data), RANGE.fullmatch(wanted.strip())
    if not found or not (found[1] or found[2]):
        return web.Response(body=data, headers={"Accept-Ranges": "bytes"})
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(size - 1, int(found[2])) if found[1] and found[2] else size - 1
    if first > last:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{size}"}
    return web.Response(body=data[first : last + 1], status=206, headers=headers)


def _disposition(name: str, *, is_inline: bool) -> str:
    kind = "inline" if is_inline else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(name[:200], safe='')}" if name else kind


def _seconds(given: str) -> float | None:
    try:
        seconds = float(given)
    except ValueError:
        return None
    return seconds if 0 < seconds < 24 * 3600 else None


def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
