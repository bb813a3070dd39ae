"""Answers as Slack shows them: Markdown to blocks that fit, with tables and buttons, and without pings. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from adapters.shared import markdown
from adapters.shared.buttons import LABELS
from adapters.shared.links import show_hosts
from adapters.shared.markdown import CodeFile
from adapters.slack.callback_ids import FEEDBACK, PREFIX
from adapters.slack.mentions import escape_mentions
from bot.types import Action

Block: TypeAlias = dict[str, Any]
PIECE = 11_000
"""Characters of Markdown in one message. Source: Slack, markdown block: 12,000 over all of a payload."""
LONG_CODE = 6_000
"""Characters of code above which it becomes a file."""
PREVIEW_CHARS = 300
"""Characters of a line of code that became a file."""
FALLBACK = 2_900
"""Characters of the text that notifications show; chat.update refuses more than 4,000 of them."""
CONTEXT = 2_900
"""Characters of one context element. Source: Slack, Block Kit, text object: 3,000."""
TABLE_ROWS, TABLE_COLUMNS, TABLE_TEXT = 100, 20, 9_000
"""Source: Slack, Block Kit, table block: 100 rows, 20 columns, 10,000 characters, one table in a message."""
TEXT_WIDTH = 200
"""Characters of a line up to which a table stands in columns; code scrolls sideways at Slack."""
_ESCAPED_MENTION = re.compile(r"&lt;@([UW][A-Z0-9]+)&gt;")
_HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)
_INLINE = re.compile(
    r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\[\]]+)\]\((https?://(?:[^()\s]|\([^()\s]*+\))+)\)"
    r"|(?<![\w*])[*_]([^*_\s][^*_]*)[*_](?![\w*])|<@([UW][A-Z0-9]+)>"
)


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
    escaped: str = ""
    """The whole text, without calls that would ping anybody but the allowed."""
    has_table: bool = False


@dataclass(frozen=True)
class Buttons:
    """The buttons under an answer, and what they refer to."""

    question: str = ""
    """The platform's id of the question, or empty when the answer's own will do."""
    actions: tuple[Action, ...] = ()


def rendered(
    text: str,
    allowed: Collection[str] = (),
    notices: Sequence[str] = (),
    buttons: Buttons | None = None,
    home: Sequence[str] = (),
) -> Rendered:
    """An answer as messages that each fit; its last one carries the notices and the buttons.

    allowed: ids (or here, channel, everyone) that may be pinged, as the asker wrote them; as a mapping with the people's names,
    by which the answer may call them too. home: what addresses of the workspace begin with, whose links need no host beside them.
    """
    return with_foot(without_foot(text, allowed, home), notices, buttons)


def without_foot(text: str, allowed: Collection[str] = (), home: Sequence[str] = ()) -> Rendered:
    """The answer's words alone."""
    escaped = escape_mentions(text, allowed)
    shortened, files = markdown.code_to_files(escaped, LONG_CODE, PREVIEW_CHARS, _remark_on_file)
    shown = show_hosts(shortened, home)
    parts = [show_hosts(part, home) for part in markdown.split_markdown(shown, PIECE)] if shown.strip() else []
    pieces = tuple(
        Piece(tuple(markdown_blocks(part, allowed)), fallback(part, allowed), escape_mentions(part, allowed))
        for part in parts
    )
    return Rendered(pieces, tuple(files), escaped, markdown.has_table(text))


def with_foot(words: Rendered, notices: Sequence[str], buttons: Buttons | None) -> Rendered:
    """The answer with what stands under it."""
    foot = foot_blocks(notices, buttons)
    if not foot:
        return words
    pieces = words.pieces or (Piece((), fallback(" ".join(notices)) or "Parley", ""),)
    last = pieces[-1]
    return replace(words, pieces=(*pieces[:-1], Piece((*last.blocks, *foot), last.text, last.markdown)))


def _remark_on_file(lines: int, name: str) -> str:
    return f"_The whole ({lines} lines) is in {name}._"


def foot_blocks(notices: Sequence[str], buttons: Buttons | None) -> list[Block]:
    """What stands under an answer: remarks, then buttons."""
    return [*notice_blocks([escape_mentions(one, ()) for one in notices]), *button_blocks(buttons or Buttons())]


def escape(text: str) -> str:
    """For mrkdwn: exactly these three. Source: Slack, Formatting."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fallback(text: str, allowed: Collection[str] = ()) -> str:
    """The text beside blocks, of Markdown. Without its signs `<@U1**2>` would be a call, so calls are escaped after that."""
    flat = escape_mentions(_HEADING.sub("", text).replace("**", "").strip(), allowed)
    return _ESCAPED_MENTION.sub(r"<@\1>", _short(escape(flat[:FALLBACK]), is_whole=len(flat) <= FALLBACK))


def _short(escaped: str, *, is_whole: bool) -> str:
    """As much as fits of a text in which a sign may take five characters, and no half of one."""
    if is_whole and len(escaped) <= FALLBACK:
        return escaped
    short = escaped[: FALLBACK - 1]
    at = short.rfind("&", -5)
    return f"{short[:at] if at >= 0 and ';' not in short[at:] else short}…"


# --- Blocks ----------------------------------------------------------------------------------------------------------


def markdown_blocks(text: str, allowed: Collection[str] = ()) -> list[Block]:
    """Markdown as blocks: its first table as a table, further ones as aligned text (Slack shows one table a message).

    What it is cut and put together to is looked through for calls last: taking a table apart makes some of what was none.
    """
    made: list[Block] = []
    pending: list[str] = []
    has_table = False
    for block in markdown.blocks(text):
        table = table_block(block.lines, allowed) if block.kind == "table" and not has_table else None
        if table:
            has_table = True
            made += [*_markdown_block(pending, allowed), table]
            pending = []
        else:
            pending += table_as_text(block.lines) if block.kind == "table" else block.lines
    return made + _markdown_block(pending, allowed)


def _markdown_block(lines: Sequence[str], allowed: Collection[str]) -> list[Block]:
    text = escape_mentions("\n".join(lines).strip("\n"), allowed)
    return [{"type": "markdown", "text": text}] if text.strip() else []


def table_as_text(lines: Sequence[str]) -> list[str]:
    """A table where Slack shows none: in columns, or as a list when it is too wide."""
    return markdown.table_as_text(markdown.table_rows(lines), TEXT_WIDTH)


def table_block(lines: Sequence[str], allowed: Collection[str] = ()) -> Block | None:
    """A Markdown table as Slack's table, as wide as its longest row; None when it is larger than Slack takes."""
    rows = [[show_hosts(cell) for cell in row] for row in markdown.table_rows(lines)]  # a cell is read by itself
    width = max(map(len, rows))
    size = sum(len(cell) for row in rows for cell in row)
    if len(rows) > TABLE_ROWS or width > TABLE_COLUMNS or size > TABLE_TEXT:
        return None
    rules = markdown.table_cells(lines[1])[:width]
    settings = [{"is_wrapped": True, **_alignment(rule)} for rule in rules]
    head, *body = [[*row, *[""] * (width - len(row))] for row in rows]
    head = [f"**{text}**" if text and "**" not in text else text for text in head]
    return {
        "type": "table",
        "rows": [[_cell(escape_mentions(text, allowed)) for text in row] for row in (head, *body)],
        "column_settings": settings,
    }


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


def notice_blocks(notices: Sequence[str]) -> list[Block]:
    """Short remarks under an answer."""
    texts = [escape(one)[:CONTEXT] for one in notices if one.strip()][:10]
    return [{"type": "context", "elements": [{"type": "mrkdwn", "text": text} for text in texts]}] if texts else []


def button_blocks(buttons: Buttons) -> list[Block]:
    """The buttons under an answer; Slack draws the thumbs together, as an element of their own."""
    made: list[Block] = []
    plain = [action for action in buttons.actions if not action.startswith("thumbs")]
    if plain:
        made.append({"type": "actions", "elements": [_button(action, buttons.question) for action in plain]})
    if "thumbs_up" in buttons.actions:
        feedback: Block = {"type": "feedback_buttons", "action_id": FEEDBACK}
        feedback["positive_button"] = _thumb("thumbs_up", buttons.question)
        feedback["negative_button"] = _thumb("thumbs_down", buttons.question)
        made.append({"type": "context_actions", "elements": [feedback]})
    return made


def _thumb(action: Action, question: str) -> Block:
    label = LABELS[action]
    text = {"type": "plain_text", "text": label}
    return {"text": text, "value": f"{action} {question}".strip(), "accessibility_label": label}


def _button(action: Action, question: str) -> Block:
    label = {"type": "plain_text", "text": LABELS[action]}
    button: Block = {"type": "button", "action_id": f"{PREFIX}:{action}", "text": label}
    if question:
        button["value"] = question
    return button | ({"style": "danger"} if action == "stop" else {})
