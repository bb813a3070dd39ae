"""Owns files on their way in and out: upload addresses, made files, clips, and guarded downloads."""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from .faults import Faults
from .workspace import File, Json, Team
from .world import World

LOGIN_PAGE = """<!DOCTYPE html><html lang="en-US"><head><title>Slack | Sign in</title></head>
<body><h1>Sign in to your workspace</h1>
<form method="post" action="/signin"><input name="email"></form></body></html>"""
"""What a download without the right token or scope ends in: HTTP 200 and HTML."""
TYPES = {"jpeg": "jpg", "plain": "text", "x-python": "python", "mpeg": "mp3", "x-wav": "wav", "x-m4a": "m4a"}


@dataclass
class Slot:
    """An upload that was announced and may be filled once."""

    file: File
    length: int
    filled: bool = False
    completed: bool = False


class Uploads:
    """Makes files and serves their bytes."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self.diverted_to = ""
        self.slots: dict[str, Slot] = {}

    def make(
        self, team: Team, user: str, name: str, content: bytes, mimetype: str | None = None, *, title: str = ""
    ) -> File:
        """A file of this workspace; its type by its name unless `mimetype` (which may be empty) is given."""
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream" if mimetype is None else mimetype
        made_at, file_id = int(self._world.clock.now()), self._world.ids.new("F")
        file = File(file_id, team.id, user, name, title or name, kind, filetype(name, kind), content, made_at)
        self._world.files[file.id] = file
        return file

    def announce(self, team: Team, user: str, name: str, length: int, more: Json) -> tuple[str, str]:
        """An address to upload to, and the file's id."""
        file = self.make(team, user, name, b"")
        file.alt_txt, file.mode = more.get("alt_txt"), "snippet" if more.get("snippet_type") else "hosted"
        secret = self._world.ids.secret("upload-", 40)
        self.slots[secret] = Slot(file, length)
        return f"{self._world.base_url}/upload/v1/{secret}", file.id

    def slot_of(self, file_id: str) -> Slot | None:
        """The announced upload of this file."""
        return next((slot for slot in self.slots.values() if slot.file.id == file_id), None)

    async def receive(self, request: web.Request) -> web.Response:
        """Take the bytes, raw or as a form, once and of the announced length."""
        if trouble := self._trouble("upload", request):
            return trouble
        slot = self.slots.get(request.match_info["secret"])
        if slot is None or slot.filled:
            return web.Response(status=404, text="not found")
        content = await _content(request)
        if len(content) != slot.length:
            return web.Response(status=400, text="wrong length")
        slot.file.content, slot.filled = content, True
        return web.Response(text=f"OK - {len(content)}", content_type="text/plain")

    async def download(self, request: web.Request) -> web.Response:
        """Give a file's bytes to a token with `files:read`; anyone else is led to a page to sign in."""
        if trouble := self._trouble("download", request):
            return trouble
        if self.diverted_to:
            raise web.HTTPFound(self.diverted_to)
        file = self._world.files.get(request.match_info["file"].rpartition("-")[2])
        if file is None or file.deleted:
            return web.Response(status=404, text="file_not_found")
        if not self._may_read(request.headers, file):
            raise web.HTTPFound(f"/login?redir={request.path}")
        disposition = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        kind = file.mimetype or "application/octet-stream"
        return web.Response(body=file.content, headers={**disposition, "Content-Type": kind})

    def _trouble(self, name: str, request: web.Request) -> web.Response | None:
        fault = self._faults.next_for(name)
        if fault is None:
            return None
        if fault.drop and request.transport is not None:
            request.transport.abort()
        return web.Response(status=fault.status if fault.status != 200 else 500, text=fault.error or "trouble")

    async def login(self, request: web.Request) -> web.Response:
        """The page to sign in."""
        return web.Response(text=LOGIN_PAGE, content_type="text/html")

    async def captions(self, request: web.Request) -> web.Response:
        """A clip's transcript as WEBVTT, with the byte order mark that Slack's has."""
        file = self._world.files.get(request.match_info["file"].rpartition("-")[2])
        said = ((file and file.transcription) or {}).get("preview", {}).get("content")
        if file is None or said is None or not self._may_read(request.headers, file):
            return web.Response(status=404, text="file_not_found")
        text = f"\ufeffWEBVTT\n\n1\n00:00:00.000 --> 00:00:10.000\n- {said}\n"
        return web.Response(body=text.encode(), content_type="text/vtt")

    def _may_read(self, headers: Mapping[str, str], file: File) -> bool:
        token = self._world.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        if token is None or token.revoked or "files:read" not in token.scopes:
            return False
        if token.expires_at is not None and self._world.clock.now() >= token.expires_at:
            return False
        teams = {file.team_id} | {self._world.channels[name].team_id for name in file.channels}
        shared = {team for name in file.channels for team in self._world.channels[name].connected_team_ids}
        enterprises = {self._world.teams[team].enterprise_id for team in teams}
        return token.team_id in teams | shared if token.team_id else token.enterprise_id in enterprises


def filetype(name: str, mimetype: str) -> str:
    """Slack's short name of a file's type: by the extension, else by the MIME type."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    short = mimetype.rpartition("/")[2]
    return {"jpeg": "jpg", "txt": "text", "py": "python", "md": "markdown"}.get(extension, extension) or TYPES.get(
        short, short or "binary"
    )


async def _content(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    form = await request.post()
    parts = [value for value in form.values() if isinstance(value, web.FileField)]
    return parts[0].file.read() if parts else b""
