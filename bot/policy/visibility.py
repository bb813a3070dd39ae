"""Who may see: what a model reads of a conversation, and which answers are for one person's eyes."""

from __future__ import annotations

from collections.abc import Mapping

from bot.types import Command, CommandSpec, InboundMessage


def concerns_one_person(inbound: InboundMessage | Command, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether it is a command whose answer concerns only the person who gave it, such as `/usage`, wherever it was given."""
    return isinstance(inbound, Command) and inbound.name in commands and commands[inbound.name].is_private


def is_private_answer(inbound: InboundMessage | Command, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether the answer is for the asker's eyes only: asked for in private, or by a command that concerns only its author."""
    return inbound.ephemeral or concerns_one_person(inbound, commands)


def is_in_context(inbound: InboundMessage | Command, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether the model reads it and its answer when the conversation goes on.

    Not what only its author sees in a place shared with others, nor a command that concerns only its author.
    """
    if concerns_one_person(inbound, commands):
        return False
    return inbound.is_direct or not inbound.ephemeral
