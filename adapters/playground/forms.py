"""A message as the page posts it: a form of four known fields, and files that go to the store as they arrive.

Memory holds the words, of which there may be two megabytes, and one piece of one file.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from adapters.playground import parse
from bot.errors import UnreadableError, UsageError
from bot.ports import Blobs
from bot.ports.http import STREAMED
from bot.types import Address, Attachment, Blob

FIELDS = {"conversation": 200, "id": 200, "text": parse.MAX_TEXT_BYTES, "duration_s": 40}
"""What a form may hold beside files, each with its most bytes."""
FILE_FIELDS = ("file", "voice")
MAX_FILES = 20
MAX_PARTS = len(FIELDS) + MAX_FILES
MIME_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}", re.ASCII)
PIECE_BYTES = 256 * 1024
MALFORMED = "The form is malformed; reload the page and send it again."

MALFORMED_ERRORS = (ValueError, AssertionError, LookupError, RuntimeError, RuntimeWarning, HttpProcessingError)
"""What aiohttp's reader of forms raises, or warns of, when one is malformed."""


@dataclass
class Form:
    """What a form held: its words by name, such as `conversation`, `id`, `text` and, for a voice note, `duration_s`."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Attachment] = field(default_factory=list)


class FormReader:
    """Reads forms and keeps their files."""

    def __init__(
        self, handle: str, blobs: Callable[[Address], Blobs], max_upload_bytes: int, note: Callable[[int], None]
    ) -> None:
        """handle: of the person whose conversations these are. max_upload_bytes: of all files in one message.

        note: is told of the bytes that come, and may refuse more.
        """
        self._handle, self._blobs = handle, blobs
        self._max_upload_bytes, self._note = max_upload_bytes, note

    async def read(self, request: web.Request) -> tuple[Address, Form]:
        """Return the conversation and the form. Raises UsageError when it is not a form, UnreadableError when files are too big."""
        if request.content_type != "multipart/form-data":
            raise UsageError("A message is sent as a form.")
        request[STREAMED] = True
        try:
            form = await self._read(request)
        except MALFORMED_ERRORS as error:
            raise UsageError(MALFORMED, detail=str(error)[:200]) from error
        return self._address(form.fields), form

    async def _read(self, request: web.Request) -> Form:
        form, room, count = Form(), self._max_upload_bytes, 0
        async for part in await request.multipart():
            count += 1
            if not isinstance(part, BodyPartReader) or count > MAX_PARTS:
                raise UsageError(f"A message is a plain form with up to {MAX_FILES} files.")
            if part.filename is None:
                await _read_field(part, form)
            else:
                form.files.append(await self._keep(part, form, room))
                room -= form.files[-1].size_bytes
        return form

    def _address(self, fields: dict[str, str]) -> Address:
        return parse.address_of(fields.get("conversation", ""), self._handle)

    async def _keep(self, part: BodyPartReader, form: Form, room: int) -> Attachment:
        address = self._address(form.fields)
        if part.name not in FILE_FIELDS:
            raise UsageError(MALFORMED)
        if len(form.files) == MAX_FILES:
            raise UsageError(f"A message takes up to {MAX_FILES} files.")
        claimed = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        mime_type = claimed if MIME_TYPE.fullmatch(claimed) else "application/octet-stream"
        name = _clean(Path(part.filename or "file").name)[:200] or "file"
        blob: Blob = await self._blobs(address).write_pieces(self._pieces(part, name, room), mime_type, self._handle)
        if part.name != "voice":
            return parse.make_attachment(blob, name, address)
        return parse.make_attachment(blob, name, address, is_voice_note=True, duration_s=_seconds(form.fields))

    async def _pieces(self, part: BodyPartReader, name: str, room: int) -> AsyncIterator[bytes]:
        count = 0
        while piece := await part.read_chunk(PIECE_BYTES):
            count += len(piece)
            if count > room:
                raise UnreadableError(f"{name} is too big: up to {room / 1024 / 1024:,.0f} MB can be sent at once.")
            self._note(len(piece))
            yield piece


async def _read_field(part: BodyPartReader, form: Form) -> None:
    name = str(part.name)
    if name not in FIELDS or name in form.fields:
        raise UsageError(MALFORMED)
    data = bytearray()
    while piece := await part.read_chunk(PIECE_BYTES):
        data += piece
        if len(data) > FIELDS[name]:
            raise UsageError(parse.TOO_LONG if name == "text" else MALFORMED)
    form.fields[name] = data.decode("utf-8", "replace")


def _clean(name: str) -> str:
    """Return a file's name without control characters and halves of characters, which no database stores."""
    return "".join(letter for letter in name.encode(errors="replace").decode() if letter.isprintable())


def _seconds(fields: dict[str, str]) -> float | None:
    try:
        seconds = float(fields.get("duration_s", ""))
    except ValueError:
        return None
    return seconds if 0 < seconds < 24 * 3600 else None
