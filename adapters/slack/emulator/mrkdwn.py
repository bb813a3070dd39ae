"""Owns the two text languages of Slack: what a person types as rich text blocks, and Markdown as mrkdwn text. Pure."""

import re

from .workspace import Json

CONTROL = re.compile(r"<(@[UW][A-Z0-9]+|#[CG][A-Z0-9]+|![a-z]+|!subteam\^[A-Z0-9]+|https?://[^|>\s]+)(?:\|([^>]*))?>")
FENCE = re.compile(r"```(?:[^\n`]*\n)?(.*?)(?:```|$)", re.DOTALL)
LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)")
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def escape(text: str) -> str:
    """Escape the three characters that Slack treats as control characters, and no other."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """Undo `escape`."""
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return text


def rich_text(text: str, block_id: str) -> list[Json]:
    """The `rich_text` block that Slack's composer sends beside typed `text`; nothing for empty text."""
    if not text:
        return []
    return [{"type": "rich_text", "block_id": block_id, "elements": _sections(text)}]


def _sections(text: str) -> list[Json]:
    sections, end = [], 0
    for fence in FENCE.finditer(text):
        sections += _section(text[end : fence.start()])
        code = [{"type": "text", "text": unescape(fence.group(1).rstrip("\n"))}]
        sections.append({"type": "rich_text_preformatted", "elements": code, "border": 0})
        end = fence.end()
    return sections + _section(text[end:])


def _section(text: str) -> list[Json]:
    elements = _elements(text)
    return [{"type": "rich_text_section", "elements": elements}] if elements else []


def _elements(text: str) -> list[Json]:
    elements: list[Json] = []
    end = 0
    for match in CONTROL.finditer(text):
        elements += _plain(text[end : match.start()])
        elements.append(_control(match.group(1), match.group(2)))
        end = match.end()
    return elements + _plain(text[end:])


def _plain(text: str) -> list[Json]:
    return [{"type": "text", "text": unescape(text)}] if text else []


def _control(target: str, label: str | None) -> Json:
    if target.startswith("@"):
        return {"type": "user", "user_id": target[1:]}
    if target.startswith("#"):
        return {"type": "channel", "channel_id": target[1:]}
    if target.startswith("!subteam^"):
        return {"type": "usergroup", "usergroup_id": target[9:]}
    if target.startswith("!"):
        return {"type": "broadcast", "range": target[1:]}
    return {"type": "link", "url": target} | ({"text": label} if label else {})


def from_markdown(text: str) -> str:
    """The mrkdwn that Slack keeps as a message's `text` when it was sent as Markdown; code is left as it is."""
    pieces = re.split(r"(```.*?(?:```|$)|`[^`\n]+`)", text, flags=re.DOTALL)
    return "".join(piece if piece.startswith("`") else _inline(piece) for piece in pieces)


def _inline(text: str) -> str:
    text = LINK.sub(r"<\2|\1>", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"*\1*", text)
    text = re.sub(r"~~(.+?)~~", r"~\1~", text)
    return re.sub(r"^#{1,6} +(.+)$", r"*\1*", text, flags=re.MULTILINE)
