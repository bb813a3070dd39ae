"""Zip archives: checked before anything is unpacked, then listed, with the text of the small text files in them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from lzma import LZMAError
from zlib import error as zlib_error

from bot.errors import UnreadableError
from bot.media import directories
from bot.media.encodings import decode_text
from bot.media.sniff import is_text

MAX_UNPACKED_BYTES = 300 * 2**20
MAX_MARKUP_BYTES = 80 * 2**20
"""Of a document's XML, which takes several times as much when it is read."""
MAX_TAGS = 1_000_000
"""Opening and closing, over all of a document's XML: a book of 400 pages has 400,000. An empty paragraph is six bytes, and work."""
STREAMED = "xl/worksheets/"
"""Read row by row, up to a limit of rows: a large sheet is read in part and not refused."""
PIECE_BYTES = 2**20
MAX_RATIO = 200
"""Unpacked to packed: text seldom exceeds 20, a bomb goes into the thousands."""
SMALL_BYTES = 20 * 2**20
"""Below this a high ratio is only a file of blanks."""
SMALL_MEMBER_BYTES = 10 * 2**20
"""The same of one member."""
MAX_LISTED = 500
MAX_MEMBERS = 50
MAX_MEMBER_BYTES = 1_000_000
NESTED = (b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
PACKED = (".zip", ".jar", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Listing:
    """What an archive holds."""

    text: str
    notes: tuple[str, ...]
    truncated: bool


def checked(data: bytes, name: str) -> zipfile.ZipFile:
    """The archive, if its directory promises no bomb; zipfile unpacks no more than the directory says. Raises UnreadableError."""
    if directories.is_too_large(data):
        raise UnreadableError(
            f"{name} lists {_files(directories.entries(data))}, which is more than I open. Please send the parts that matter."
        )
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise UnreadableError(
            f"{name} is damaged, so it cannot be opened. Please send it again.", detail=str(error)
        ) from error
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if any(map(_is_bomb, entries)) or _is_blown_up(unpacked, entries, data) or unpacked > MAX_UNPACKED_BYTES:
        raise UnreadableError(
            f"{name} unpacks to {unpacked // 2**20} MB in {_files(len(entries))}, which is more than I open. "
            "Please send the parts that matter."
        )
    return archive


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    """Judged by itself: beside a bomb there may be any amount of what does not compress."""
    return entry.file_size > SMALL_MEMBER_BYTES and entry.file_size > MAX_RATIO * entry.compress_size


def _is_blown_up(unpacked: int, entries: list[zipfile.ZipInfo], data: bytes) -> bool:
    """Whether all of it unpacks to too much. Members that overlap count their packed bytes twice, padding counts none."""
    packed = min(sum(entry.compress_size for entry in entries), len(data))
    return unpacked > SMALL_BYTES and unpacked > MAX_RATIO * packed


def check_markup(data: bytes, name: str) -> None:
    """For a document that is a zip archive of XML. Raises UnreadableError when there is too much of it, in bytes or in elements."""
    archive = checked(data, name)
    entries = [entry for entry in archive.infolist() if entry.filename.endswith((".xml", ".rels"))]
    too_large = UnreadableError(f"{name} is larger than I can read. Please send a part of it.")
    if sum(entry.file_size for entry in entries) > MAX_MARKUP_BYTES:
        raise too_large
    tags = 0
    for entry in entries:
        if entry.filename.startswith(STREAMED):
            continue
        with archive.open(entry) as source:
            while piece := source.read(PIECE_BYTES):
                tags += piece.count(b"<")
                if tags > MAX_TAGS:
                    raise too_large


def listing(data: bytes, name: str, max_chars: int) -> Listing:
    """The names of the files in it, and the text of the small text files; archives inside are only named."""
    archive = checked(data, name)
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    texts = [f"{name} holds {_files(len(entries))}:", *_names(entries)]
    count = sum(map(len, texts))
    opened = 0
    for entry in entries:
        if opened == MAX_MEMBERS or count > max_chars:
            break
        if (inside := _text_of(archive, entry)) is not None:
            texts.append(f"\n## {_plain(entry.filename)}\n\n{inside}")
            count += len(texts[-1])
            opened += 1
    return Listing("\n".join(texts), _notes(entries, opened, name), count > max_chars)


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def _names(entries: list[zipfile.ZipInfo]) -> list[str]:
    lines = [
        f"- {_plain(entry.filename)} ({entry.file_size:,} bytes{', an archive, not opened' if _is_nested(entry) else ''})"
        for entry in entries[:MAX_LISTED]
    ]
    return [*lines, f"- … and {len(entries) - MAX_LISTED} more"] if len(entries) > MAX_LISTED else lines


def _plain(filename: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in filename)


def _is_nested(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.lower().endswith(PACKED)


def _is_locked(entry: zipfile.ZipInfo) -> bool:
    return bool(entry.flag_bits & 1)


def _text_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str | None:
    """None for what is large, locked, packed in an unknown way, an archive, or no text."""
    if entry.file_size > MAX_MEMBER_BYTES or _is_locked(entry) or _is_nested(entry):
        return None
    try:
        inside = archive.read(entry)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        zlib_error,
        LZMAError,
    ):
        return None
    return decode_text(inside) if is_text(inside[:4096]) and not inside.startswith(NESTED) else None


def _notes(entries: list[zipfile.ZipInfo], opened: int, name: str) -> tuple[str, ...]:
    notes = []
    if any(map(_is_locked, entries)):
        notes.append(f"{name} holds files locked with a password, which were not read. Please send them unlocked.")
    if left := len(entries) - opened:
        notes.append(
            f"Of the {len(entries)} files in {name}, {left} are known by name only: no text, too large or too many."
            if len(entries) > 1
            else f"The file in {name} is known by name only: it is no text, or too large."
        )
    return tuple(notes)
