"""Slash commands: one function each, the same on every platform; they travel as messages do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from bot.engine.commands import ask, media, privacy, search, settings, usage
from bot.engine.commands import help as help_command
from bot.engine.commands.registry import CommandContext, SlashCommand, with_platform_command_names
from bot.engine.commands.settings import Chooser, set_setting
from bot.engine.commands.usage import usage_table
from bot.errors import StoppedError, UsageError
from bot.types import CommandSpec, ReplyEvent

COMMANDS: tuple[SlashCommand, ...] = (
    ask.ask,
    media.imagine,
    media.say,
    media.transcribe,
    ask.summarize,
    search.search,
    settings.settings,
    settings.persona,
    usage.usage,
    privacy.reset,
    privacy.forget,
    help_command.help_,
)
"""Every command, in the order to show. A new one is written in a file of this package and listed here."""
SPECS: Mapping[str, CommandSpec] = {command.spec.name: command.spec for command in COMMANDS}
_BY_NAME: Mapping[str, SlashCommand] = {command.spec.name: command for command in COMMANDS}


async def run_command(context: CommandContext, name: str) -> AsyncGenerator[ReplyEvent]:
    """The events of the command's reply. Raises UsageError for an unknown command or a wrong use, in the platform's spelling."""
    if name not in _BY_NAME:
        raise UsageError(f"There is no command /{name}. /help lists what there is.")
    try:
        async with aclosing(_BY_NAME[name].run(context)) as events:
            async for event in events:
                yield event
    except StoppedError:
        context.draft.stopped = True
    except UsageError as error:
        adapter = context.runtime.adapter_for(context.turn.inbound)
        error.text = with_platform_command_names(error.text, adapter, SPECS)
        raise


__all__ = [
    "COMMANDS",
    "SPECS",
    "Chooser",
    "CommandContext",
    "run_command",
    "set_setting",
    "usage_table",
    "with_platform_command_names",
]
