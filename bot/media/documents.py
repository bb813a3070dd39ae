"""Documents to text: the reader for each kind, and one clear answer for what cannot be read."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import UnreadableError
from bot.media import archives
from bot.media.encodings import decode_text
from bot.media.quiet import quiet
from bot.media.reading import MAX_CHARS, READABLE, Document, Reader
from bot.media.sniff import OLE, Sniffed, sniff
from bot.types import clean_text

LOCKED_OFFICE = "EncryptedPackage".encode("utf-16-le")
"""The stream of an OLE file that holds an Office file locked with a password. Source: MS-OFFCRYPTO 2.3."""


def read(data: bytes, name: str, mime_type: str = "", *, max_chars: int = MAX_CHARS) -> Document:
    """The text of a document, cut at `max_chars`.

    Raises UnreadableError: empty, locked, damaged, a decompression bomb, or of no kind that can be read; MemoryError.
    How long it takes is for whoever sent the file to say: call it through `bot.media.apart`.
    """
    name = name or "The file"
    if not data:
        raise UnreadableError(f"{name} is empty (0 bytes).")
    reader = _reader(sniff(data, name, mime_type), data, name)
    try:
        with quiet():
            document = reader(data, name, max_chars)
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # the parsers raise whatever a damaged file leads them to
        raise UnreadableError(
            f"{name} is damaged, so it cannot be read. Please send it again.", detail=f"{type(error).__name__}: {error}"
        ) from error
    return _clean(document, max_chars)


def _clean(document: Document, max_chars: int) -> Document:
    """Cut to size, and without characters that nothing behind could keep: PDFs give halves of pairs, text files hold NUL."""
    is_long = len(document.text) > max_chars
    return replace(
        document,
        text=clean_text(document.text[:max_chars]),
        title=clean_text(document.title),
        notes=tuple(map(clean_text, document.notes)),
        truncated=document.truncated or is_long,
        whole_chars=len(document.text) if is_long and not document.truncated else document.whole_chars,
    )


def _reader(found: Sniffed, data: bytes, name: str) -> Reader:
    if data.startswith(OLE):
        raise _old_office(data, name)
    if found.kind == "text":
        return {"html": _html, "htm": _html, "csv": _table, "tsv": _table}.get(found.extension, _text)
    match found.extension:
        case "pdf":
            from bot.media.pdfs import read_pdf as reader
        case "docx":
            from bot.media.office import read_word as reader
        case "xlsx":
            from bot.media.office import read_sheets as reader
        case "pptx":
            from bot.media.office import read_slides as reader
        case "zip":
            reader = _archive
        case _:
            raise UnreadableError(f"I can't read {name}. I can read {READABLE}.")
    return reader


def _old_office(data: bytes, name: str) -> UnreadableError:
    if LOCKED_OFFICE in data:
        return UnreadableError(f"{name} is locked with a password. Please send a copy without one.")
    return UnreadableError(
        f"{name} is in the format of Office before 2007, which I can't read. Please save it as .docx, .xlsx, .pptx or PDF."
    )


def _text(data: bytes, name: str, max_chars: int) -> Document:
    return Document(decode_text(data))


def _table(data: bytes, name: str, max_chars: int) -> Document:
    """As it is, since models read CSV well; a long one is cut between rows."""
    text = decode_text(data)
    if len(text) <= max_chars:
        return Document(text, kind="csv")
    kept = text[: text.rfind("\n", 0, max_chars) + 1] or text[:max_chars]
    note = f"{name}: only the first {kept.count(chr(10)):,} of {text.count(chr(10)):,} rows were read."
    return Document(kept, kind="csv", truncated=True, notes=(note,))


def _html(data: bytes, name: str, max_chars: int) -> Document:
    from bot.media import webpage

    html = decode_text(data)
    text, title = webpage.words(html[: webpage.MAX_CHARS])
    return Document(text, title, kind="html", truncated=len(html) > webpage.MAX_CHARS)


def _archive(data: bytes, name: str, max_chars: int) -> Document:
    found = archives.listing(data, name, max_chars)
    return Document(found.text, kind="zip", notes=found.notes, truncated=found.truncated)


__all__ = ["MAX_CHARS", "READABLE", "Document", "decode_text", "read"]
