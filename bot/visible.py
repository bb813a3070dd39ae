"""Control characters made visible, so that no text forges a line of the log or commands a terminal."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 with escape and newline, DEL, C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # directions, and what has no width
    "\u2028\u2029"  # ends of lines
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"  # annotations, halves of letters, tags
)


def visible(text: str) -> str:
    """The text as one line: what would move, hide or turn other text is written as its escape, such as `\\n` or `\\x1b`."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def visible_lines(text: str, indent: str = "") -> str:
    """The same for a text of several lines, which stay; each begins with the indent."""
    return "\n".join(indent + visible(line) for line in text.split("\n"))
