"""A message as the page posts it: a form whose words come first and whose files are kept as they arrive."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import BodyPartReader, web

from adapters.playground import parse
from bot.errors import UnreadableError, UsageError
from bot.ports import Blobs
from bot.types import Address, Attachment

MAX_FIELD_BYTES = 8_000_000
"""Of the words in a message; `parse.MAX_TEXT` characters of up to 4 bytes."""
MAX_FILES = 20
MIME_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}", re.ASCII)
PIECE_BYTES = 256 * 1024


@dataclass
class Form:
    """What a form held: its words by name, such as `conversation`, `id`, `text` and, for a voice note, `duration_s`."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Attachment] = field(default_factory=list)


class FormReader:
    """Reads forms and keeps their files."""

    def __init__(self, handle: str, blobs: Callable[[Address], Blobs], max_upload_bytes: int) -> None:
        """handle: of the person whose conversations these are. max_upload_bytes: of all files in one message."""
        self._handle, self._blobs, self._max_upload_bytes = handle, blobs, max_upload_bytes

    async def read(self, request: web.Request) -> tuple[Address, Form]:
        """Return the conversation and the form. Raises UsageError when it is not a form, UnreadableError when files are too big."""
        if not request.content_type.startswith("multipart/"):
            raise UsageError("A message is sent as a form.")
        form, room = Form(), self._max_upload_bytes
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise UsageError("A message is sent as a plain form.")
            if part.filename is None:
                form.fields[str(part.name)] = (await _read_all(part, MAX_FIELD_BYTES)).decode("utf-8", "replace")
                continue
            if len(form.files) == MAX_FILES:
                raise UsageError(f"A message takes up to {MAX_FILES} files.")
            form.files.append(await self._keep(part, form.fields, room))
            room -= form.files[-1].size_bytes
        return self._address(form.fields), form

    def _address(self, fields: dict[str, str]) -> Address:
        return parse.address_of(fields.get("conversation", ""), self._handle)

    async def _keep(self, part: BodyPartReader, fields: dict[str, str], room: int) -> Attachment:
        address, data = self._address(fields), await _read_all(part, room)
        claimed = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        mime_type = claimed if MIME_TYPE.fullmatch(claimed) else "application/octet-stream"
        name = Path(part.filename or "file").name[:200] or "file"
        blob = await self._blobs(address).write(data, mime_type)
        if part.name != "voice":
            return parse.make_attachment(blob, name, address)
        return parse.make_attachment(blob, name, address, is_voice_note=True, duration_s=_seconds(fields))


async def _read_all(part: BodyPartReader, room: int) -> bytes:
    data = bytearray()
    while piece := await part.read_chunk(PIECE_BYTES):
        data += piece
        if len(data) > room:
            limit = f"{room / 1024 / 1024:,.0f} MB"
            raise UnreadableError(f"{part.filename or 'The message'} is too big: up to {limit} can be sent at once.")
    return bytes(data)


def _seconds(fields: dict[str, str]) -> float | None:
    try:
        seconds = float(fields.get("duration_s", ""))
    except ValueError:
        return None
    return seconds if 0 < seconds < 24 * 3600 else None
