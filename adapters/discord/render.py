"""Answers as Discord shows them: Markdown in messages that fit, long code as files, tables in columns, buttons. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.discord.custom_ids import SETTINGS, ButtonId
from adapters.shared import markdown
from adapters.shared.buttons import LABELS
from adapters.shared.links import show_hosts
from adapters.shared.markdown import CodeFile
from bot.types import Action

Component: TypeAlias = dict[str, Any]
LIMIT = 2_000
"""Characters in one message. Source: Discord, Create Message, `content`."""
PIECE = 1_900
"""What an answer uses of them; the rest is for what closes a piece."""
LONG_CODE = 3_600
"""Characters of code above which it becomes a file."""
PREVIEW_CHARS = 120
"""Characters of a line of code that became a file."""
TABLE_WIDTH = 100
"""Characters of a line up to which a table stands in columns: a phone breaks longer ones."""
MAX_REMARK = 1_500
"""Characters of a remark, so that one fits below an answer."""
PRIMARY, SECONDARY, DANGER = 1, 2, 4
STYLES: dict[Action, int] = {"stop": DANGER, "continue": PRIMARY}
"""Of the buttons that are not SECONDARY. Source: Discord, Component Reference, Button Styles."""
THUMBS: dict[Action, str] = {"thumbs_up": "\U0001f44d", "thumbs_down": "\U0001f44e"}
_DEEP_HEADING = re.compile(r"#{4,6}[ \t]")
_MARKS = re.compile(r"\*\*|`")


@dataclass(frozen=True)
class Rendered:
    """An answer as it is posted."""

    pieces: tuple[str, ...]
    files: tuple[CodeFile, ...] = ()


@dataclass(frozen=True)
class Buttons:
    """The buttons under an answer, and what they refer to."""

    question_id: str = ""
    """The id of the question, or empty when the answer's own will do."""
    root_id: str = ""
    """The first message of the reply chain."""
    actions: tuple[Action, ...] = ()


def rendered(text: str, notices: Sequence[str] = (), home: Sequence[str] = ()) -> Rendered:
    """An answer as messages that each fit; the remarks stand small under the last.

    home: what addresses of the server begin with, whose links need no host beside them.
    """
    return with_remarks(without_remarks(text, home), notices)


def without_remarks(text: str, home: Sequence[str] = ()) -> Rendered:
    """The answer's words alone."""
    shortened, files = markdown.code_to_files(text, LONG_CODE, PREVIEW_CHARS, _remark_on_file)
    whole = show_hosts(shown(shortened), home)
    pieces = [show_hosts(one, home) for one in markdown.split_markdown(whole, PIECE)] if shortened.strip() else []
    return Rendered(tuple(pieces), tuple(files))


def with_remarks(words: Rendered, notices: Sequence[str]) -> Rendered:
    """The answer with remarks under it."""
    pieces = list(words.pieces)
    for remark in filter(None, map(small, notices)):
        if pieces and len(pieces[-1]) + len(remark) + 1 <= LIMIT:
            pieces[-1] = f"{pieces[-1]}\n{remark}"
        else:
            pieces.append(remark)
    return Rendered(tuple(pieces), words.files)


def _remark_on_file(lines: int, name: str) -> str:
    return f"-# The whole ({lines} lines) is in {name}."


def small(text: str) -> str:
    """A remark in small letters. Source: Discord, Markdown Text 101, subtext."""
    flat = " ".join(text.split()).replace("](", "] (")[:MAX_REMARK]  # a file's name in it makes no link
    return f"-# {flat}" if flat else ""


def shown(text: str) -> str:
    """Markdown that Discord shows: it has no tables and no headings below the third."""
    lines: list[str] = []
    for block in markdown.blocks(text):
        if block.kind == "table":
            lines += table_as_text(block.lines)
        elif block.kind == "code":
            lines += block.lines
        else:
            lines += map(_without_deep_heading, block.lines)
    return "\n".join(lines)


def _without_deep_heading(line: str) -> str:
    return f"**{line.lstrip('#').strip().rstrip('#').rstrip()}**" if _DEEP_HEADING.match(line) else line


def table_as_text(lines: Sequence[str]) -> list[str]:
    """A table as text in columns; one too wide for a screen as a list, row by row."""
    rows = [[_MARKS.sub("", cell) for cell in row] for row in markdown.table_rows(lines)]
    return markdown.table_as_text(rows, TABLE_WIDTH)


# --- Buttons ---------------------------------------------------------------------------------------------------------


def button_rows(buttons: Buttons) -> list[Component]:
    """The buttons under an answer: what they need to know rides in their ids, so they live as long as the message."""
    made = [_button(buttons, action) for action in buttons.actions]
    return [{"type": 1, "components": made[at : at + 5]} for at in range(0, len(made), 5)]


def _button(buttons: Buttons, action: Action) -> Component:
    look = {"emoji": {"name": THUMBS[action]}} if action in THUMBS else {"label": LABELS[action]}
    custom_id = ButtonId(action, buttons.question_id, buttons.root_id)
    return {"type": 2, "style": STYLES.get(action, SECONDARY), "custom_id": str(custom_id), **look}


def settings_button() -> list[Component]:
    """Opens the form for settings."""
    button = {"type": 2, "style": SECONDARY, "custom_id": SETTINGS, "label": "Change a setting"}
    return [{"type": 1, "components": [button]}]
