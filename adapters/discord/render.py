"""Answers as Discord shows them: Markdown in messages that fit, long code as files, tables in columns, buttons. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.discord.parse import PREFIX

Component: TypeAlias = dict[str, Any]
LIMIT = 2_000
"""Characters in one message. Source: Discord, Create Message, `content`."""
PIECE = 1_900
"""What an answer uses of them; the rest is for what closes a piece."""
LONG_CODE = 3_600
"""Characters of code above which it becomes a file."""
PREVIEW_LINES = 12
EXTENSIONS = {"python": "py", "javascript": "js", "typescript": "ts", "bash": "sh", "shell": "sh", "markdown": "md"}
EXTENSIONS |= {"rust": "rs", "ruby": "rb", "yaml": "yml", "text": "txt", "plaintext": "txt", "c++": "cpp"}
EXTENSIONS |= {"csharp": "cs", "kotlin": "kt"}
PRIMARY, SECONDARY, DANGER = 1, 2, 4
LABELS = {
    "stop": ("Stop", DANGER),
    "continue": ("Continue", PRIMARY),
    "vary": ("Vary", SECONDARY),
    "edit_image": ("Edit", SECONDARY),
    "regenerate": ("Regenerate", SECONDARY),
}
THUMBS = {"thumbs_up": "\U0001f44d", "thumbs_down": "\U0001f44e"}
_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^\n`]*)$")
"""Also deeply indented, as code stands in lists: Discord takes it for a fence."""
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_DEEP_HEADING = re.compile(r"^#{4,6}\s+(.*?)\s*#*$")


@dataclass(frozen=True)
class CodeFile:
    """Code too long for a message."""

    name: str
    text: str


@dataclass(frozen=True)
class Rendered:
    """An answer as it is posted."""

    pieces: tuple[str, ...]
    files: tuple[CodeFile, ...] = ()


@dataclass(frozen=True)
class Buttons:
    """Which buttons stand under an answer, and what they refer to."""

    question: str = ""
    """The id of the question, or empty when the answer's own will do."""
    root: str = ""
    """The first message of the reply chain."""
    names: tuple[str, ...] = ()
    """Of stop, continue, vary, edit_image, regenerate."""
    has_thumbs: bool = False


def rendered(text: str, notices: Sequence[str] = ()) -> Rendered:
    """An answer as messages that each fit; the remarks stand small under the last."""
    shortened, files = code_to_files(text)
    pieces = split_markdown(shown(shortened), PIECE) if shortened.strip() else []
    for remark in filter(None, map(small, notices)):
        if pieces and len(pieces[-1]) + len(remark) + 1 <= LIMIT:
            pieces[-1] = f"{pieces[-1]}\n{remark}"
        else:
            pieces.append(remark)
    return Rendered(tuple(pieces), tuple(files))


def small(text: str) -> str:
    """A remark in small letters. Source: Discord, Markdown Text 101, subtext."""
    flat = " ".join(text.split())[:1_500]
    return f"-# {flat}" if flat else ""


def shown(text: str) -> str:
    """Markdown that Discord shows: it has no tables and no headings below the third."""
    lines: list[str] = []
    for unit in _units(text):
        if unit.kind == "table":
            lines += aligned(unit.lines)
        elif unit.kind == "code":
            lines += unit.lines
        else:
            lines += [_DEEP_HEADING.sub(r"**\1**", line) for line in unit.lines]
    return "\n".join(lines)


# --- Splitting -------------------------------------------------------------------------------------------------------


@dataclass
class _Unit:
    """A paragraph, a table or a fenced block."""

    kind: str
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def split_markdown(text: str, limit: int) -> list[str]:
    """Cut Markdown into pieces that each fit one message and render alone.

    limit: in Unicode characters, at least 100. The pieces are in order and never empty; a code fence cut in two is closed and
    reopened. Raises ValueError for a smaller limit.
    """
    if limit < 100:
        raise ValueError(f"a piece needs at least 100 characters, not {limit}")
    pieces: list[str] = []
    current = ""
    for part in itertools.chain.from_iterable(_fitting(unit, limit) for unit in _units(text)):
        joined = f"{current}\n{part}" if current else part
        if len(joined) <= limit:
            current = joined
        else:
            pieces.append(current)
            current = part
    pieces.append(current)
    return [piece.strip("\n") for piece in pieces if piece.strip()]


def _units(text: str) -> list[_Unit]:
    """The text in paragraphs, tables and fenced blocks; an open fence at the end is closed."""
    units: list[_Unit] = []
    lines, at = text.split("\n"), 0
    while at < len(lines):
        if opening := _FENCE.match(lines[at]):
            unit, at = _fenced(lines, at, opening)
        else:
            is_table = _is_table(lines, at)
            end = _end_of_table(lines, at) if is_table else _end_of_text(lines, at)
            unit, at = _Unit("table" if is_table else "text", lines[at:end]), end
        units.append(unit)
    return units


def _end_of_table(lines: list[str], at: int) -> int:
    end = at
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def _end_of_text(lines: list[str], at: int) -> int:
    end = at + 1
    while end < len(lines) and lines[end - 1].strip() and not _FENCE.match(lines[end]) and not _is_table(lines, end):
        end += 1
    return end


def _fenced(lines: list[str], at: int, opening: re.Match[str]) -> tuple[_Unit, int]:
    mark = opening.group(2)
    for end in range(at + 1, len(lines)):
        closing = _FENCE.match(lines[end])
        if closing and closing.group(2).startswith(mark) and not closing.group(3).strip():
            return _Unit("code", lines[at : end + 1]), end + 1
    return _Unit("code", [*lines[at:], mark]), len(lines)


def _is_table(lines: list[str], at: int) -> bool:
    return at + 1 < len(lines) and "|" in lines[at] and "|" in lines[at + 1] and bool(_TABLE_RULE.match(lines[at + 1]))


def _fitting(unit: _Unit, limit: int) -> list[str]:
    """The unit in parts that each fit."""
    if len(unit.text) <= limit:
        return [unit.text]
    head: list[str] = []
    tail: list[str] = []
    body = unit.lines
    if unit.kind == "code" and len(unit.lines[0]) + len(unit.lines[-1]) + 2 < limit - 40:
        head, body, tail = unit.lines[:1], unit.lines[1:-1], unit.lines[-1:]
    room = limit - sum(len(line) + 1 for line in (*head, *tail))
    return ["\n".join((*head, *lines, *tail)) for lines in _packed(body, room)]


def _packed(lines: list[str], room: int) -> list[list[str]]:
    packs: list[list[str]] = [[]]
    size = 0
    for line in itertools.chain.from_iterable(_cut(line, room) for line in lines):
        if packs[-1] and size + len(line) + 1 > room:
            packs.append([])
            size = 0
        packs[-1].append(line)
        size += len(line) + 1
    return packs


def _cut(line: str, room: int) -> list[str]:
    """A line in parts no longer than the room, at blanks where there are any in the last half."""
    parts: list[str] = []
    while len(line) > room:
        at = line.rfind(" ", room // 2, room)
        at = at if at > 0 else room
        parts.append(line[:at])
        line = line[at:]
    return [*parts, line]


def code_to_files(text: str) -> tuple[str, list[CodeFile]]:
    """The text with very long code cut to its first lines, and the whole of it as files."""
    files: list[CodeFile] = []
    lines: list[str] = []
    for unit in _units(text):
        body = "\n".join(unit.lines[1:-1])
        if unit.kind != "code" or len(body) <= LONG_CODE:
            lines += unit.lines
            continue
        file = CodeFile(f"code-{len(files) + 1}.{_extension(unit.lines[0])}", f"{body}\n")
        files.append(file)
        preview = [line[:120] for line in unit.lines[1 : 1 + PREVIEW_LINES]]
        whole = f"-# The whole ({len(unit.lines) - 2} lines) is in {file.name}."
        lines += [unit.lines[0], *preview, unit.lines[-1], whole]
    return ("\n".join(lines), files) if files else (text, [])


def _extension(opening: str) -> str:
    language = opening.strip().strip("`~").strip().split(" ")[0].lower()
    return EXTENSIONS.get(language, language if re.fullmatch(r"[a-z0-9]{1,8}", language) else "txt")


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [re.sub(r"\*\*|`", "", cell.strip().replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", inner)]


def aligned(lines: list[str]) -> list[str]:
    """A table as text in columns, fenced; one too wide for a screen as a list, row by row."""
    width = len(_cells(lines[0]))
    rows = [(_cells(line) + [""] * width)[:width] for line in (lines[0], *lines[2:])]
    widths = [max(len(row[column]) for row in rows) for column in range(width)]
    if sum(widths) + 2 * width > 100:
        return [_as_item(rows[0], row) for row in rows[1:]]
    text = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
    return ["```", text[0], "  ".join("-" * size for size in widths), *text[1:], "```"]


def _as_item(head: list[str], row: list[str]) -> str:
    said = [f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], row[1:], strict=True) if cell]
    return f"- **{row[0]}** {'; '.join(said)}".rstrip()


# --- Buttons ---------------------------------------------------------------------------------------------------------


def button_rows(buttons: Buttons) -> list[Component]:
    """The buttons under an answer: what they need to know rides in their ids, so they live as long as the message."""
    made = [_button(buttons, name, {"label": LABELS[name][0]}, LABELS[name][1]) for name in buttons.names]
    if buttons.has_thumbs:
        made += [_button(buttons, name, {"emoji": {"name": sign}}, SECONDARY) for name, sign in THUMBS.items()]
    return [{"type": 1, "components": made[at : at + 5]} for at in range(0, len(made), 5)]


def _button(buttons: Buttons, name: str, look: Component, style: int) -> Component:
    return {"type": 2, "style": style, "custom_id": f"{PREFIX}:{name}:{buttons.question}:{buttons.root}", **look}


def settings_button() -> list[Component]:
    """Opens the form for settings."""
    button = {"type": 2, "style": SECONDARY, "custom_id": f"{PREFIX}:settings", "label": "Change a setting"}
    return [{"type": 1, "components": [button]}]
