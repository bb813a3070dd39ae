"""/settings and /persona: how Parley answers a person, in a conversation or in a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from bot.engine.commands.registry import CommandContext, command
from bot.engine.personas import OFF, known_persona
from bot.engine.runtime import Models, Runtime
from bot.errors import UsageError
from bot.policy.changes import SettingsChange, settings_change
from bot.policy.permissions import is_shared_choice, may_set
from bot.policy.settings import MODEL_DEPENDENT, SETTINGS, known_name, parse_setting, scopes
from bot.store import Transaction, tenants
from bot.types import Address, Author, Command, CommandOption, ReplyEvent, Scope, Settings, TextDelta


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
    is_free=True,
)
async def settings(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Show, set and reset, for this conversation, the channel or the person."""
    change = settings_change(_command(context))
    yield TextDelta(await (_change(context, change) if change else _shown(context)))


def _command(context: CommandContext) -> Command:
    inbound = context.turn.inbound
    assert isinstance(inbound, Command)  # only commands are run as such
    return inbound


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


async def _change(context: CommandContext, change: SettingsChange) -> str:
    command, runtime = _command(context), context.runtime
    asked = Chooser(command.author, command.address, is_direct=command.is_direct)
    async with runtime.store.begin(context.turn.tenant_id) as tx:
        if not change.name:
            return await _reset_all(tx, asked, change.scope)
        return await set_setting(tx, runtime, asked, change.scope, change.name, change.value)


@dataclass(frozen=True)
class Chooser:
    """Who chooses a setting, and where."""

    author: Author
    address: Address
    is_direct: bool = False

    def scope_id(self, scope: Scope) -> str:
        """The id of the scope here. Raises UsageError when this person may not choose for it."""
        if not may_set(scope, self.author, self.address, is_direct=self.is_direct):
            raise UsageError(
                "Only those who manage this channel can set that for everybody in it. `for me` behind it sets it for you alone."
            )
        return dict(scopes(self.address, self.author.id))[scope]

    def whom(self, scope: Scope) -> str:
        """For whom it holds, in words. Where others read it, whoever chose is named."""
        whom = {"conversation": "this conversation", "channel": "this channel", "person": "you"}[scope]
        is_shared = is_shared_choice(scope, is_direct=self.is_direct)
        return f"{whom}, as {self.author.name or 'somebody'} chose" if is_shared else whom


async def _reset_all(tx: Transaction, asked: Chooser, scope: Scope) -> str:
    count = await tenants.reset_settings(tx, scope, asked.scope_id(scope))
    whom = asked.whom(scope)
    return (
        f"Everything is as configured again for {whom}."
        if count
        else f"Nothing was changed for {whom}: it was as configured already."
    )


async def set_setting(tx: Transaction, runtime: Runtime, asked: Chooser, scope: Scope, name: str, text: str) -> str:
    """Set a setting, or reset it when the text is empty; gives the sentence for the person. Raises UsageError, UnavailableError."""
    scope_id, whom = asked.scope_id(scope), asked.whom(scope)
    if not text.strip():
        name = known_name(name)
        count = await tenants.reset_settings(tx, scope, scope_id, name)
        return (
            f"{name} is as configured again for {whom}." if count else f"{name} was as configured already for {whom}."
        )
    name, value = parse_setting(name, text)
    if name == "persona":
        value = known_persona(text, runtime.personas)
    chosen = await tenants.effective_settings(tx, asked.address, asked.author.id)
    warning = _setting_warning(runtime.models, replace(chosen, **{name: value}), name)
    await tenants.set_setting(tx, scope, scope_id, name, value)
    return f"{name} is now `{text.strip()}` for {whom}.{warning}"


def _setting_warning(models: Models, chosen: Settings, name: str) -> str:
    """What the person should know about this value. Raises UnavailableError for a model that is not there."""
    profile = models.chat(chosen).profile
    lacking = [one for one in MODEL_DEPENDENT if one not in (*profile.settings, "stop")]
    if name in lacking:
        return f" The model {profile.name} does not take it, though: it will be left out until another model answers."
    if name == "persona" and chosen.system_prompt:
        return " A system_prompt is set here too, and is told after it: `/settings reset system_prompt` takes it back."
    set_before = [one for one in lacking if getattr(chosen, one) is not None] if name == "model" else []
    if set_before:
        return f" It does not take {' and '.join(set_before)}, which will be left out until another model answers."
    return ""


@command(
    "Choose who answers in this conversation, or see who can.",
    "[NAME | default]",
    (CommandOption("persona", "Who answers"),),
    is_private=True,
    is_free=True,
)
async def persona(context: CommandContext) -> AsyncGenerator[ReplyEvent]:
    """Ways of answering, to choose from by name."""
    known = context.runtime.personas
    if change := settings_change(_command(context)):
        name = known_persona(change.value, known)
        yield TextDelta(await _change(context, replace(change, value=name)))
        return
    now = context.turn.settings.persona or OFF
    lines = [f"- `{name}` {' '.join(text.split())}" for name, text in known.items()]
    yield TextDelta("\n".join([f"Now answers: `{now}`. There are:", "", *lines, "", f"`/persona {OFF}` chooses none."]))
