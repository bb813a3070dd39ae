"""The words of a web page, as lines of text with Markdown's marks for headings, lists, links and tables."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

MAX_CHARS = 4_000_000
"""Of the source: the rest of a longer page is not looked at."""
BREAKS = frozenset(
    {"p", "br", "div", "li", "tr", "section", "article", "ul", "ol", "table", "pre", "blockquote", "dt", "dd", "form"}
)
SKIPPED = frozenset({"script", "style", "noscript", "template", "svg", "head"})
KEPT_SPACE = "\ue000"
"""Stands for a space of preformatted text, until all others are tidied."""
HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


def words(html: str) -> tuple[str, str]:
    """The text and the title. Scripts and styles are left out; broken markup is read as a browser would, more or less.

    Read by libxml2: the standard library's html.parser takes minutes for a few kilobytes of `<a <a <a`.
    """
    page = _Page()
    parser = etree.HTMLParser(target=page, huge_tree=True)
    parser.feed(html)
    parser.close()
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(page.words).split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return text.replace(KEPT_SPACE, " "), " ".join("".join(page.title).split())


class _Page:
    """Hears of the tags and the text in their order."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.title: list[str] = []
        self._skipped = ""
        self._in_title = False
        self._is_verbatim = False

    def start(self, tag: str, attributes: Any) -> None:
        """A tag was opened."""
        if tag == "body":  # a head that was never closed
            self._skipped = ""
        if tag in SKIPPED and not self._skipped:
            self._skipped = tag
        self._in_title = tag == "title" and self._skipped in ("", "head")
        if self._skipped:
            return
        self._is_verbatim = self._is_verbatim or tag == "pre"
        if tag in HEADINGS:
            self.words.append(f"\n\n{HEADINGS[tag]} ")
        elif tag in BREAKS:
            self.words.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.words.append(" | ")
        elif tag == "img" and (described := attributes.get("alt")):
            self.words.append(f"[{described}]")

    def end(self, tag: str) -> None:
        """A tag was closed, by the page or by the parser."""
        if tag == self._skipped:
            self._skipped = ""
        self._in_title = self._in_title and tag != "title"
        self._is_verbatim = self._is_verbatim and tag != "pre"
        if tag in HEADINGS or tag in ("p", "table", "ul", "ol", "pre"):
            self.words.append("\n\n" if not self._skipped else "")

    def data(self, data: str) -> None:
        """Text."""
        if self._in_title:
            self.title.append(data)
        elif not self._skipped:
            self.words.append(data.replace(" ", KEPT_SPACE) if self._is_verbatim else re.sub(r"\s+", " ", data))

    def close(self) -> None:
        """The page has ended."""
