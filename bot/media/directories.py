"""How large a zip archive's directory is, before anybody reads it: a file of 48 MB can list a million members, which take 32 s."""

from __future__ import annotations

END, END_BYTES = b"PK\x05\x06", 22
MAX_COMMENT_BYTES = 65_535
WIDE_END, WIDE_END_BYTES = b"PK\x06\x06", 56
LOCATOR, LOCATOR_BYTES = b"PK\x06\x07", 20
"""Source: PKWARE, APPNOTE 4.3.14 to 4.3.16."""
MAX_ENTRIES = 10_000
MAX_DIRECTORY_BYTES = 4 * 2**20
"""Of so many members with long names; a directory is read by its size, whatever count it claims."""


def entries(data: bytes) -> int:
    """How many members the end of the archive claims; 0 where there is no end."""
    return _end(data)[0]


def is_too_large(data: bytes) -> bool:
    """Whether the directory holds, or claims to hold, more than is read."""
    count, size = _end(data)
    return count > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES


def _end(data: bytes) -> tuple[int, int]:
    """The members and the bytes of the directory, both as claimed."""
    at = data.rfind(END, max(len(data) - END_BYTES - MAX_COMMENT_BYTES, 0))
    if at < 0 or len(data) < at + END_BYTES:
        return 0, 0
    wide = at - LOCATOR_BYTES - WIDE_END_BYTES
    if wide >= 0 and data.startswith(LOCATOR, at - LOCATOR_BYTES) and data.startswith(WIDE_END, wide):
        return _number(data, wide + 32, 8), _number(data, wide + 40, 8)
    return _number(data, at + 10, 2), _number(data, at + 12, 4)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
