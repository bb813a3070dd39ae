"""Markdown to HTML that is safe to show, block by block, and parts as the page draws them. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from adapters.playground.highlight import highlighted
from adapters.shared.links import host_of, needs_host, shown_host
from bot.types import Audio, Blob, File, Image, Part, Text, UnreadAttachment

MAX_MARKDOWN = 200_000
"""Characters; a longer text is shown as it is. Reading this many takes a second or two."""
BARE_LINK = re.compile(r"https?://[^\s<>\"'`\]]+[^\s<>\"'`\].,;:!?)*_]", re.IGNORECASE)
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
TASK = re.compile(r"\[([ xX])\] ")
BLOBS = "/api/blobs/"
INLINE_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
INLINE_VIDEOS = ("video/mp4", "video/webm", "video/quicktime")
INLINE_SOUNDS = (
    "audio/ogg",
    "audio/mpeg",
    "audio/mp4",
    "audio/wav",
    "audio/x-wav",
    "audio/webm",
    "audio/aac",
    "audio/flac",
)
INLINE_TYPES = frozenset((*INLINE_IMAGES, *INLINE_VIDEOS, *INLINE_SOUNDS))
"""What a browser may show itself. All else is only downloaded, above all HTML and SVG."""


def blocks(text: str, *, has_colours: bool = True) -> list[str]:
    """Return the HTML of each paragraph, list, table or code block, in order. Text is never taken for HTML.

    A code fence that is still open is shown as code, so every beginning of a text renders too. has_colours: whether code is
    highlighted, which takes most of the time where there is much of it. The time is linear in the length of the text.
    """
    if len(text) > MAX_MARKDOWN:
        return plain_block(text)
    parser, env = _parser(), {"has_colours": has_colours}
    tokens = parser.parse(text, env)
    return [parser.renderer.render(group, parser.options, env) for group in _groups(tokens)]


def plain_block(text: str) -> list[str]:
    """Return the text as it is, escaped, in one block of HTML: for what cannot be rendered in time."""
    return [f'<pre class="plain">{html.escape(text)}</pre>']


def draw_part(item: Part) -> dict[str, Any] | None:
    """Return a part as the page draws it, or None for what is not shown."""
    match item:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(blob):
            words = item.description or item.text or item.name or "Picture"
            return {"type": "image", "url": blob_url(blob, item.name), "alt": words[:1_000], "name": item.name}
        case Audio(blob):
            return {
                "type": "audio",
                "url": blob_url(blob, item.name),
                "name": item.name,
                "transcript": item.transcript,
                "duration_s": item.duration_s,
                "is_voice_note": item.is_voice_note,
            }
        case File(blob):
            return {"type": "file", "url": blob_url(blob, item.name), "name": item.name, "size_bytes": blob.size_bytes}
        case UnreadAttachment(attachment, why) if why:
            return {"type": "unread", "name": attachment.name, "why": why}
        case _:
            return None


def draw_parts(items: Sequence[Part]) -> list[dict[str, Any]]:
    """Return what the page draws beside the text."""
    drawn = (draw_part(item) for item in items if not isinstance(item, Text))
    return [item for item in drawn if item]


def text_of(items: Sequence[Part]) -> str:
    """Return the text of a message."""
    return "\n\n".join(item.text for item in items if isinstance(item, Text) and item.text)


def blob_url(blob: Blob, name: str) -> str:
    """Return the address of the bytes, for whoever may see them."""
    return (
        f"{BLOBS}{blob.sha256}?type={quote(blob.mime_type)}&size={blob.size_bytes}&name={quote(name, errors='replace')}"
    )


def _groups(tokens: Sequence[Token]) -> list[list[Token]]:
    """Group the tokens by top-level block."""
    groups, current = list[list[Token]](), list[Token]()
    for token in tokens:
        current.append(token)
        if token.level == 0 and token.nesting <= 0:
            groups.append(current)
            current = []
    return [*groups, current] if current else groups


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.validateLink = _is_safe_link  # type: ignore[method-assign]
    parser.core.ruler.push("bare_links", _link_bare)
    parser.core.ruler.push("tasks", _mark_tasks)
    parser.core.ruler.push("columns", _align_by_class)
    parser.core.ruler.push("images", _images_to_links)
    parser.core.ruler.push("links", _harden_links)
    for name in ("fence", "code_block"):
        parser.add_render_rule(name, _code)
    for name, tags in {"table_open": '<div class="table"><table>\n', "table_close": "</table></div>\n"}.items():
        parser.add_render_rule(name, _constant(tags))
    return parser


def _constant(text: str) -> Any:
    def rule(self: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return text

    return rule


def _is_safe_link(url: str) -> bool:
    """Whether it leads to the web or to a mailbox, and beyond doubt where to."""
    return bool(host_of(url.strip()))


def _link_bare(state: StateCore) -> None:
    """Turn addresses in the text into links, unless they stand in one."""
    for token in state.tokens:
        if token.type == "inline" and "://" in token.content:
            depth, children = 0, list[Token]()
            for child in token.children or ():
                depth += {"link_open": 1, "link_close": -1}.get(child.type, 0)
                children += _split_links(child) if child.type == "text" and not depth else [child]
            token.children = children


def _split_links(token: Token) -> list[Token]:
    made, at = list[Token](), 0
    for found in BARE_LINK.finditer(token.content):
        if not _is_safe_link(found[0]):
            continue
        made += [_text(token.content[at : found.start()]), *_link(found[0], found[0])]
        at = found.end()
    return [*made, _text(token.content[at:])] if made else [token]


def _link(url: str, label: str) -> list[Token]:
    opening = Token("link_open", "a", 1, attrs={"href": url})
    return [opening, _text(label), Token("link_close", "a", -1)]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _images_to_links(state: StateCore) -> None:
    """Turn a picture of another site into a link: fetching it would tell that site who reads this."""
    for token in state.tokens:
        if token.type == "inline" and "![" in token.content:
            token.children = [made for child in token.children or () for made in _image_to_link(child)]


def _image_to_link(token: Token) -> list[Token]:
    if token.type != "image":
        return [token]
    url = str(token.attrs.get("src", ""))
    return _link(url, token.content or url)


def _harden_links(state: StateCore) -> None:
    """Have every link open elsewhere and tell nobody where it was, and show its host where the label does not."""
    for token in state.tokens:
        made, label, url = list[Token](), list[str](), ""
        for child in token.children or ():
            made.append(child)
            if child.type == "link_open":
                child.attrs |= {"target": "_blank", "rel": "noopener noreferrer nofollow"}
                label, url = [], str(child.attrs["href"])
            elif child.type == "link_close":
                made += _host_beside("".join(label), url)
            else:
                label.append(child.content)
        token.children = made if token.children else token.children


def _host_beside(label: str, url: str) -> list[Token]:
    if not needs_host(label, url) and not BIDI.search(label):
        return []
    return [Token("html_inline", "", 0, content=f' <span class="host">{html.escape(shown_host(url))}</span>')]


def _align_by_class(state: StateCore) -> None:
    """Replace the style attribute of an aligned column, which the page's policy forbids, by a class."""
    for token in state.tokens:
        if token.type in ("th_open", "td_open") and "style" in token.attrs:
            token.attrs = {"class": str(token.attrs["style"]).rpartition(":")[2]}


def _mark_tasks(state: StateCore) -> None:
    """Turn `[ ]` and `[x]` at the start of a list item into boxes."""
    for item, before, token in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if token.type != "inline" or before.type != "paragraph_open" or not token.children:
            continue
        found = TASK.match(token.children[0].content)
        if found and item.type == "list_item_open":
            item.attrJoin("class", "task")
            token.children[0].content = token.children[0].content[found.end() :]
            token.children.insert(0, _box(is_done=found[1] != " "))


def _box(*, is_done: bool) -> Token:
    checked = " checked" if is_done else ""
    label = "done" if is_done else "to do"
    content = f'<input type="checkbox" disabled{checked} aria-label="{label}"> '
    return Token("html_inline", "", 0, content=content)


def _code(self: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    language = token.info.strip().partition(" ")[0][:40]
    caption = f"<figcaption><span>{html.escape(language or 'text')}</span></figcaption>"
    body = highlighted(token.content, language.lower() if env["has_colours"] else "")
    return f'<figure class="code">{caption}<pre tabindex="0"><code>{body}</code></pre></figure>\n'
