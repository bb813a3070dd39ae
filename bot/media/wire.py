"""What goes through the pipe of a reader: a JSON header and raw bytes. Whoever opens strangers' bytes may have been taken over by
them, so nothing that it answers is ever run: it is plain data, and of our own values only those that are listed here.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

KNOWN = {
    "Sniffed": "bot.media.sniff",
    "Document": "bot.media.reading",
    "PreparedImage": "bot.media.images",
    "AudioInfo": "bot.media.audio",
    "Piece": "bot.media.audio",
    "VoiceClip": "bot.media.audio",
}
"""The values that readers give, and the modules that define them."""
MAX_HEADER_BYTES = 64 * 2**20
MAX_BLOB_BYTES = 512 * 2**20
"""Of all bytes in one answer: four hours of samples are 460 MB."""
_LENGTHS = struct.Struct("<QQ")


class BrokenFrameError(Exception):
    """What came through the pipe is nothing that a reader of ours sends."""


def send(stream: BinaryIO, value: Any) -> None:
    """Write one value. Raises TypeError, before anything is written, for what has no plain form."""
    blobs: list[bytes] = []
    header = json.dumps(_plain(value, blobs)).encode()
    stream.write(_LENGTHS.pack(len(header), sum(map(len, blobs))))
    stream.write(header)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def receive(stream: BinaryIO, *, max_blob_bytes: int = MAX_BLOB_BYTES) -> Any:
    """Read one value. Raises EOFError at the end of the stream, and BrokenFrameError."""
    header_bytes, blob_bytes = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if header_bytes > MAX_HEADER_BYTES or blob_bytes > max_blob_bytes:
        raise BrokenFrameError("an answer that is too long")
    header, blobs = _exactly(stream, header_bytes), _exactly(stream, blob_bytes)
    try:
        return _value(json.loads(header), _Blobs(blobs))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BrokenFrameError("an answer of no known shape") from error


def name_of(fn: Callable[..., Any]) -> str:
    """Where the function is found from another process. Raises TypeError for one that cannot be found by name."""
    name = f"{getattr(fn, '__module__', None)}:{getattr(fn, '__qualname__', '')}"
    try:
        found = function(name)
    except (AttributeError, ImportError, ValueError):
        found = None
    if found is not fn:
        raise TypeError(f"{name} cannot be called by its name from another process")
    return name


def function(name: str) -> Any:
    """The function of that name, as `name_of` gives it."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


class _Blobs:
    """The raw bytes of an answer, handed out in their order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if not self._at <= end <= len(self._data):
            raise ValueError("bytes that are not there")
        found = bytes(self._data[self._at : end])
        self._at = end
        return found


def _plain(value: Any, blobs: list[bytes]) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes() | bytearray():
            blobs.append(bytes(value))
            return {"$": "bytes", "n": len(value)}
        case tuple():
            return {"$": "tuple", "of": [_plain(item, blobs) for item in value]}
        case list():
            return [_plain(item, blobs) for item in value]
        case dict():
            return {"$": "dict", "of": [[_plain(key, blobs), _plain(item, blobs)] for key, item in value.items()]}
    if KNOWN.get(type(value).__name__) == type(value).__module__:
        fields = {one.name: _plain(getattr(value, one.name), blobs) for one in dataclasses.fields(value)}
        return {"$": type(value).__name__, "of": fields}
    if getattr(getattr(value, "dtype", None), "str", "") == "<i2" and value.ndim == 1:
        blobs.append(value.tobytes())
        return {"$": "samples", "n": len(blobs[-1])}
    raise TypeError(f"{type(value).__name__} has no plain form")


def _value(plain: Any, blobs: _Blobs) -> Any:
    if isinstance(plain, list):
        return [_value(item, blobs) for item in plain]
    if not isinstance(plain, dict):
        return plain
    match plain["$"]:
        case "bytes":
            return blobs.take(plain["n"])
        case "samples":
            import numpy as np

            return np.frombuffer(blobs.take(plain["n"]), "<i2")
        case "tuple":
            return tuple(_value(item, blobs) for item in plain["of"])
        case "dict":
            return {_value(key, blobs): _value(item, blobs) for key, item in plain["of"]}
        case name:
            made = getattr(importlib.import_module(KNOWN[name]), name)
            return made(**{key: _value(item, blobs) for key, item in plain["of"].items()})
