"""The bus topics of the page. Each carries messages of one conversation."""

from __future__ import annotations


def answers(channel: str) -> str:
    """What the answering process tells the pages: how an answer begins, grows and ends."""
    return f"playground:{channel}"


def late_pages(channel: str) -> str:
    """Pages that came late ask the answering process here for the text so far."""
    return f"playground-ask:{channel}"
