"""Markdown by its lines: blocks, pieces that fit one message, tables, long code. Pure, and linear in the length of the text.

The lines are scanned here rather than by a Markdown parser, for two reasons. Platforms, unlike CommonMark, take a fence for one
however deep it is indented and whatever list it stands in, and models indent carelessly. And a parser makes tokens of every cell:
1 kB of short rows below a wide head costs markdown-it 0.3 s, and an answer is drawn again with each paint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.shared.uploads import code_extension

LEAST_LIMIT = 100
"""Characters of a piece, at least: below that little but fences and table heads would fit."""
PREVIEW_LINES = 12
"""Lines that stay in the message of code that became a file."""
_FENCE = re.compile(r"([ \t]*+)(`{3,}+|~{3,}+)([^`\n]*+)$")
_FENCES = re.compile(r"^([ \t]*+)(`{3,}+|~{3,}+)([^`\n]*+)$", re.MULTILINE)
_RULE_CELL = re.compile(r":?-+:?")
_PIPE = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A paragraph with the empty lines after it, a table, or a fenced block of code."""

    kind: Literal["text", "table", "code"]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its lines as one text."""
        return "\n".join(self.lines)

    @property
    def code(self) -> str:
        """What stands between the fences of a block of code."""
        return "\n".join(self.lines[1:-1])

    @property
    def language(self) -> str:
        """What the fence of a block of code names, in small letters, or empty."""
        return self.lines[0].strip().lstrip("`~").strip().partition(" ")[0].lower()


@dataclass(frozen=True)
class CodeFile:
    """Code too long for a message."""

    name: str
    text: str


# --- Blocks ----------------------------------------------------------------------------------------------------------


def blocks(text: str) -> list[Block]:
    """The text in blocks, in order and with every line; a fence that is still open at the end is closed."""
    found: list[Block] = []
    lines, at = text.split("\n"), 0
    while at < len(lines):
        if opening := _FENCE.match(lines[at]):
            block, at = _code_block(lines, at, opening)
        else:
            is_table = _begins_table(lines, at)
            end = _end_of_table(lines, at) if is_table else _end_of_text(lines, at)
            block, at = Block("table" if is_table else "text", tuple(lines[at:end])), end
        found.append(block)
    return found


def has_table(text: str) -> bool:
    """Whether a table stands in it."""
    return any(block.kind == "table" for block in blocks(text))


def code_lines(lines: Sequence[str]) -> list[bool]:
    """Of each line whether it stands in a fenced block of code, the fences included."""
    made: list[bool] = []
    opening: re.Match[str] | None = None
    for line in lines:
        found = _FENCE.match(line)
        made.append(bool(found or opening))
        if opening is None:
            opening = found
        elif found and _closes(found, opening):
            opening = None
    return made


def open_fence(text: str) -> str:
    """The line that opened the block of code in which the text ends, or empty."""
    opening: re.Match[str] | None = None
    for found in _FENCES.finditer(text):
        if opening is None:
            opening = found
        elif _closes(found, opening):
            opening = None
    return opening[0] if opening else ""


def closing_fence(text: str) -> str:
    """What to add to the text so that the block of code in which it ends is closed; empty when it ends in none."""
    opening = _FENCE.match(open_fence(text))
    return f"{'' if text.endswith(chr(10)) else chr(10)}{opening[1]}{opening[2]}" if opening else ""


def _code_block(lines: list[str], at: int, opening: re.Match[str]) -> tuple[Block, int]:
    for end in range(at + 1, len(lines)):
        closing = _FENCE.match(lines[end])
        if closing and _closes(closing, opening):
            return Block("code", tuple(lines[at : end + 1])), end + 1
    return Block("code", (*lines[at:], opening[1] + opening[2])), len(lines)


def _closes(fence: re.Match[str], opening: re.Match[str]) -> bool:
    return fence[2].startswith(opening[2]) and not fence[3].strip()


def _begins_table(lines: list[str], at: int) -> bool:
    return at + 1 < len(lines) and "|" in lines[at] and _is_rule(lines[at + 1])


def _is_rule(line: str) -> bool:
    """Whether it is the line beneath a table's head."""
    if "|" not in line or "-" not in line:
        return False
    inner = line.strip().removeprefix("|").removesuffix("|")
    return all(_RULE_CELL.fullmatch(cell.strip()) for cell in inner.split("|"))


def _end_of_table(lines: list[str], at: int) -> int:
    end = at
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def _end_of_text(lines: list[str], at: int) -> int:
    end = at + 1
    while (
        end < len(lines) and lines[end - 1].strip() and not _FENCE.match(lines[end]) and not _begins_table(lines, end)
    ):
        end += 1
    return end


# --- Pieces ----------------------------------------------------------------------------------------------------------


def split_markdown(text: str, limit: int) -> list[str]:
    """Cut Markdown into pieces that each fit one message and render alone.

    limit: in Unicode characters, at least 100. The pieces are in order and never empty. Code that is cut is closed and opened
    again; a table that is cut begins with its head again. Raises ValueError for a smaller limit.
    """
    if limit < LEAST_LIMIT:
        raise ValueError(f"a piece needs at least {LEAST_LIMIT} characters, not {limit}")
    parts = [part for block in blocks(text) for part in _fitting(block, limit)]
    pieces = ("\n".join(pack).strip("\n") for pack in _packed(parts, limit + 1))
    return [piece for piece in pieces if piece.strip()]


def _fitting(block: Block, limit: int) -> list[str]:
    """The block in parts that each fit."""
    if len(block.text) <= limit:
        return [block.text]
    head, body, tail = _repeated(block, limit)
    room = limit - sum(len(line) + 1 for line in (*head, *tail))
    lines = [piece for line in body for piece in _cut(line, room)]
    return ["\n".join((*head, *pack, *tail)) for pack in _packed(lines, room + 1)]


def _repeated(block: Block, limit: int) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """What each part begins with, what is cut, and what each ends with; a head so long that little else fits is cut as well."""
    lines = block.lines
    if block.kind == "code" and len(lines[0]) + len(lines[-1]) <= limit // 4:
        return lines[:1], lines[1:-1], lines[-1:]
    if block.kind == "table" and len(lines[0]) + len(lines[1]) <= limit // 2:
        return lines[:2], lines[2:], ()
    return (), lines, ()


def _packed(parts: Sequence[str], room: int) -> list[list[str]]:
    """Parts together as far as they fit, where each takes one more for what joins it."""
    packs: list[list[str]] = [[]]
    size = 0
    for part in parts:
        if packs[-1] and size + len(part) + 1 > room:
            packs.append([])
            size = 0
        packs[-1].append(part)
        size += len(part) + 1
    return packs


def _cut(line: str, room: int) -> list[str]:
    """A line in parts no longer than the room, at blanks where there are any in the last half."""
    parts: list[str] = []
    start = 0
    while len(line) - start > room:
        at = line.rfind(" ", start + room // 2, start + room)
        end = at if at > start else start + room
        parts.append(line[start:end])
        start = end
    return [*parts, line[start:]]


def code_to_files(
    text: str, longer_than: int, line_chars: int, remark: Callable[[int, str], str]
) -> tuple[str, list[CodeFile]]:
    """The text with very long code cut to its first lines, and the whole of it as files.

    longer_than: characters of code that still stay in the message. line_chars: of a line in what stays. remark: the words beneath
    it, made from the number of lines and the name of the file.
    """
    files: list[CodeFile] = []
    lines: list[str] = []
    for block in blocks(text):
        if block.kind != "code" or len(block.code) <= longer_than:
            lines += block.lines
            continue
        name = f"code-{len(files) + 1}.{code_extension(block.language)}"
        files.append(CodeFile(name, f"{block.code}\n"))
        preview = [line[:line_chars] for line in block.lines[1:-1][:PREVIEW_LINES]]
        lines += [block.lines[0], *preview, block.lines[-1], remark(len(block.lines) - 2, name)]
    return ("\n".join(lines), files) if files else (text, [])


# --- Tables ----------------------------------------------------------------------------------------------------------


def table_cells(line: str) -> list[str]:
    """The cells of a table's line, without the blanks around them; an escaped bar is one of the cell's own."""
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.strip().replace("\\|", "|") for cell in _PIPE.split(inner)]


def table_rows(lines: Sequence[str]) -> list[list[str]]:
    """The cells of a table, head first and without the rule beneath it. Rows are as long as they are written."""
    return [table_cells(line) for line in (lines[0], *lines[2:])]


def table_as_text(rows: Sequence[Sequence[str]], max_width: int) -> list[str]:
    """A table for where there are none: in columns between fences, or row by row as a list when it is wider than that.

    max_width: characters of a line. It also bounds how much longer than the table its text can be.
    """
    widths = [0] * max(map(len, rows))
    for row in rows:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], len(cell))
    if sum(widths) + 2 * (len(widths) - 1) > max_width:
        return [_as_item(rows[0], row) for row in rows[1:]] or [" ".join(rows[0])]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    return ["```", shown[0], "  ".join("-" * width for width in widths), *shown[1:], "```"]


def _as_item(head: Sequence[str], row: Sequence[str]) -> str:
    names = [*head[1 : len(row)], *[""] * (len(row) - len(head))]
    cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, row[1:], strict=True) if cell]
    return f"- **{row[0]}** {'; '.join(cells)}".rstrip()
