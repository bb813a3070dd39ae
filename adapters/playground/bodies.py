"""Bodies read whole: the JSON of the page's calls, and the form of the password. Both are bounded before they are unfolded."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from adapters.playground import parse
from bot.errors import UsageError

MAX_JSON_BYTES = parse.MAX_TEXT_BYTES
MAX_LOGIN_BYTES = 4_000
MAX_MEMBERS = 8
WORDS = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
FLAT = re.compile(
    rb'\s*+\{(?:\s*+%b\s*+:\s*+(?:%b|[^\s"\[\]{},:]++)\s*+,?+){0,%d}+\s*+\}\s*+' % (WORDS, WORDS, MAX_MEMBERS),
    re.DOTALL,
)
"""An object of a few words and numbers. A body of brackets alone would make a hundred times its size in memory."""


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request: names with words or numbers. Raises UsageError."""
    data = await _read(request, MAX_JSON_BYTES, parse.TOO_LONG)
    if not FLAT.fullmatch(data):
        raise UsageError("The request is not a plain JSON object.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError("The request is not valid JSON.") from error
    if not isinstance(found, dict):
        raise UsageError("The request is not a JSON object.")
    return found


async def read_password(request: web.Request) -> str:
    """Return the password of the login form; an empty string when there is none. Raises UsageError."""
    wrong = "The password is sent as a plain form."
    if request.content_type != "application/x-www-form-urlencoded":
        raise UsageError(wrong)
    data = await _read(request, MAX_LOGIN_BYTES, "That is too long for a password.")
    try:
        found = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_MEMBERS, errors="replace")
    except ValueError as error:
        raise UsageError(wrong) from error
    return dict(found).get("password", "")


async def _read(request: web.Request, limit: int, too_long: str) -> bytes:
    data = bytearray()
    try:
        async for piece in request.content.iter_any():
            data += piece
            if len(data) > limit:
                raise UsageError(too_long)
    except (HttpProcessingError, ValueError) as error:
        raise UsageError("The request is malformed.") from error
    return bytes(data)
