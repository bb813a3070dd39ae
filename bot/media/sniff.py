"""What bytes really are, whatever their name and their sender claim."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Literal

import av
import filetype

Kind = Literal["image", "audio", "video", "document", "text", "archive", "unknown"]
OFFICE = {
    "word/document.xml": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    "xl/workbook.xml": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "ppt/presentation.xml": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
}
TEXT_TYPES = {
    "html": "text/html",
    "htm": "text/html",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "md": "text/markdown",
    "xml": "application/xml",
    "svg": "image/svg+xml",
}
CONTAINERS = {"mp4", "m4v", "mov", "webm", "mkv", "3gp", "m4a", "ogg", "avi", "asf", "mpg", "wmv", "flv"}
SAMPLE_BYTES = 65_536


@dataclass(frozen=True)
class Sniffed:
    """The true kind of some bytes."""

    kind: Kind
    mime_type: str
    extension: str
    """Without a dot; empty when unknown."""


def sniff(data: bytes, name: str = "", mime_type: str = "") -> Sniffed:
    """Decide by content first, then by name, then by what was claimed."""
    head = data[:SAMPLE_BYTES]
    if head.startswith(b"%PDF"):
        return Sniffed("document", "application/pdf", "pdf")
    if head.startswith(b"PK\x03\x04"):
        return _zipped(data)
    if head.startswith(b"#!AMR"):
        return Sniffed("audio", "audio/amr", "amr")
    guess = filetype.guess(head)
    if guess is not None:
        return _guessed(data, guess.mime, guess.extension, name, mime_type)
    if sound := _mpeg_audio(head, name, mime_type):
        return sound
    if is_text(head):
        return _text(head, name, mime_type)
    return Sniffed("unknown", mime_type or "application/octet-stream", _extension(name))


def _guessed(data: bytes, mime: str, extension: str, name: str, claimed: str) -> Sniffed:
    if mime.startswith("image/"):
        return Sniffed("image", mime, extension)
    if extension in CONTAINERS or mime.startswith(("audio/", "video/")):
        return _sound_or_video(data, mime, extension)
    if mime in ("application/gzip", "application/x-tar", "application/x-7z-compressed", "application/x-bzip2"):
        return Sniffed("archive", mime, extension)
    if mime.startswith(("application/vnd.rar", "application/x-rar")):
        return Sniffed("archive", mime, extension)
    return (
        Sniffed("text", "text/plain", _extension(name))
        if is_text(data[:SAMPLE_BYTES])
        else Sniffed("unknown", mime, extension)
    )


def _sound_or_video(data: bytes, mime: str, extension: str) -> Sniffed:
    """A container is a video only when it holds moving pictures: voice clips come labelled as video too."""
    has_picture = mime.startswith("video/")
    try:
        with av.open(io.BytesIO(data)) as container:
            has_picture = any(not _is_cover(stream) for stream in container.streams.video)
            known = {one.split(",")[0] for one in (container.format.name,)}
    except (av.error.FFmpegError, ValueError, OSError):
        known = set()
    if has_picture:
        return Sniffed("video", mime if mime.startswith("video/") else f"video/{extension}", extension)
    sound = {"mp4": "m4a", "mov": "m4a", "3gp": "m4a", "m4v": "m4a", "mkv": "webm"}.get(extension, extension)
    if "ogg" in known:
        sound = "ogg"
    types = {"m4a": "audio/mp4", "mp3": "audio/mpeg", "ogg": "audio/ogg", "wav": "audio/wav", "webm": "audio/webm"}
    return Sniffed("audio", types.get(sound, mime.replace("video/", "audio/")), sound)


def _is_cover(stream: object) -> bool:
    """Album art counts as a video stream of one picture."""
    codec = getattr(getattr(stream, "codec_context", None), "name", "")
    return codec in ("mjpeg", "png", "bmp", "gif") and getattr(stream, "frames", 0) <= 1


def _zipped(data: bytes) -> Sniffed:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return Sniffed("archive", "application/zip", "zip")
    for member, (mime, extension) in OFFICE.items():
        if member in names:
            return Sniffed("document", mime, extension)
    return Sniffed("archive", "application/zip", "zip")


def _mpeg_audio(head: bytes, name: str, claimed: str) -> Sniffed | None:
    """MPEG frames without a header of their own."""
    if (
        len(head) > 2
        and head[0] == 0xFF
        and head[1] & 0xE0 == 0xE0
        and (claimed.startswith("audio/") or _extension(name) in ("mp3", "aac"))
    ):
        return Sniffed("audio", "audio/mpeg", "mp3")
    return None


def is_text(head: bytes) -> bool:
    """Whether these bytes read as text in some common encoding."""
    if not head:
        return False
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    if b"\x00" in head:
        return False
    try:
        head[:-3].decode("utf-8") if len(head) > 3 else head.decode("utf-8")
    except UnicodeDecodeError:
        strange = sum(byte < 9 or 13 < byte < 32 for byte in head)
        return strange / len(head) < 0.01
    return sum(byte < 9 or 13 < byte < 27 for byte in head) / len(head) < 0.05


def _text(head: bytes, name: str, claimed: str) -> Sniffed:
    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return Sniffed("text", "text/html", "html")
    extension = _extension(name)
    fallback = claimed if claimed.startswith("text/") else "text/plain"
    return Sniffed("text", TEXT_TYPES.get(extension, fallback), extension or "txt")


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem and len(extension) <= 10 else ""
