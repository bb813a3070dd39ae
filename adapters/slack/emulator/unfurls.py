"""Owns link previews: which addresses of a post Slack fetches, and the cards that it then shows under it.

Slack looks for addresses when a message is posted, never when it is edited. Field observation: hermes-agent, pull request 97957.
Whether it does so for streams and for what one person alone sees is not known; here it does, so that an app is safe either way.
An address in code is left alone, and so is one without a scheme. Field observation: dam, issue 3499.
"""

import re
from typing import Any

from .registry import Call
from .workspace import Json, Message

ADDRESS = re.compile(r"https?://[^\s<>|()\[\]\"'`\\\u2060]+", re.IGNORECASE)
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
TEXTS = ("text", "url", "title", "fallback", "pretext", "value")


def unfurl(call: Call, message: Message) -> None:
    """Fetch what the message holds and show it as cards, unless the call says otherwise."""
    if all(str(call.args.get(name, True)).lower() == "false" for name in ("unfurl_links", "unfurl_media")):
        return
    show_previews(call.desk.fetched, message)


def show_previews(fetched: list[str], message: Message) -> None:
    """Fetch what a message that takes no `unfurl_links` holds."""
    found = addresses([message.text, message.markdown or "", message.blocks])
    known = {str(card.get("from_url")) for card in message.attachments}
    fetched += [one for one in found if one not in known]
    if found:
        message.attachments = [{"id": n, "from_url": one, "fallback": one} for n, one in enumerate(found, start=1)]


def addresses(node: Any) -> list[str]:
    """The addresses that Slack would fetch, each once."""
    return list(dict.fromkeys(one for text in _texts(node) for one in ADDRESS.findall(CODE.sub(" ", text))))


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, list):
        return [text for item in node for text in _texts(item)]
    if isinstance(node, dict):
        return _texts_of(node)
    return []


def _texts_of(node: Json) -> list[str]:
    style = node.get("style")
    if node.get("type") == "rich_text_preformatted" or (isinstance(style, dict) and style.get("code")):
        return []
    return [text for key, value in node.items() if key in TEXTS or not isinstance(value, str) for text in _texts(value)]
