"""What bytes really are, whatever their name and their sender claim."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any, Literal

import filetype

from bot.errors import UnreadableError
from bot.media import containers, directories

Kind = Literal["image", "audio", "video", "document", "text", "archive", "unknown"]
OFFICE = "application/vnd.openxmlformats-officedocument"
MEMBERS = {
    "word/document.xml": (f"{OFFICE}.wordprocessingml.document", "docx"),
    "xl/workbook.xml": (f"{OFFICE}.spreadsheetml.sheet", "xlsx"),
    "ppt/presentation.xml": (f"{OFFICE}.presentationml.presentation", "pptx"),
}
"""The member of a zip archive that makes it a document."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Of Office's files before 2007, and of those locked with a password."""
TEXT_TYPES = {
    "html": "text/html",
    "htm": "text/html",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "md": "text/markdown",
    "xml": "application/xml",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
NO_TEXT = frozenset(kind.extension for kind in filetype.TYPES) - {"rtf"} | {
    "jpeg",
    "heif",
    "oga",
    "opus",
    "tiff",
    "bin",
}
"""Endings that text in disguise does not keep."""
ARCHIVES = frozenset({"gz", "tar", "7z", "rar", "bz2", "xz", "zst", "lz", "Z"})
SOUND_TYPES = {
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "webm": "audio/webm",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "aiff": "audio/aiff",
    "wma": "audio/x-ms-wma",
}
SOUNDS_AS = {
    "mp4": "m4a",
    "mov": "m4a",
    "3gp": "m4a",
    "m4v": "m4a",
    "mkv": "webm",
    "aif": "aiff",
    "asf": "wma",
    "wmv": "wma",
}
"""The ending of a container that turns out to hold no moving picture."""
SAMPLE_BYTES = 65_536
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


@dataclass(frozen=True)
class Sniffed:
    """The true kind of some bytes."""

    kind: Kind
    mime_type: str
    extension: str
    """Lower case, without a dot; empty when unknown."""


def sniff(data: bytes, name: str = "", mime_type: str = "") -> Sniffed:
    """Decide by content first, then by name, then by what was claimed. Never raises; empty bytes are of unknown kind."""
    head = data[:SAMPLE_BYTES]
    claimed = mime_type.partition(";")[0].strip().lower()
    if head[:1024].lstrip(b"\xef\xbb\xbf\r\n\t \0").startswith(b"%PDF-"):
        return Sniffed("document", "application/pdf", "pdf")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data)
    if head.startswith(OLE):
        return Sniffed("document", "application/x-ole-storage", _extension(name) or "ole")
    return (
        _by_signature(data, head, claimed)
        or _mpeg_audio(head, name, claimed)
        or (_text(head, name, claimed) if is_text(head) else None)
        or Sniffed("unknown", claimed or "application/octet-stream", _extension(name))
    )


def _by_signature(data: bytes, head: bytes, claimed: str) -> Sniffed | None:
    if head.startswith(b"#!AMR"):
        return Sniffed("audio", "audio/amr", "amr")
    guess = filetype.guess(head)
    if guess is None:
        return None
    if guess.mime.startswith("image/"):
        return Sniffed("image", guess.mime, guess.extension)
    if guess.mime.startswith(("audio/", "video/")):
        return _sound_or_video(data, guess, claimed)
    if guess.extension in ARCHIVES:
        return Sniffed("archive", guess.mime, guess.extension)
    return None if is_text(head) else Sniffed("unknown", guess.mime, guess.extension)


def _sound_or_video(data: bytes, guess: Any, claimed: str) -> Sniffed:
    """A container is a video only when it holds moving pictures: voice clips come labelled as video too."""
    try:
        with containers.opened(data) as container:
            has_picture = containers.picture(container) is not None
    except UnreadableError:  # broken: its signature and its sender are all there is
        has_picture = guess.mime.startswith("video/") and not claimed.startswith("audio/")
    if has_picture:
        mime_type = guess.mime if guess.mime.startswith("video/") else f"video/{guess.extension}"
        return Sniffed("video", mime_type, guess.extension)
    extension = SOUNDS_AS.get(guess.extension, guess.extension)
    return Sniffed("audio", SOUND_TYPES.get(extension, f"audio/{extension}"), extension)


def _zipped(data: bytes) -> Sniffed:
    if directories.is_too_large(data):
        return Sniffed("archive", "application/zip", "zip")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        names = set()
    for member, (mime_type, extension) in MEMBERS.items():
        if member in names:
            return Sniffed("document", mime_type, extension)
    return Sniffed("archive", "application/zip", "zip")


def _mpeg_audio(head: bytes, name: str, claimed: str) -> Sniffed | None:
    """MPEG frames without a header of their own."""
    is_frame = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4) and head[2] & 0xF0 != 0xF0
    is_meant = claimed.startswith("audio/") or _extension(name) == "mp3"
    return Sniffed("audio", "audio/mpeg", "mp3") if is_frame and is_meant else None


def is_text(head: bytes) -> bool:
    """Whether these bytes, the beginning of a file, read as text in some common encoding."""
    if not head:
        return False
    if head.startswith(BYTE_ORDER_MARKS) or wide_encoding(head):
        return True
    if b"\x00" in head:
        return False
    strange = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 or byte == 127 for byte in head) / len(head)
    try:
        (head[:-3] or head).decode("utf-8")  # the sample may end within a character
    except UnicodeDecodeError:
        return strange < 0.01
    return strange < 0.05


def wide_encoding(head: bytes) -> str:
    """`utf-16-le` or `utf-16-be` where every other byte is mostly zero, as in Western text without a mark; else empty."""
    even, odd = head[0:512:2], head[1:512:2]
    if len(odd) < 4:
        return ""
    zeros = even.count(0) / len(even), odd.count(0) / len(odd)
    letters = sum(31 < byte < 127 for byte in head[:512]) / len(head[:512])
    if letters < 0.35:
        return ""
    return "utf-16-le" if zeros[1] > 0.7 and zeros[0] == 0 else "utf-16-be" if zeros[0] > 0.7 and zeros[1] == 0 else ""


def _text(head: bytes, name: str, claimed: str) -> Sniffed:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:500].lower()
    if start.startswith((b"<!doctype html", b"<html")) or (start.startswith((b"<?xml", b"<!--")) and b"<html" in start):
        return Sniffed("text", "text/html", "html")
    by_claim = next((ending for ending, mime in TEXT_TYPES.items() if mime == claimed), "txt")
    extension = _extension(name)
    if not extension or extension in NO_TEXT:
        extension = by_claim
    fallback = claimed if claimed.startswith("text/") else "text/plain"
    return Sniffed("text", TEXT_TYPES.get(extension, fallback), extension)


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem and 0 < len(extension) <= 10 and extension.isalnum() else ""
