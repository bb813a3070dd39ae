"""What a slash command is: a function from its context to the events of its reply, and how platforms show it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.engine.draft import Draft
from bot.engine.runtime import Runtime
from bot.errors import UsageError
from bot.ports import Adapter
from bot.types import CommandOption, CommandSpec, Message, ReplyEvent, Turn

TEXT = CommandOption("text", "What to do it with", required=True)
FILE = CommandOption("file", "A file to go with it", is_attachment=True)
_MENTIONED = re.compile(r"(?<![\w/.:])/([a-z]+)\b")


@dataclass(frozen=True)
class CommandContext:
    """What a command may use."""

    turn: Turn
    text: str
    """All after the command's name."""
    user: Message
    """The command with its attachments understood."""
    history: Sequence[Message]
    runtime: Runtime
    draft: Draft
    """The reply so far. Its text and parts come from the events; a command sets the rest, such as the model."""
    commands: Mapping[str, CommandSpec]
    """Every command there is, for those that speak of others."""


CommandFunction = Callable[[CommandContext], AsyncGenerator[ReplyEvent]]
"""The events of the reply, without Done. Raises UsageError for a wrong use, also while they come."""


@dataclass(frozen=True)
class SlashCommand:
    """A command, the same on every platform."""

    spec: CommandSpec
    run: CommandFunction


def command(
    summary: str,
    usage: str = "",
    options: Sequence[CommandOption] = (),
    *,
    is_private: bool = False,
    begins_anew: bool = False,
    is_free: bool = False,
) -> Callable[[CommandFunction], SlashCommand]:
    """Make a function the slash command of its name. The package lists all of them: see `COMMANDS`."""

    def make(function: CommandFunction) -> SlashCommand:
        name = function.__name__.rstrip("_")
        return SlashCommand(
            CommandSpec(name, summary, usage, tuple(options), is_private, begins_anew, is_free), function
        )

    return make


def with_platform_command_names(text: str, adapter: Adapter, names: Collection[str]) -> str:
    """The text with each `/command` in it as people write it on this platform."""
    return _MENTIONED.sub(lambda found: adapter.command_name(found[1]) if found[1] in names else found[0], text)


def require_text(text: str, usage: str) -> str:
    """The text without white space around it; raises UsageError that shows the right way when nothing is left."""
    if not text.strip():
        raise UsageError(f"Write it like this: {usage}")
    return text.strip()
