"""Who is called by name in an answer: nobody but those whom the asker named, whatever a model writes. Pure, and linear.

Slack reads `<@U…>`, `<!here>` and the like as calls wherever they stand in a text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

JOINER = "\u2060"
"""Stands behind a sign that is to call nobody: unseen, and no place to break a line."""
HELD_BACK = 80
"""Characters at the end of a growing text that may still become a call; no name is longer. Source: Slack, display name: 80."""
EVERYONE = ("here", "channel", "everyone")
_HEAD = r"<(?:@(?P<person>[A-Z0-9]+)|!subteam\^(?P<group>[A-Z0-9]+)|!(?P<special>[a-z]+))"
_SIGNS = r"[*_~`\\\u200b-\u200d]{0,6}"
"""What a reader of Markdown may take away within a call."""
_WORDS = "|".join(_SIGNS.join(word) for word in (*EVERYONE, "group", "subteam"))
_BEGINS = "|".join(
    (
        r"(?:@[A-Z0-9]+|!subteam\^[A-Z0-9]+|![a-z]+)[|^]",
        rf"{_SIGNS}@{_SIGNS}[UW]{_SIGNS}[A-Z0-9]",
        rf"{_SIGNS}!{_SIGNS}(?:{_WORDS})(?![a-z])",
    )
)
_CALL = re.compile(rf"{_HEAD}(?:[|^](?P<label>[^<>\n]*))?>|<(?={_BEGINS})")
"""A call, or what begins as one: with another call in it, with a `<` or a line's end in its label, with signs of Markdown."""


def escape_mentions(text: str, allowed: Collection[str]) -> str:
    """The text without calls that would ping anybody but the allowed, who are pinged by their names too.

    allowed: ids of people and groups, or here, channel, everyone; as a mapping with the people's names.
    """
    return _resolve_names(_CALL.sub(lambda found: _escape(found, allowed), text), allowed)


def _escape(call: re.Match[str], allowed: Collection[str]) -> str:
    person, group, special = call["person"], call["group"], call["special"]
    named = person or group or special
    if not named:
        return f"<{JOINER}"
    if named in allowed and (person or group or special in EVERYONE):
        return call[0]
    return f"@{JOINER}{(call['label'] or '').lstrip('@') or named}"


def _names(allowed: Collection[str]) -> dict[str, str]:
    """Ids of people by their names in small letters."""
    named = allowed.items() if isinstance(allowed, Mapping) else ()
    return {str(name).casefold(): id_ for id_, name in named if name}


def _resolve_names(text: str, allowed: Collection[str]) -> str:
    """With `@Name` of the allowed as their call, but in code: the model knows people by their names alone."""
    names = _names(allowed)
    if not names:
        return text
    any_name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = rf"```.*?(?:```|\Z)|`[^`\n]*+`|(?<![\w@])@({any_name})(?!\w|[.-]\w)"

    def call(found: re.Match[str]) -> str:
        return f"<@{names[found[1].casefold()]}>" if found[1] else found[0]

    return re.sub(pattern, call, text, flags=re.DOTALL | re.IGNORECASE)


def stable(text: str, allowed: Collection[str] = ()) -> str:
    """As much of a growing text as will not read differently once more comes: not half a call, nor half a name."""
    at = text.rfind("@", -HELD_BACK - 1)
    tail = text[at:].casefold() if at >= 0 else ""
    if tail and any(f"@{name}".startswith(tail.rstrip(".-")) for name in _names(allowed)):
        text = text[:at]
    at = text.rfind("<", -HELD_BACK)
    return text[:at] if at >= 0 and ">" not in text[at:] and "\n" not in text[at:] else text
