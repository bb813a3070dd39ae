"""What every reader of documents gives, and is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MAX_CHARS = 400_000
READABLE = (
    "PDF, Word (.docx), Excel (.xlsx), PowerPoint (.pptx), CSV, HTML, JSON, source code, any text, and zip archives"
)


@dataclass(frozen=True)
class Document:
    """What a document says."""

    text: str
    title: str = ""
    pages: int | None = None
    """Pages of a PDF, slides of a presentation."""
    truncated: bool = False
    """Whether its end was left out."""
    whole_chars: int = 0
    """How long all of it is, where that is known of one whose end was left out."""
    kind: str = "text"
    """pdf, docx, xlsx, pptx, csv, html, zip or text."""
    notes: tuple[str, ...] = ()
    """What the person should know about the reading."""
    page_images: tuple[bytes, ...] = field(default=(), repr=False)
    """Pictures (JPEG or PNG) of pages without text, for a text reader."""


Reader = Callable[[bytes, str, int], Document]
"""From bytes, the file's name, and the characters that are wanted; a reader may give more."""


def markdown_table(rows: Iterable[list[str]]) -> str:
    """The first row as its head; shorter rows are filled up, and columns empty in all rows left out at the end."""
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    width = max((index + 1 for row in cells for index, cell in enumerate(row) if cell), default=0)
    if not width:
        return ""
    lines = ["| " + " | ".join((row + [""] * width)[:width]) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * width, *lines[1:]])
