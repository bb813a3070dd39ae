"""PDF to text, page by page; of pages without text, the pictures on them."""

from __future__ import annotations

import io
import logging
import time
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError, PdfReadError, PyPdfError

from bot.errors import UnreadableError
from bot.media import images
from bot.media.reading import Document

MAX_PAGES = 1_000
MAX_PAGE_IMAGES = 10
MAX_IMAGES_LOOKED_AT = 8
"""Of one page: a scan is one picture, or a few strips."""
PATIENCE_S = 30
"""For the text of all pages: a page without words may still take seconds."""
DAMAGE = (PyPdfError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a damaged page leads pypdf to."""
logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it logs each oddity of a person's file


def read_pdf(data: bytes, name: str, max_chars: int) -> Document:
    """Each page after its number, until `max_chars` are reached. Raises UnreadableError: locked or damaged."""
    return read_pages(data, name, max_chars, PATIENCE_S)


def read_pages(data: bytes, name: str, max_chars: int, patience_s: float) -> Document:
    """The same; what was not read within `patience_s` is left out, which is said."""
    reader = _unlocked(data, name)
    total = len(reader.pages)
    if not total:
        raise UnreadableError(f"{name} is damaged: it has no pages. Please send it again.")
    began = time.monotonic()
    texts: list[str | None] = []
    room = max_chars
    for page in reader.pages[:MAX_PAGES]:
        texts.append(_text_of(page))
        room -= len(texts[-1] or "")
        if room < 0 or time.monotonic() - began > patience_s:
            break
    empty = [index for index, text in enumerate(texts) if text == ""]
    pictures = _pictures(reader, empty)
    marked = [f"[page {number}]\n{text}" for number, text in enumerate(texts, start=1) if text]
    return Document(
        "\n\n".join(marked),
        _title(reader),
        total,
        truncated=len(texts) < total,
        kind="pdf",
        notes=tuple(_notes(name, texts, total, has_pictures=bool(pictures))),
        page_images=tuple(pictures),
    )


def _unlocked(data: bytes, name: str) -> PdfReader:
    locked = f"{name} is locked with a password. Please send a copy without one."
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError(locked)
        len(reader.pages)  # finds the pages, or what is wrong with them
    except (DependencyError, NotImplementedError) as error:  # a way of locking that pypdf does not know
        raise UnreadableError(locked, detail=str(error)) from error
    except (PdfReadError, *DAMAGE) as error:
        raise UnreadableError(
            f"{name} is damaged, so it cannot be read. Please send it again.", detail=str(error)
        ) from error
    return reader


def _text_of(page: Any) -> str | None:
    """None for a page that is damaged."""
    try:
        return (page.extract_text() or "").strip()
    except DAMAGE:
        return None


def _title(reader: PdfReader) -> str:
    try:
        return str((reader.metadata.title if reader.metadata else "") or "").strip()
    except DAMAGE:
        return ""


def _pictures(reader: PdfReader, pages: list[int]) -> list[bytes]:
    found = (_picture_of(reader.pages[index]) for index in pages[: MAX_PAGE_IMAGES * 2])
    return [picture for picture in found if picture][:MAX_PAGE_IMAGES]


def _picture_of(page: Any) -> bytes | None:
    """The picture with the most in it, upright and sized for a reader."""
    try:
        names = list(page.images.keys())[:MAX_IMAGES_LOOKED_AT]
        largest = max((page.images[name].data for name in names), key=len, default=None)
        return images.prepare(largest, formats=("image/jpeg", "image/png")).data if largest else None
    except (UnreadableError, ImportError, *DAMAGE):
        return None


def _notes(name: str, texts: list[str | None], total: int, *, has_pictures: bool) -> list[str]:
    """Of pictures nothing is said here: whether somebody can read them is not known yet."""
    notes = []
    if len(texts) < total:
        notes.append(f"{name} is long: only the first {len(texts)} of its {total} pages were read.")
    if not any(texts) and not has_pictures:
        notes.append(f"{name} holds no text.")
    if damaged := texts.count(None):
        notes.append(f"{damaged} of the pages of {name} are damaged and were left out.")
    return notes
