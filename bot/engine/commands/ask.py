"""Commands that ask the model: /ask and /summarize."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from bot.engine.commands.registry import FILE, TEXT, CommandContext, command, require_text
from bot.engine.compose import compose
from bot.engine.respond import respond
from bot.errors import UsageError
from bot.types import Audio, File, Image, Message, Quoted, ReplyEvent, Text

SUMMARY_PROMPT = (
    "Sum up {what}: first the gist in a sentence, then the main points, decisions, and open questions as short lists."
)


@command("Ask the model; the answer goes on in this conversation.", "TEXT", (TEXT, FILE))
def ask(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """As if it had been said."""
    others = tuple(part for part in context.user.parts if not isinstance(part, Text))
    if not others:
        require_text(context.text, "/ask TEXT")
    return _ask_model(context, replace(context.user, parts=(Text(context.text), *others)), context.history)


@command("Sum up this conversation, or a text or file.", "[TEXT]", (replace(TEXT, required=False), FILE))
def summarize(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Main points, decisions and open questions."""
    given = tuple(part for part in context.user.parts if isinstance(part, File | Audio | Image))
    history: Sequence[Message] = ()
    if context.text.strip() or given:
        what = "the following"
    elif context.history:
        what, history = "our conversation so far", context.history
    else:
        raise UsageError("There is nothing to sum up here yet. Write /summarize TEXT, or attach a file.")
    text = (Quoted(context.text.strip(), "text"),) if context.text.strip() else ()
    quoted = tuple(part for part in context.user.parts if isinstance(part, Quoted))
    parts = (Text(SUMMARY_PROMPT.format(what=what)), *text, *quoted, *given)
    return _ask_model(context, replace(context.user, parts=parts), history)


def _ask_model(context: CommandContext, user: Message, history: Sequence[Message]) -> AsyncGenerator[ReplyEvent]:
    turn, runtime = context.turn, context.runtime
    profile = runtime.models.chat(turn.settings).profile
    instructions, is_shared = runtime.prompt_for(turn.settings), not turn.inbound.is_direct
    prompt = compose(history, user, turn.settings, profile, instructions, runtime.clock.now(), is_shared=is_shared)
    return respond(turn, prompt, runtime, context.draft)
