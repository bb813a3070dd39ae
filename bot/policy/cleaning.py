"""What people write, without letters that no database keeps."""

from __future__ import annotations

from dataclasses import replace

from bot.types import Command, Edit, Inbound, InboundMessage, clean_text


def cleaned(inbound: Inbound) -> Inbound:
    """Without letters that cannot be kept, in what a person can write."""
    author = replace(inbound.author, name=clean_text(inbound.author.name))
    if author != inbound.author:
        inbound = replace(inbound, author=author)
    if isinstance(inbound, InboundMessage | Command | Edit) and clean_text(inbound.text) != inbound.text:
        inbound = replace(inbound, text=clean_text(inbound.text))
    return inbound
