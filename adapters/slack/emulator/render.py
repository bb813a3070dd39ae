"""Owns how messages look on the page: Markdown, mrkdwn, rich text and blocks as HTML. Pure."""

import re
from collections.abc import Callable
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from .mrkdwn import unescape
from .workspace import Json

EMOJI = {
    "+1": "👍", "-1": "👎", "thumbsup": "👍", "thumbsdown": "👎", "heart": "❤️", "tada": "🎉", "eyes": "👀",
    "white_check_mark": "✅", "x": "❌", "wave": "👋", "smile": "😄", "rocket": "🚀", "fire": "🔥", "warning": "⚠️",
    "hourglass_flowing_sand": "⏳", "bulb": "💡", "memo": "📝", "robot_face": "🤖", "speech_balloon": "💬", "gear": "⚙️",
    "mag": "🔍", "art": "🎨", "microphone": "🎤", "loud_sound": "🔊", "arrows_counterclockwise": "🔄", "trash": "🗑️",
}  # fmt: skip
MENTION = re.compile(r"&lt;(@[UW][A-Z0-9]+|#[CG][A-Z0-9]+|!subteam\^[A-Z0-9]+|![a-z]+)(?:\|([^&]*))?&gt;")
CONTROL = re.compile(r"<([^<>|\n]+)(?:\|([^<>\n]*))?>")
HELD = re.compile(r"\x00(\d+)\x00")
CODE = re.compile(r"```\n?(.*?)```|`([^`\n]+)`", re.DOTALL)
STYLES = ((r"\*(\S(?:.*?\S)?)\*", "strong"), (r"_(\S(?:.*?\S)?)_", "em"), (r"~(\S(?:.*?\S)?)~", "s"))
BUTTON_CLASSES = {"primary": "primary", "danger": "danger"}


class Renderer:
    """Renders with the names of people and channels filled in.

    name_of: gives what to show for `@U...`, `#C...` and `!here`. file_url: gives the page's address of a file id.
    """

    def __init__(self, name_of: Callable[[str], str], file_url: Callable[[str], str]) -> None:
        self._name_of, self._file_url = name_of, file_url
        self._markdown = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True, "highlight": _code})
        self._markdown.enable(["table", "strikethrough"])

    def markdown(self, text: str) -> str:
        """Standard Markdown as HTML."""
        return self._mentions(str(self._markdown.render(text)))

    def mrkdwn(self, text: str) -> str:
        """Slack's own mrkdwn as HTML; it comes with `&`, `<`, `>` escaped, and is shown unescaped."""
        html, end = "", 0
        for match in CODE.finditer(text):
            html += self._inline(text[end : match.start()])
            block, code = match.groups()
            html += f"<pre>{_code(unescape(block), '')}</pre>" if block is not None else f"<code>{_safe(code)}</code>"
            end = match.end()
        return f"<p>{html + self._inline(text[end:])}</p>" if text else ""

    def _inline(self, text: str) -> str:
        held: list[str] = []

        def hold(match: re.Match[str]) -> str:
            held.append(self._control(match.group(1), match.group(2)))
            return f"\x00{len(held) - 1}\x00"

        html = escape(unescape(CONTROL.sub(hold, text)), quote=False)
        for pattern, tag in STYLES:
            html = re.sub(rf"(?<![\w&;/]){pattern}(?!\w)", rf"<{tag}>\1</{tag}>", html)
        html = re.sub(r":([a-z0-9_+-]+):", lambda m: EMOJI.get(m.group(1), m.group(0)), html)
        return HELD.sub(lambda m: held[int(m.group(1))], html).replace("\n", "<br>")

    def _control(self, target: str, label: str | None) -> str:
        if target.startswith(("@", "#", "!")):
            return f'<span class="mention">{escape(label or self._name_of(target))}</span>'
        shown = escape(unescape(label or target))
        return f'<a href="{_href(unescape(target))}" rel="noreferrer" target="_blank">{shown}</a>'

    def _mentions(self, html: str) -> str:
        def chip(match: re.Match[str]) -> str:
            return f'<span class="mention">{escape(match.group(2) or self._name_of(match.group(1)))}</span>'

        return MENTION.sub(chip, html)

    # -- blocks

    def blocks(self, blocks: list[Json], values: Json | None = None) -> str:
        """Blocks as HTML; elements carry `data-action`, for the page to act on. values: errors of a modal, by block."""
        return "".join(self._block(block, values or {}) for block in blocks)

    def _block(self, block: Json, errors: Json) -> str:
        make = getattr(self, f"_block_{block['type']}", None)
        if make is None:
            return f'<div class="block unknown">{escape(block["type"])}</div>'
        html = make(block)
        problem = errors.get(block.get("block_id", ""))
        html += f'<div class="problem" role="alert">{escape(problem)}</div>' if problem else ""
        return f'<div class="block {block["type"]}" data-block="{escape(block.get("block_id", ""))}">{html}</div>'

    def _text(self, text: Json | None) -> str:
        if not text:
            return ""
        if text["type"] == "mrkdwn":
            return self.mrkdwn(text["text"])
        shown = re.sub(r":([a-z0-9_+-]+):", lambda m: EMOJI.get(m.group(1), m.group(0)), text["text"])
        return escape(shown).replace("\n", "<br>")

    def _block_section(self, block: Json) -> str:
        fields = "".join(f"<div>{self._text(field)}</div>" for field in block.get("fields", []))
        html = self._text(block.get("text")) + (f'<div class="fields">{fields}</div>' if fields else "")
        accessory = self._element(block["accessory"]) if block.get("accessory") else ""
        return f'<div class="grow">{html}</div>{accessory}'

    def _block_header(self, block: Json) -> str:
        return f"<h3>{self._text(block['text'])}</h3>"

    def _block_divider(self, block: Json) -> str:
        return "<hr>"

    def _block_image(self, block: Json) -> str:
        title = f"<figcaption>{self._text(block['title'])}</figcaption>" if block.get("title") else ""
        return f"<figure>{title}{self._element({**block, 'type': 'image'})}</figure>"

    def _block_context(self, block: Json) -> str:
        parts = [self._element(each) if each["type"] == "image" else self._text(each) for each in block["elements"]]
        return "".join(f"<span>{part}</span>" for part in parts)

    def _block_actions(self, block: Json) -> str:
        return "".join(self._element(element) for element in block["elements"])

    _block_context_actions = _block_actions

    def _block_markdown(self, block: Json) -> str:
        return self.markdown(block["text"])

    def _block_rich_text(self, block: Json) -> str:
        return "".join(self._rich(element) for element in block["elements"])

    def _block_input(self, block: Json) -> str:
        optional = " <small>(optional)</small>" if block.get("optional") else ""
        hint = f"<small>{self._text(block['hint'])}</small>" if block.get("hint") else ""
        return f"<label>{self._text(block['label'])}{optional}{self._element(block['element'])}</label>{hint}"

    def _block_table(self, block: Json) -> str:
        rows = [[self._cell(cell) for cell in row] for row in block["rows"]]
        head = "".join(f"<th>{cell}</th>" for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cell(self, cell: Json) -> str:
        return escape(str(cell.get("text", ""))) if cell["type"] != "rich_text" else self._block_rich_text(cell)

    def _block_task_card(self, block: Json) -> str:
        details = "".join(
            f"<div>{self._task_text(block[name])}</div>" for name in ("details", "output") if block.get(name)
        )
        links = "".join(
            f'<a class="source" href="{_href(each.get("url", ""))}">{escape(each.get("text") or each["url"])}</a>'
            for each in block.get("sources") or []
        )
        mark = f'<span class="task-mark {block["status"]}" role="img" aria-label="{block["status"]}"></span>'
        return f"{mark}<div><b>{escape(block['title'])}</b>{details}{links}</div>"

    def _task_text(self, value: Any) -> str:
        return self._block_rich_text(value) if isinstance(value, dict) else escape(str(value))

    def _block_plan(self, block: Json) -> str:
        tasks = "".join(
            f'<div class="block task_card">{self._block_task_card(task)}</div>' for task in block.get("tasks", [])
        )
        return f"<b>{escape(str(block['title']))}</b>{tasks}"

    def _rich(self, element: Json) -> str:
        inner = "".join(self._rich_piece(piece) for piece in element["elements"])
        if element["type"] == "rich_text_list":
            tag = "ol" if element.get("style") == "ordered" else "ul"
            items = "".join(f"<li>{self._rich(item)}</li>" for item in element["elements"])
            return f"<{tag}>{items}</{tag}>"
        if element["type"] == "rich_text_preformatted":
            return f"<pre>{inner}</pre>"
        return f"<blockquote>{inner}</blockquote>" if element["type"] == "rich_text_quote" else f"<p>{inner}</p>"

    def _rich_piece(self, piece: Json) -> str:
        kind = piece.get("type")
        if kind == "text":
            return _styled(escape(piece["text"]).replace("\n", "<br>"), piece.get("style", {}))
        if kind == "link":
            return f'<a href="{_href(piece["url"])}">{escape(piece.get("text") or piece["url"])}</a>'
        if kind == "emoji":
            return EMOJI.get(piece["name"], f":{escape(piece['name'])}:")
        marks = {"user": "@", "channel": "#", "broadcast": "!", "usergroup": "!subteam^"}
        named = piece.get("user_id") or piece.get("channel_id") or piece.get("usergroup_id") or piece.get("range")
        return f'<span class="mention">{escape(self._name_of(marks.get(str(kind), "") + str(named)))}</span>'

    # -- elements

    def _element(self, element: Json) -> str:
        kind, action = element["type"], escape(element.get("action_id", ""))
        if kind == "image":
            return self._picture(element)
        if kind == "button":
            style = BUTTON_CLASSES.get(element.get("style", ""), "")
            label = self._text(element["text"])
            return f'<button type="button" class="act {style}" data-action="{action}">{label}</button>'
        if kind == "icon_button":
            icon = EMOJI.get(element.get("icon", ""), "•")
            label = escape(element.get("text", {}).get("text", element.get("icon", "")))
            return f'<button type="button" class="act icon" data-action="{action}" title="{label}">{icon}</button>'
        if kind == "feedback_buttons":
            return self._feedback(element, action)
        if kind in (
            "static_select",
            "external_select",
            "radio_buttons",
            "overflow",
            "multi_static_select",
            "checkboxes",
        ):
            return self._choice(element, action)
        return self._field(element, action)

    def _picture(self, element: Json) -> str:
        alt, held = escape(element.get("alt_text", "")), element.get("slack_file") or {}
        source = self._file_url(held.get("id") or held.get("url") or element.get("image_url", ""))
        return f'<img src="{escape(source)}" alt="{alt}">' if source else f'<span class="offline">🖼 {alt}</span>'

    def _feedback(self, element: Json, action: str) -> str:
        sides = ((element["positive_button"], "up"), (element["negative_button"], "down"))
        return "".join(
            f'<button type="button" class="act icon" data-action="{action}" data-value="{escape(side["value"])}" '
            f'title="{escape(side["text"]["text"])}"><i class="i {icon}"></i></button>'
            for side, icon in sides
        )

    def _choice(self, element: Json, action: str) -> str:
        groups = element.get("option_groups") or [{"options": element.get("options", [])}]
        options = [option for group in groups for option in group["options"]]
        chosen = [each["value"] for each in element.get("initial_options", [])]
        chosen += [element["initial_option"]["value"]] if element.get("initial_option") else []
        several = " multiple" if element["type"] in ("multi_static_select", "checkboxes") else ""
        first = "" if several else f"<option value=''>{self._text(element.get('placeholder')) or '…'}</option>"
        items = "".join(
            f'<option value="{escape(each["value"])}"{" selected" if each["value"] in chosen else ""}>'
            f"{escape(each['text']['text'])}</option>"
            for each in options
        )
        return f'<select class="act" data-action="{action}"{several}>{first}{items}</select>'

    def _field(self, element: Json, action: str) -> str:
        held, hint = (
            escape(str(element.get("initial_value", ""))),
            escape(element.get("placeholder", {}).get("text", "")),
        )
        if element.get("multiline"):
            return f'<textarea class="act" data-action="{action}" placeholder="{hint}" rows="4">{held}</textarea>'
        kinds = {"datepicker": "date", "timepicker": "time", "number_input": "number", "email_text_input": "email"}
        kind = kinds.get(element["type"], "text")
        return f'<input class="act" type="{kind}" data-action="{action}" placeholder="{hint}" value="{held}">'


def _safe(text: str) -> str:
    return escape(unescape(text))


def _href(url: str) -> str:
    return escape(url) if url.startswith(("http://", "https://", "mailto:")) else "#"


def _styled(html: str, style: Json) -> str:
    for name, tag in (("code", "code"), ("bold", "strong"), ("italic", "em"), ("strike", "s")):
        html = f"<{tag}>{html}</{tag}>" if style.get(name) else html
    return html


def _code(code: str, language: str, attributes: str = "") -> str:
    """Code as highlighted HTML for inside `<pre>`; plain when the language is unknown."""
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        return escape(code)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def code_css() -> str:
    """The colours of code, for a light and a dark screen."""
    light, dark = (_style(name) for name in ("default", "monokai"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\npre {{ background: none }}"


def _style(name: str) -> str:
    return str(HtmlFormatter(style=name).get_style_defs("pre"))  # type: ignore[no-untyped-call]
