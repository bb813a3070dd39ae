"""Whether a recording breaks off: its container promises more bytes than came. Pure; what it cannot tell counts as whole."""

from __future__ import annotations

OGG_HEADER = 27
"""Bytes of a page before its table of segments. Source: RFC 3533, section 6."""
UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""What recorders that cannot go back write as the length of a WAV file."""


def breaks_off(data: bytes) -> bool:
    """Whether its end is missing: for Ogg, WAV and MP4, whose containers say how long they are."""
    if data.startswith(b"OggS"):
        return _ogg(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return _wav(data)
    return data[4:8] == b"ftyp" and _mp4(data)


def _ogg(data: bytes) -> bool:
    """A page that is cut. That none is marked as the last means nothing: some recorders mark none."""
    at = 0
    while data.startswith(b"OggS", at):
        if len(data) < at + OGG_HEADER or len(data) < at + OGG_HEADER + data[at + OGG_HEADER - 1]:
            return True
        count = data[at + OGG_HEADER - 1]
        at += OGG_HEADER + count + sum(data[at + OGG_HEADER : at + OGG_HEADER + count])
    return at > len(data)


def _wav(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return size not in UNKNOWN_SIZES and at + 8 + size > len(data)
        at += 8 + size + size % 2
    return False


def _mp4(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # 0: up to the end of the file
            return False
        at += size
    return at > len(data)
