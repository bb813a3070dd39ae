"""Word, Excel and PowerPoint files to Markdown."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from typing import Any

from bot.media.archives import check_markup
from bot.media.reading import Document, markdown_table

LAST_ROW = 1_048_576
"""Of a sheet. A file may claim a row of any number, and the rows before it are counted up to. Source: Excel specifications."""
MAX_ROWS = 10_000
MAX_ROWS_PASSED = 200_000
"""With the empty ones, which cost as much: formatting alone fills a sheet with tens of thousands."""
MAX_COLUMNS = 200


def read_word(data: bytes, name: str, max_chars: int) -> Document:
    """Paragraphs, headings, lists and tables in their order. Raises UnreadableError and what a damaged file leads to."""
    import docx

    check_markup(data, name)
    document = docx.Document(io.BytesIO(data))
    texts, room = list[str](), max_chars
    for block in document.iter_inner_content():
        if text := _block(block):
            texts.append(text)
            room -= len(text) + 2
        if room < 0:
            break
    notes = _unseen(name, len(document.inline_shapes))
    return Document("\n\n".join(texts), document.core_properties.title or "", kind="docx", notes=notes)


def _block(block: Any) -> str:
    if hasattr(block, "rows"):
        return markdown_table(_word_row(row._tr) for row in block.rows)
    text = block.text.strip()
    style = (block.style.name if block.style is not None else None) or ""
    level = style.removeprefix("Heading ")
    if text and style.startswith("Heading ") and level.isdigit():
        return f"{'#' * min(int(level), 6)} {text}"
    return f"- {text}" if text and style.startswith("List") else text


def _word_row(row: Any) -> list[str]:
    """Each cell once, then blanks for the further columns that it spans: the file may claim any number of them.

    python-docx's `row.cells` gives the cell again for each, and looks up cells merged downwards row by row.
    """
    texts: list[str] = []
    for cell in row.tc_lst[:MAX_COLUMNS]:
        texts.append("\n".join(paragraph.text for paragraph in cell.p_lst))
        texts += [""] * (min(cell.grid_span, MAX_COLUMNS) - 1)
    return texts[:MAX_COLUMNS]


def _unseen(name: str, pictures: int) -> tuple[str, ...]:
    if not pictures:
        return ()
    what = "a picture, which was" if pictures == 1 else f"{pictures} pictures, which were"
    return (f"{name} holds {what} not looked at. Please send pictures by themselves.",)


def read_sheets(data: bytes, name: str, max_chars: int) -> Document:
    """Each sheet as a table of the values that formulas had when it was saved. A long one is cut, and a note says so."""
    import openpyxl

    check_markup(data, name)
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    texts: list[str] = []
    notes: list[str] = []
    for sheet in book.worksheets:
        room = max_chars - sum(map(len, texts))
        if room <= 0:
            notes.append(f"{name}: the sheet {sheet.title} and those after it were left out.")
            break
        rows, is_cut = _rows(sheet, room)
        texts.append(f"## {sheet.title}\n\n{markdown_table(rows)}".rstrip())
        if is_cut:
            notes.append(f"{name}: of the sheet {sheet.title} only the first {len(rows):,} filled rows were read.")
    title = book.properties.title or ""
    book.close()
    return Document("\n\n".join(texts), title, truncated=bool(notes), kind="xlsx", notes=tuple(notes))


def _rows(sheet: Any, room: int) -> tuple[list[list[str]], bool]:
    """The rows that hold something, and whether there are more."""
    sheet.reset_dimensions()  # the file may claim any size
    rows: list[list[str]] = []
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS, max_row=LAST_ROW)):
        if number == MAX_ROWS_PASSED:
            return rows, True
        if row.count(None) == len(row):  # there may be a million of these
            continue
        if len(rows) == MAX_ROWS or room <= 0:
            return rows, True
        rows.append([_cell(value) for value in row])
        room -= sum(len(cell) + 3 for cell in rows[-1] if cell)
    return rows, False


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes") if value.time() != datetime.time() else value.date().isoformat()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def read_slides(data: bytes, name: str, max_chars: int) -> Document:
    """Each slide's text, tables and notes after its number. Raises UnreadableError and what a damaged file leads to."""
    import pptx

    check_markup(data, name)
    deck = pptx.Presentation(io.BytesIO(data))
    shapes = [list(_shapes(slide.shapes)) for slide in deck.slides]
    texts = [
        f"[slide {number}]\n" + "\n".join(filter(None, (*map(_shape, found), _spoken(slide))))
        for number, (slide, found) in enumerate(zip(deck.slides, shapes, strict=True), start=1)
    ]
    pictures = sum(hasattr(shape, "image") for found in shapes for shape in found)
    title = deck.core_properties.title or ""
    return Document("\n\n".join(texts), title, len(texts), kind="pptx", notes=_unseen(name, pictures))


def _shapes(shapes: Any) -> Iterator[Any]:
    """With those in groups."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _shape(shape: Any) -> str:
    if shape.has_table:
        return markdown_table([cell.text for cell in row.cells] for row in shape.table.rows)
    return shape.text_frame.text.strip() if shape.has_text_frame else ""


def _spoken(slide: Any) -> str:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    text = frame.text.strip() if frame is not None else ""
    return f"Notes: {text}" if text else ""
