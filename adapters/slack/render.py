"""Answers as Slack shows them: Markdown to blocks that fit, without pings, with tables, and with buttons. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.slack.parse import PREFIX

Block: TypeAlias = dict[str, Any]
PIECE = 11_000
"""Characters of Markdown in one message. Source: Slack, markdown block: 12,000 over all of a payload."""
LONG_CODE = 6_000
"""Characters of code above which it becomes a file."""
PREVIEW_LINES = 12
FALLBACK = 2_900
"""Characters of the text that notifications show; chat.update refuses more than 4,000 of them."""
JOINER = "\u2060"
"""Stands behind an @ that is to ping nobody: unseen, and no place to break a line."""
CONTEXT = 2_900
"""Characters of one context element. Source: Slack, Block Kit, text object: 3,000."""
TABLE_ROWS, TABLE_COLUMNS, TABLE_TEXT = 100, 20, 9_000
"""Source: Slack, Block Kit, table block: 100 rows, 20 columns, 10,000 characters, one table in a message."""
EXTENSIONS = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "bash": "sh",
    "shell": "sh",
    "markdown": "md",
    "rust": "rs",
}
EXTENSIONS |= {
    "ruby": "rb",
    "yaml": "yml",
    "text": "txt",
    "plaintext": "txt",
    "c++": "cpp",
    "csharp": "cs",
    "kotlin": "kt",
}
_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})[ \t]*([^\n`]*)$")
_CONTROL = re.compile(r"<(?:@([A-Z0-9]+)|!subteam\^([A-Z0-9]+)|!([a-z]+))(?:[|^][^<>\n]*)?>")
_ESCAPED_MENTION = re.compile(r"&lt;@([UW][A-Z0-9]+)&gt;")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_INLINE = re.compile(
    r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https?://[^)\s]+)\)|(?<![\w*])[*_]([^*_\s][^*_]*)[*_](?![\w*])"
    r"|<@([UW][A-Z0-9]+)>"
)


@dataclass(frozen=True)
class CodeFile:
    """Code too long for a message."""

    name: str
    text: str


@dataclass(frozen=True)
class Piece:
    """One message of an answer."""

    blocks: tuple[Block, ...]
    text: str
    """For notifications and screen readers."""
    markdown: str = ""
    """What its blocks were made of."""


@dataclass(frozen=True)
class Rendered:
    """An answer as it is posted."""

    pieces: tuple[Piece, ...]
    files: tuple[CodeFile, ...] = ()


@dataclass(frozen=True)
class Buttons:
    """Which buttons stand under an answer, and what they refer to."""

    question: str = ""
    """The platform's id of the question, or empty when the answer's own will do."""
    names: tuple[str, ...] = ()
    """Of stop, regenerate, continue, vary, edit_image."""
    has_thumbs: bool = False


LABELS = {
    "stop": "Stop",
    "regenerate": "Regenerate",
    "continue": "Continue",
    "vary": "Vary",
    "edit_image": "Edit",
}


def rendered(
    text: str, allowed: Collection[str] = (), notices: Sequence[str] = (), buttons: Buttons | None = None
) -> Rendered:
    """An answer as messages that each fit; its last one carries the notices and the buttons.

    allowed: ids (or here, channel, everyone) that may be pinged, as the asker wrote them; as a mapping with the people's names,
    by which the answer may call them too.
    """
    shortened, files = code_to_files(neutralise(text, allowed))
    parts = split_markdown(shortened, PIECE) if shortened.strip() else []
    foot = foot_blocks(notices, buttons)
    pieces = [Piece(tuple(markdown_blocks(part)), fallback(part), part) for part in parts]
    if foot and not pieces:
        pieces = [Piece((), fallback(" ".join(notices)) or "Parley", "")]
    if foot:
        last = pieces[-1]
        pieces[-1] = Piece((*last.blocks, *foot), last.text, last.markdown)
    return Rendered(tuple(pieces), tuple(files))


def foot_blocks(notices: Sequence[str], buttons: Buttons | None) -> list[Block]:
    """What stands under an answer: remarks, then buttons."""
    return [*notice_blocks([neutralise(one, ()) for one in notices]), *button_blocks(buttons or Buttons())]


def neutralise(text: str, allowed: Collection[str]) -> str:
    """The text without control sequences that would ping anybody but the allowed, who are pinged by their names too."""
    while True:
        calmed = _CONTROL.sub(lambda found: _calmed(found, allowed), text)
        if calmed == text:
            return _addressed(text, allowed)
        text = calmed


def _names(allowed: Collection[str]) -> dict[str, str]:
    """Ids of people by their names in small letters."""
    named = allowed.items() if isinstance(allowed, Mapping) else ()
    return {str(name).casefold(): id_ for id_, name in named if name}


def _addressed(text: str, allowed: Collection[str]) -> str:
    """With `@Name` of the allowed as their mention, but for code: the model knows people by their names alone."""
    names = _names(allowed)
    if not names:
        return text
    any_name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = rf"```.*?(?:```|\Z)|`[^`\n]*`|(?<![\w@])@({any_name})(?!\w|[.-]\w)"

    def mention(found: re.Match[str]) -> str:
        return f"<@{names[found.group(1).casefold()]}>" if found.group(1) else found.group(0)

    return re.sub(pattern, mention, text, flags=re.DOTALL | re.IGNORECASE)


def _calmed(found: re.Match[str], allowed: Collection[str]) -> str:
    person, group, everyone = found.groups()
    named = person or everyone or group
    if named in allowed and (person or everyone in ("here", "channel", "everyone") or group):
        return found.group(0)
    _, _, label = found.group(0).strip("<>").partition("|")
    return f"@{JOINER}{label.lstrip('@') or named}"


def escape(text: str) -> str:
    """For mrkdwn: exactly these three. Source: Slack, Formatting."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fallback(markdown: str) -> str:
    """The text beside blocks."""
    flat = re.sub(r"^#{1,6} +", "", markdown, flags=re.MULTILINE).replace("**", "").strip()
    short = flat if len(flat) <= FALLBACK else f"{flat[: FALLBACK - 1]}…"
    return _ESCAPED_MENTION.sub(r"<@\1>", escape(short))  # whoever else was named is calmed by now


def stable(text: str, allowed: Collection[str] = ()) -> str:
    """As much of a growing text as will not read differently once more comes: not half a control sequence, nor half a name."""
    at = text.rfind("@")
    tail = text[at:].casefold() if at >= 0 else ""
    if tail and any(f"@{name}".startswith(tail.rstrip(".-")) for name in _names(allowed)):
        text = text[:at]
    at = text.rfind("<")
    return text[:at] if at >= 0 and len(text) - at < 80 and ">" not in text[at:] and "\n" not in text[at:] else text


def open_fence(text: str) -> str:
    """The line that opened the code block in which the text ends, or empty."""
    opener = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found and not opener:
            opener = line
        elif found and found.group(2)[:3] == opener.strip()[:3] and not found.group(3).strip():
            opener = ""
    return opener


# --- Splitting -------------------------------------------------------------------------------------------------------


@dataclass
class _Unit:
    """A paragraph, a table or a fenced block with the lines around it."""

    kind: str
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def split_markdown(text: str, limit: int) -> list[str]:
    """Cut Markdown into pieces that each fit one message and render alone.

    limit: in Unicode characters, at least 100. The pieces are in order and never empty; a code fence cut in two is closed and
    reopened, a table cut in two begins with its head again. Raises ValueError for a smaller limit.
    """
    if limit < 100:
        raise ValueError(f"a piece needs at least 100 characters, not {limit}")
    pieces: list[str] = []
    current = ""
    for unit in _units(text):
        for part in _fitting(unit, limit):
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
        elif _is_table(lines, at):
            end = at
            while end < len(lines) and "|" in lines[end]:
                end += 1
            unit, at = _Unit("table", lines[at:end]), end
        else:
            end = at + 1
            while (
                end < len(lines)
                and lines[end - 1].strip()
                and not _FENCE.match(lines[end])
                and not _is_table(lines, end)
            ):
                end += 1
            unit, at = _Unit("text", lines[at:end]), end
        units.append(unit)
    return units


def _fenced(lines: list[str], at: int, opening: re.Match[str]) -> tuple[_Unit, int]:
    mark = opening.group(2)
    for end in range(at + 1, len(lines)):
        closing = _FENCE.match(lines[end])
        if (
            closing
            and closing.group(2)[0] == mark[0]
            and len(closing.group(2)) >= len(mark)
            and not closing.group(3).strip()
        ):
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
    elif unit.kind == "table" and sum(map(len, unit.lines[:2])) < limit // 2:
        head, body = unit.lines[:2], unit.lines[2:]
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
        language = unit.lines[0].strip().strip("`~").strip().split(" ")[0].lower()
        extension = EXTENSIONS.get(language, language if re.fullmatch(r"[a-z0-9]{1,8}", language) else "txt")
        file = CodeFile(f"code-{len(files) + 1}.{extension}", f"{body}\n")
        files.append(file)
        count = len(unit.lines) - 2
        shown = [line[:300] for line in unit.lines[1 : 1 + PREVIEW_LINES]]
        lines += [unit.lines[0], *shown, unit.lines[-1], f"_The whole ({count} lines) is in {file.name}._"]
    return ("\n".join(lines), files) if files else (text, [])


# --- Blocks ----------------------------------------------------------------------------------------------------------


def markdown_blocks(text: str) -> list[Block]:
    """Markdown as blocks: its first table as a table, further ones as aligned text (Slack shows one table a message)."""
    blocks: list[Block] = []
    pending: list[str] = []
    has_table = False
    for unit in _units(text):
        table = table_block(unit.lines) if unit.kind == "table" and not has_table else None
        if table:
            has_table = True
            blocks += _markdown(pending)
            blocks.append(table)
            pending = []
        else:
            pending += aligned(unit.lines) if unit.kind == "table" else unit.lines
    return blocks + _markdown(pending)


def has_table(text: str) -> bool:
    """Whether it has a table, which streamed Markdown does not show as one."""
    return any(unit.kind == "table" for unit in _units(text))


def _markdown(lines: list[str]) -> list[Block]:
    text = "\n".join(lines).strip("\n")
    return [{"type": "markdown", "text": text}] if text.strip() else []


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _rows(lines: list[str]) -> list[list[str]]:
    rows = [_cells(line) for line in (lines[0], *lines[2:])]
    width = max(map(len, rows))
    return [(row + [""] * width)[:width] for row in rows]


def table_block(lines: list[str]) -> Block | None:
    """A Markdown table as Slack's table; None when it is larger than Slack takes."""
    rows = _rows(lines)
    size = sum(len(cell) for row in rows for cell in row)
    if len(rows) > TABLE_ROWS or len(rows[0]) > TABLE_COLUMNS or size > TABLE_TEXT:
        return None
    settings = [{"is_wrapped": True, **_alignment(rule)} for rule in _cells(lines[1])][: len(rows[0])]
    head = [_cell(f"**{text}**" if text and "**" not in text else text) for text in rows[0]]
    body = [[_cell(text) for text in row] for row in rows[1:]]
    return {"type": "table", "rows": [head, *body], "column_settings": settings}


def _alignment(rule: str) -> Block:
    if rule.endswith(":"):
        return {"align": "center" if rule.startswith(":") else "right"}
    return {}


def _cell(text: str) -> Block:
    if not _INLINE.search(text):
        return {"type": "raw_text", "text": text or "\u00a0"}
    elements: list[Block] = []
    end = 0
    for found in _INLINE.finditer(text):
        elements += _plain(text[end : found.start()])
        elements.append(_styled(found))
        end = found.end()
    elements += _plain(text[end:])
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _plain(text: str) -> list[Block]:
    return [{"type": "text", "text": text}] if text else []


def _styled(found: re.Match[str]) -> Block:
    code, bold, label, url, italic, person = found.groups()
    if person:
        return {"type": "user", "user_id": person}
    if url:
        return {"type": "link", "url": url, "text": label}
    style = "code" if code else "bold" if bold else "italic"
    return {"type": "text", "text": code or bold or italic, "style": {style: True}}


def aligned(lines: list[str]) -> list[str]:
    """A table as text in columns, fenced."""
    rows = _rows(lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return ["```", shown[0], "  ".join("-" * width for width in widths), *shown[1:], "```"]


def notice_blocks(notices: Sequence[str]) -> list[Block]:
    """Short remarks under an answer."""
    texts = [escape(one)[:CONTEXT] for one in notices if one.strip()][:10]
    return [{"type": "context", "elements": [{"type": "mrkdwn", "text": text} for text in texts]}] if texts else []


def button_blocks(buttons: Buttons) -> list[Block]:
    """The buttons under an answer."""
    blocks: list[Block] = []
    if buttons.names:
        elements = [_button(name, buttons.question) for name in buttons.names]
        blocks.append({"type": "actions", "elements": elements})
    if buttons.has_thumbs:
        sides = {"positive_button": ("Good answer", "thumbs_up"), "negative_button": ("Bad answer", "thumbs_down")}
        feedback: Block = {"type": "feedback_buttons", "action_id": f"{PREFIX}:feedback"}
        for side, (label, name) in sides.items():
            text = {"type": "plain_text", "text": label}
            feedback[side] = {"text": text, "value": f"{name} {buttons.question}".strip(), "accessibility_label": label}
        blocks.append({"type": "context_actions", "elements": [feedback]})
    return blocks


def _button(name: str, question: str) -> Block:
    button: Block = {
        "type": "button",
        "action_id": f"{PREFIX}:{name}",
        "text": {"type": "plain_text", "text": LABELS[name]},
    }
    if question:
        button["value"] = question
    return button | ({"style": "danger"} if name == "stop" else {})
