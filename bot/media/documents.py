"""Documents to text: PDF, Word, spreadsheets, slides, web pages, source and text of any encoding, and archives of these."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import charset_normalizer

from bot.errors import UnreadableError
from bot.media.sniff import Sniffed, is_text, sniff

MAX_CHARS = 400_000
MAX_UNZIPPED_BYTES = 300 * 1024 * 1024
MAX_RATIO = 200
"""Unpacked to packed: text seldom exceeds 20, a bomb goes into the thousands."""
MAX_ENTRIES = 10_000
MAX_MEMBERS = 50
MAX_MEMBER_BYTES = 1_000_000
MAX_ROWS = 2_000
MAX_PAGE_IMAGES = 10
READABLE = "PDF, Word, Excel, PowerPoint, CSV, HTML, JSON, source code, any text, and zip archives of these"


@dataclass(frozen=True)
class Document:
    """What a document says."""

    text: str
    title: str = ""
    pages: int | None = None
    truncated: bool = False
    kind: str = "text"
    notes: tuple[str, ...] = ()
    """What the person should know about the reading."""
    page_images: tuple[bytes, ...] = field(default=(), repr=False)
    """Pictures of pages without text, for a text reader."""


def read(data: bytes, name: str, mime_type: str = "", *, max_chars: int = MAX_CHARS) -> Document:
    """The text of a document, cut at `max_chars`. Raises UnreadableError: empty, locked, damaged, a bomb, or of no known kind."""
    if not data:
        raise UnreadableError(f"{name} is empty (0 bytes).")
    found = sniff(data, name, mime_type)
    reader = _reader(found, name)
    try:
        document = reader(data, name)
    except UnreadableError:
        raise
    except Exception as error:  # the parsers of these formats raise whatever a damaged file leads them to
        raise UnreadableError(
            f"{name} is damaged, so it cannot be read.", detail=f"{type(error).__name__}: {error}"
        ) from error
    if len(document.text) <= max_chars:
        return document
    return Document(document.text[:max_chars], document.title, document.pages, True, document.kind, document.notes)


def _reader(found: Sniffed, name: str) -> Callable[[bytes, str], Document]:
    readers: dict[str, Callable[[bytes, str], Document]] = {
        "pdf": _pdf,
        "docx": _word,
        "xlsx": _sheets,
        "pptx": _slides,
        "zip": _archive,
        "html": _html,
        "htm": _html,
        "csv": _table,
        "tsv": _table,
    }
    if found.extension in readers and found.kind in ("document", "archive", "text"):
        return readers[found.extension]
    if found.kind == "text":
        return _text
    raise UnreadableError(f"I can't read {name}. I can read {READABLE}.")


def _pdf(data: bytes, name: str) -> Document:
    from pypdf import PdfReader
    from pypdf.errors import PdfReadError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError(f"{name} is locked with a password. Please send a copy without one.")
        pages = [page.extract_text() or "" for page in reader.pages]
    except PdfReadError as error:
        raise UnreadableError(f"{name} is damaged, so it cannot be read.", detail=str(error)) from error
    if not any(page.strip() for page in pages):
        images = tuple(_page_images(reader.pages))
        return Document(
            "", pages=len(pages), kind="pdf", notes=(f"{name} holds pictures of pages, not text.",), page_images=images
        )
    title = str((reader.metadata.title if reader.metadata else "") or "")
    marked = (f"[page {number}]\n{page.strip()}" for number, page in enumerate(pages, start=1))
    return Document("\n\n".join(marked), title, len(pages), kind="pdf")


def _page_images(pages: Iterable[Any]) -> Iterator[bytes]:
    count = 0
    for page in pages:
        for image in page.images:
            yield image.data
            count += 1
            if count == MAX_PAGE_IMAGES:
                return


def _checked(data: bytes, name: str) -> zipfile.ZipFile:
    """An archive that is no bomb."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if (
        len(entries) > MAX_ENTRIES
        or unpacked > MAX_UNZIPPED_BYTES
        or (unpacked > 50_000_000 and unpacked / max(len(data), 1) > MAX_RATIO)
    ):
        raise UnreadableError(
            f"{name} unpacks to {unpacked // 2**20} MB in {len(entries)} files, which is more than I open."
        )
    return archive


def _word(data: bytes, name: str) -> Document:
    import docx
    from docx.table import Table

    _checked(data, name)
    document = docx.Document(io.BytesIO(data))
    lines = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            lines.append(_markdown_table([[cell.text.strip() for cell in row.cells] for row in block.rows]))
        elif block.text.strip():
            style = block.style.name if block.style is not None else ""
            level = style.removeprefix("Heading ") if style.startswith("Heading ") else ""
            lines.append(f"{'#' * int(level)} {block.text}" if level.isdigit() else block.text)
    return Document("\n\n".join(lines), document.core_properties.title or "", kind="docx")


def _markdown_table(rows: list[list[str]]) -> str:
    if not rows:
        return ""
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    head = f"| {' | '.join(cells[0])} |\n|{'---|' * len(cells[0])}"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in cells[1:])])


def _sheets(data: bytes, name: str) -> Document:
    import openpyxl

    _checked(data, name)
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    texts, notes = [], []
    for sheet in book.worksheets:
        rows = []
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            if number == MAX_ROWS:
                notes.append(f"{name}: of the sheet {sheet.title} only the first {MAX_ROWS} rows were read.")
                break
            if any(value is not None for value in row):
                rows.append(["" if value is None else str(value) for value in row])
        texts.append(f"## {sheet.title}\n\n{_markdown_table(rows)}")
    book.close()
    return Document("\n\n".join(texts), kind="xlsx", notes=tuple(notes))


def _slides(data: bytes, name: str) -> Document:
    import pptx

    _checked(data, name)
    deck = pptx.Presentation(io.BytesIO(data))
    texts = []
    for number, slide in enumerate(deck.slides, start=1):
        lines = [
            shape.text_frame.text for shape in slide.shapes if shape.has_text_frame and shape.text_frame.text.strip()
        ]
        tables = [shape.table for shape in slide.shapes if shape.has_table]
        lines += [_markdown_table([[cell.text for cell in row.cells] for row in table.rows]) for table in tables]
        notes = (
            slide.notes_slide.notes_text_frame.text
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame
            else ""
        )
        texts.append(f"[slide {number}]\n" + "\n".join([*lines, f"Notes: {notes}" if notes.strip() else ""]).strip())
    return Document("\n\n".join(texts), pages=len(texts), kind="pptx")


def decode_text(data: bytes) -> str:
    """Text in whatever encoding it is."""
    for encoding in ("utf-8-sig", "utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    best = charset_normalizer.from_bytes(data[:200_000]).best()
    return data.decode(best.encoding if best else "latin-1", errors="replace")


def _text(data: bytes, name: str) -> Document:
    return Document(decode_text(data))


def _table(data: bytes, name: str) -> Document:
    """Cut after so many rows; otherwise as it is, since models read CSV well."""
    text = decode_text(data)
    rows = list(csv.reader(io.StringIO(text), delimiter="\t" if name.lower().endswith("tsv") else ","))
    if len(rows) <= MAX_ROWS:
        return Document(text, kind="csv")
    kept = "\n".join(text.splitlines()[:MAX_ROWS])
    return Document(kept, kind="csv", notes=(f"{name}: only the first {MAX_ROWS} of {len(rows)} rows were read.",))


class _Words(HTMLParser):
    """The words of a page, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.title = ""
        self._skipped = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in ("script", "style", "noscript", "template")
        self._in_title = self._in_title or tag == "title"
        if tag in ("p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "section", "article"):
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in ("script", "style", "noscript", "template") and self._skipped > 0
        self._in_title = self._in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data.strip()
        elif not self._skipped and data.strip():
            self.words.append(" ".join(data.split()) + " ")


def _html(data: bytes, name: str) -> Document:
    parser = _Words()
    parser.feed(decode_text(data))
    lines = (line.strip() for line in "".join(parser.words).splitlines())
    return Document("\n".join(line for line in lines if line), parser.title, kind="html")


def _archive(data: bytes, name: str) -> Document:
    """The names in an archive, and the text of its small text files; archives inside are only named."""
    archive = _checked(data, name)
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    texts = [
        f"{name} holds {len(entries)} files:",
        *(f"- {entry.filename} ({entry.file_size:,} bytes)" for entry in entries[:500]),
    ]
    shown = 0
    for entry in entries:
        if shown == MAX_MEMBERS or entry.file_size > MAX_MEMBER_BYTES or entry.flag_bits & 1:
            continue
        inside = archive.read(entry)
        if is_text(inside[:4096]):
            texts.append(f"\n## {entry.filename}\n\n{decode_text(inside)}")
            shown += 1
    locked = any(entry.flag_bits & 1 for entry in entries)
    notes = (f"{name} holds files locked with a password, which were not read.",) if locked else ()
    return Document("\n".join(texts), kind="zip", notes=notes)
