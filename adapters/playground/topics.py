"""The bus topics of the page. Each carries messages of one conversation."""

from __future__ import annotations


def answers(channel: str) -> str:
    """Return the topic on which the answering process tells the pages how an answer begins, grows and ends."""
    return f"playground:{channel}"


def late_pages(channel: str) -> str:
    """Return the topic on which pages that came late ask the answering process for the text so far."""
    return f"playground-ask:{channel}"
