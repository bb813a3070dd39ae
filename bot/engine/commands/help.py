"""/help: the commands, and which models answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bot.engine.commands.registry import CommandContext, command, with_platform_command_names
from bot.types import ReplyEvent, TextDelta


@command("Show what I can do.", is_private=True, is_free=True)
async def help_(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Commands, and what is on and off here."""
    lines = ["Write to me, send a picture, a file or a voice note, and I answer. Commands:", ""]
    lines += [
        f"- `/{spec.name}{' ' + spec.usage if spec.usage else ''}` {spec.summary}" for spec in context.commands.values()
    ]
    chosen = context.runtime.models.chosen
    lines += ["", "Models: " + ", ".join(f"{modality} {name or 'off'}" for modality, name in chosen.items()) + "."]
    adapter = context.runtime.adapter_for(context.turn.inbound)
    yield TextDelta(with_platform_command_names("\n".join(lines), adapter, context.commands))
