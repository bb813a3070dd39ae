"""/settings and /persona: how Parley answers a person, in a conversation or in a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from bot.engine.commands.registry import CommandContext, command
from bot.engine.personas import OFF, known_persona
from bot.engine.runtime import Models, Runtime
from bot.errors import UsageError
from bot.policy.permissions import may_set
from bot.policy.settings import MODEL_DEPENDENT, SCOPE_WORDS, SETTINGS, known_name, parse_setting, scopes
from bot.store import Transaction, tenants
from bot.types import Address, CommandOption, ReplyEvent, Scope, Settings, TextDelta


@command(
    "Show or change how I answer.",
    "[set NAME VALUE | reset [NAME]] [for here, channel or me]",
    (
        CommandOption("action", "What to do", choices=("show", "set", "reset")),
        CommandOption("name", "Which setting", choices=tuple(SETTINGS)),
        CommandOption("value", "Its value"),
        CommandOption("scope", "For whom it holds", choices=("here", "channel", "me")),
    ),
    is_private=True,
)
async def settings(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Show, set and reset, for this conversation, the channel or the person."""
    words, scope = _scope(context.text.split())
    action = words[0].lower() if words else "show"
    if action == "show":
        yield TextDelta(await _shown(context))
    elif action == "reset":
        yield TextDelta(await _reset(context, scope, words[1] if len(words) > 1 else None))
    else:
        words = words[1:] if action == "set" else words
        if len(words) < 2:
            raise UsageError(
                "Write it like this: /settings set NAME VALUE, with `for channel` or `for me` behind it if you like."
            )
        yield TextDelta(await _set(context, scope, words[0], " ".join(words[1:])))


def _scope(words: list[str]) -> tuple[list[str], Scope]:
    """The words without `for SCOPE`, and the scope: this conversation unless said otherwise."""
    if len(words) >= 2 and words[-2].lower() == "for" and words[-1].lower() in SCOPE_WORDS:
        return words[:-2], SCOPE_WORDS[words[-1].lower()]
    return words, "conversation"


def _scope_id(context: CommandContext, scope: Scope) -> str:
    return dict(scopes(context.turn.inbound.address, context.turn.inbound.author.id))[scope]


async def _shown(context: CommandContext) -> str:
    inbound, turn = context.turn.inbound, context.turn
    async with context.runtime.store.read(turn.tenant_id) as tx:
        rows = await tenants.settings_rows(tx, scopes(inbound.address, inbound.author.id))
    merged = {name: scope for scope, chosen in rows.items() for name in chosen}
    configured = {
        "model": context.runtime.models.chosen.get("chat", ""),
        "system_prompt": context.runtime.system_prompt,
        "speech": "mirror",
        "follow": "thread",
    }
    lines = ["| setting | value | from | meaning |", "|---|---|---|---|"]
    for name, spec in SETTINGS.items():
        value = getattr(turn.settings, name)
        shown = configured.get(name, "") if value is None else str(value)
        lines.append(f"| {name} | {_cell(shown) or '–'} | {merged.get(name, 'default')} | {spec.summary} |")
    models = ", ".join(context.runtime.models.available())
    return "\n".join(lines) + f"\n\nChange one by `/settings set NAME VALUE`. Models here: {models}."


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "\\|")
    return flat if len(flat) <= 60 else f"{flat[:57]}…"


async def _set(context: CommandContext, scope: Scope, name: str, text: str) -> str:
    turn, runtime = context.turn, context.runtime
    async with runtime.store.begin(turn.tenant_id) as tx:
        return await set_setting(tx, runtime, turn.inbound.address, turn.inbound.author.id, scope, name, text)


async def _reset(context: CommandContext, scope: Scope, name: str | None) -> str:
    turn, runtime = context.turn, context.runtime
    if name is not None:
        async with runtime.store.begin(turn.tenant_id) as tx:
            return await set_setting(tx, runtime, turn.inbound.address, turn.inbound.author.id, scope, name, "")
    async with runtime.store.begin(turn.tenant_id) as tx:
        count = await tenants.reset_settings(tx, scope, _scope_id(context, scope))
    return "Everything is as configured again." if count else "Nothing was changed: it was as configured already."


async def set_setting(
    tx: Transaction, runtime: Runtime, address: Address, author_id: str, scope: Scope, name: str, text: str
) -> str:
    """Set a setting, or reset it when the text is empty; gives the sentence for the person. Raises UsageError, UnavailableError."""
    if not may_set(scope):
        raise UsageError("Only those who manage this place can set that for all.")
    scope_id = dict(scopes(address, author_id))[scope]
    if not text.strip():
        name = known_name(name)
        count = await tenants.reset_settings(tx, scope, scope_id, name)
        return f"{name} is as configured again." if count else f"{name} was as configured already."
    name, value = parse_setting(name, text)
    if name == "persona":
        value = known_persona(text, runtime.personas)
    chosen = await tenants.effective_settings(tx, address, author_id)
    warning = _setting_warning(runtime.models, replace(chosen, **{name: value}), name)
    await tenants.set_setting(tx, scope, scope_id, name, value)
    whom = {"conversation": "this conversation", "channel": "this channel", "person": "you"}[scope]
    return f"{name} is now `{text.strip()}` for {whom}.{warning}"


def _setting_warning(models: Models, chosen: Settings, name: str) -> str:
    """What the person should know about this value. Raises UnavailableError for a model that is not there."""
    profile = models.chat(chosen).profile
    lacking = [one for one in MODEL_DEPENDENT if one not in (*profile.settings, "stop")]
    if name in lacking:
        return f" The model {profile.name} does not take it, though: it will be left out until another model answers."
    if name == "persona" and chosen.system_prompt:
        return " A system_prompt is set here too, and comes first: `/settings reset system_prompt` takes it back."
    set_before = [one for one in lacking if getattr(chosen, one) is not None] if name == "model" else []
    if set_before:
        return f" It does not take {' and '.join(set_before)}, which will be left out until another model answers."
    return ""


@command(
    "Choose who answers in this conversation, or see who can.",
    "[NAME | default]",
    (CommandOption("persona", "Who answers"),),
    is_private=True,
)
async def persona(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Ways of answering, to choose from by name."""
    known = context.runtime.personas
    if context.text.strip():
        name = known_persona(context.text, known)
        said = await (
            _set(context, "conversation", "persona", name) if name else _reset(context, "conversation", "persona")
        )
        yield TextDelta(said)
        return
    now = context.turn.settings.persona or OFF
    lines = [f"- `{name}` {' '.join(text.split())}" for name, text in known.items()]
    yield TextDelta("\n".join([f"Now answers: `{now}`. There are:", "", *lines, "", f"`/persona {OFF}` chooses none."]))
