"""Slash commands: one function each, the same on every platform; they travel as messages do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.engine import tools
from bot.engine.compose import compose
from bot.engine.personas import OFF, known_persona
from bot.engine.respond import Draft, respond
from bot.engine.runtime import Models, Runtime
from bot.engine.speak import speak
from bot.engine.streams import closing, unless
from bot.errors import StoppedError, UsageError
from bot.policy.permissions import forgettable_author
from bot.policy.settings import MODEL_DEPENDENT, SCOPE_WORDS, SETTINGS, known_name, parse_setting, scopes
from bot.ports import Adapter, ImageData
from bot.store import Transaction, deletion, ledger
from bot.store.search import search_messages
from bot.store.tenants import effective_settings, reset_settings, set_setting, settings_rows
from bot.types import (
    Address,
    Audio,
    CommandOption,
    CommandSpec,
    Done,
    File,
    Image,
    Message,
    PartReady,
    ReplyEvent,
    Scope,
    Settings,
    Status,
    Text,
    TextDelta,
    Turn,
)

HISTORY_LIMIT = 200
SEARCH_LIMIT = 10
SNIPPET = 160


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


CommandFunction = Callable[[CommandContext], AsyncIterator[ReplyEvent]]
SPECS: dict[str, CommandSpec] = {}
_COMMAND = re.compile(r"(?<![\w/.:])/([a-z]+)\b")
_functions: dict[str, CommandFunction] = {}


def command(
    summary: str,
    usage: str = "",
    options: Sequence[CommandOption] = (),
    *,
    is_private: bool = False,
    begins_anew: bool = False,
) -> Callable[[CommandFunction], CommandFunction]:
    """Make a function a slash command of its name. It yields the events of its reply; `run_command` adds Done."""

    def register(function: CommandFunction) -> CommandFunction:
        name = function.__name__.rstrip("_")
        SPECS[name] = CommandSpec(name, summary, usage, tuple(options), is_private, begins_anew)
        _functions[name] = function
        return function

    return register


async def run_command(context: CommandContext, name: str) -> AsyncIterator[ReplyEvent]:
    """The events of the command's reply, ending with Done. Raises UsageError for an unknown one."""
    if name not in _functions:
        raise UsageError(f"There is no command /{name}. /help lists what there is.")
    adapter = context.runtime.adapter_for(context.turn.inbound)
    try:
        async with closing(_functions[name](context)) as events:
            async for event in events:
                if isinstance(event, Done):
                    continue
                _keep(event, context.draft, name)
                yield event
    except StoppedError:
        context.draft.stopped = True
    except UsageError as error:
        error.text = spelled(error.text, adapter)
        raise
    yield Done(context.draft.reply())


def spelled(text: str, adapter: Adapter) -> str:
    """The text with each `/command` in it as this platform spells it: an adapter may say so by `command_name(name)`."""
    name_of: Callable[[str], str] | None = getattr(adapter, "command_name", None)
    if name_of is None:
        return text
    return _COMMAND.sub(lambda found: name_of(found[1]) if found[1] in SPECS else found[0], text)


def _keep(event: ReplyEvent, draft: Draft, name: str) -> None:
    """Commands that ask a model keep their own draft; the others' text and parts are kept here."""
    if name in ("ask", "summarize"):
        return
    if isinstance(event, TextDelta):
        draft.text += event.text
    elif isinstance(event, PartReady):
        draft.parts.append(event.part)


def _needed(text: str, usage: str) -> str:
    if not text.strip():
        raise UsageError(f"Write it like this: {usage}")
    return text.strip()


TEXT = CommandOption("text", "What to do it with", required=True)
FILE = CommandOption("file", "A file to go with it", is_attachment=True)


@command("Ask the model; the answer goes on in this conversation.", "TEXT", (TEXT, FILE))
async def ask(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """As if it had been said."""
    others = tuple(part for part in context.user.parts if not isinstance(part, Text))
    if not others:
        _needed(context.text, "/ask TEXT")
    user = replace(context.user, parts=(Text(context.text), *others))
    async with closing(_asked(context, user, context.history)) as events:
        async for event in events:
            yield event


async def _asked(context: CommandContext, user: Message, history: Sequence[Message]) -> AsyncIterator[ReplyEvent]:
    turn, runtime = context.turn, context.runtime
    profile = runtime.models.chat(turn.settings).profile
    prompt = compose(history, user, turn.settings, profile, runtime.prompt_for(turn.settings), runtime.clock.now())
    async with closing(respond(turn, prompt, runtime, context.draft)) as events:
        async for event in events:
            yield event


@command("Make a picture, or change the one that comes with it.", "WHAT IT SHOWS", (TEXT, FILE))
async def imagine(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """A picture from words, without a chat model in between."""
    prompt = _needed(context.text, "/imagine WHAT IT SHOWS, with a picture attached to change that one")
    attached = [part for part in context.user.parts if isinstance(part, Image)]
    blobs = context.runtime.blobs(context.turn)
    pictures = [ImageData(await blobs.read(image.blob), image.blob.mime_type) for image in attached]
    yield Status("Drawing…")
    using = tools.ToolContext(context.turn, context.runtime, context.history)
    stop = context.runtime.stops.of(context.turn.id)
    painted = await unless(stop, tools.paint(using, prompt, "auto", pictures))
    context.draft.notices += using.notices
    context.draft.model = context.runtime.models.name("image")
    for part in painted.parts:
        yield PartReady(part)


@command("Say a text aloud as a voice message.", "TEXT", (TEXT,))
async def say(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """The text as it is, spoken."""
    text = _needed(context.text, "/say TEXT")
    yield Status("Speaking…")
    clip, notices = await speak(context.turn, text, context.runtime, context.turn.settings.language or "")
    context.draft.notices += notices
    yield TextDelta(text)
    yield PartReady(clip)


@command(
    "Write down what is said in a voice note, or in the newest one here.",
    "[with a voice note, audio or video]",
    (FILE,),
)
async def transcribe(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """The transcript, with times when the model gives them."""
    heard = [part for part in context.user.parts if isinstance(part, Audio)] or _newest_audio(context.history)
    if not heard:
        raise UsageError("Attach a voice note, audio or video to /transcribe, or use it after one was sent here.")
    for part in heard:
        yield TextDelta(transcript_text(part, with_name=len(heard) > 1))


def _newest_audio(history: Sequence[Message]) -> list[Audio]:
    found = [part for message in history if message.role == "user" for part in message.parts if isinstance(part, Audio)]
    return found[-1:]


def transcript_text(part: Audio, *, with_name: bool) -> str:
    """A transcript as Markdown: with times where it is longer than a minute and they are known."""
    title = f"**{part.name}**\n" if with_name and part.name else ""
    if not part.transcript.strip():
        return f"{title}_No speech was heard._\n\n"
    if part.duration_s > 60 and part.segments:
        lines = (
            f"`{_clock(one.start_s)}` {f'{one.speaker}: ' if one.speaker else ''}{one.text.strip()}"
            for one in part.segments
        )
        return title + "\n".join(lines) + "\n\n"
    return f"{title}{part.transcript.strip()}\n\n"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return (
        f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
        if whole >= 3600
        else f"{whole // 60}:{whole % 60:02}"
    )


@command("Sum up this conversation, or a text or file.", "[TEXT]", (replace(TEXT, required=False), FILE))
async def summarize(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """Main points, decisions and open questions."""
    given = tuple(part for part in context.user.parts if isinstance(part, File | Audio | Image))
    history: Sequence[Message] = ()
    if context.text.strip() or given:
        what = "the following"
    elif context.history:
        what, history = "our conversation so far", context.history
    else:
        raise UsageError("There is nothing to sum up here yet. Write /summarize TEXT, or attach a file.")
    order = f"Sum up {what}: first the gist in a sentence, then the main points, decisions, and open questions as short lists."
    user = Message("user", (Text(f"{order}\n\n{context.text}".strip()), *given), context.user.author)
    async with closing(_asked(context, user, history)) as events:
        async for event in events:
            yield event


@command("Find earlier messages by words.", "WORDS", (TEXT,), is_private=True)
async def search(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """Over what the asker may see from here."""
    words = _needed(context.text, "/search WORDS").split()
    inbound = context.turn.inbound
    async with context.runtime.store.read(context.turn.tenant_id) as tx:
        found = await search_messages(tx, words, inbound.author.id, inbound.address, SEARCH_LIMIT)
    if not found:
        yield TextDelta(f"Nothing that you can see here holds: {' '.join(words)}.")
        return
    lines = [
        f"- **{one.author_name or 'Parley'}**, {one.created_at:%d %b %Y %H:%M}: {_snippet(one.text, words[0])}"
        for one in found
    ]
    yield TextDelta("\n".join(lines))


def _snippet(text: str, word: str) -> str:
    """The text around the word, on one line."""
    flat = " ".join(text.split())
    at = max(flat.lower().find(word.lower()) - SNIPPET // 3, 0)
    return f"{'…' if at else ''}{flat[at : at + SNIPPET]}{'…' if len(flat) > at + SNIPPET else ''}"


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
async def settings(context: CommandContext) -> AsyncIterator[ReplyEvent]:
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
        rows = await settings_rows(tx, scopes(inbound.address, inbound.author.id))
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
        return await choose(tx, runtime, turn.inbound.address, turn.inbound.author.id, scope, name, text)


async def _reset(context: CommandContext, scope: Scope, name: str | None) -> str:
    turn, runtime = context.turn, context.runtime
    if name is not None:
        async with runtime.store.begin(turn.tenant_id) as tx:
            return await choose(tx, runtime, turn.inbound.address, turn.inbound.author.id, scope, name, "")
    async with runtime.store.begin(turn.tenant_id) as tx:
        count = await reset_settings(tx, scope, _scope_id(context, scope))
    return "Everything is as configured again." if count else "Nothing was changed: it was as configured already."


async def choose(
    tx: Transaction, runtime: Runtime, address: Address, author_id: str, scope: Scope, name: str, text: str
) -> str:
    """Set a setting, or reset it when the text is empty; gives the sentence for the person. Raises UsageError, UnavailableError."""
    scope_id = dict(scopes(address, author_id))[scope]
    if not text.strip():
        name = known_name(name)
        count = await reset_settings(tx, scope, scope_id, name)
        return f"{name} is as configured again." if count else f"{name} was as configured already."
    name, value = parse_setting(name, text)
    if name == "persona":
        value = known_persona(text, runtime.personas)
    chosen = await effective_settings(tx, address, author_id)
    remark = _remark(runtime.models, replace(chosen, **{name: value}), name)
    await set_setting(tx, scope, scope_id, name, value)
    whom = {"conversation": "this conversation", "channel": "this channel", "person": "you"}[scope]
    return f"{name} is now `{text.strip()}` for {whom}.{remark}"


def _remark(models: Models, chosen: Settings, name: str) -> str:
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
async def persona(context: CommandContext) -> AsyncIterator[ReplyEvent]:
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


@command(
    "Show what your own questions used and cost.", "[DAYS]", (CommandOption("days", "How far back"),), is_private=True
)
async def usage(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """The asker's own calls by model; unknown prices are shown as unknown, and calls that failed apart."""
    days = _days(context.text)
    async with context.runtime.store.read(context.turn.tenant_id) as tx:
        yield TextDelta(await usage_table(tx, context.turn.inbound.author.id, context.runtime.clock.now(), days))


async def usage_table(tx: Transaction, author_id: str, now: datetime, days: int) -> str:
    """What this person's calls of the last days used and cost, by model, as Markdown."""
    rows = await ledger.spent(tx, author_id, now - timedelta(days=days))
    if not rows:
        return f"You made no model calls in the last {days} days."
    lines = [
        f"Your last {days} days:",
        "",
        "| model | for | calls | tokens in | out | sound | cost |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_usage_row(row) for row in rows if row.calls]
    return "\n".join([*lines, "", _together(rows)])


def _together(rows: Sequence[ledger.Spent]) -> str:
    total, made = sum(row.cost_micro_usd for row in rows), sum(row.calls for row in rows)
    unknown, refused = sum(row.unpriced_calls for row in rows), sum(row.refused_calls for row in rows)
    said = f"Together {_dollars(total)}" if unknown < made or not made else "Together: unknown price"
    if 0 < unknown < made:
        said += f", and {_counted(unknown, 'call')} whose price is unknown"
    failed = f" {_counted(refused, 'further call')} failed and used nothing." if refused else ""
    return f"{said}.{failed}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _days(text: str) -> int:
    try:
        days = int(text.strip() or 30)
    except ValueError as error:
        raise UsageError("Write it like this: /usage, or /usage 7 for the last 7 days.") from error
    return min(max(days, 1), 3_650)


def _usage_row(row: ledger.Spent) -> str:
    cost = "unknown price" if row.unpriced_calls >= row.calls else _dollars(row.cost_micro_usd)
    sound = f"{row.audio_s:.0f} s" if row.audio_s else "–"
    return f"| {row.model} | {row.modality} | {row.calls} | {row.input_tokens:,} | {row.output_tokens:,} | {sound} | {cost} |"


def _dollars(micro_usd: int) -> str:
    return f"${micro_usd / 1_000_000:.4f}".rstrip("0").rstrip(".") if micro_usd else "$0"


@command("Begin a new conversation here; the old one stays findable.", begins_anew=True)
async def reset(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """`accept` has closed the conversation already, so that what is said next belongs to the new one."""
    yield TextDelta("A new conversation begins. I no longer look at what was said before.")


@command("Delete what you said here, my answers and the files, for good.", is_private=True, begins_anew=True)
async def forget(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """Messages, files, events and what we posted about them leave the database: in a shared place, only one's own."""
    inbound = context.turn.inbound
    author_id = forgettable_author(inbound)
    async with context.runtime.store.begin(context.turn.tenant_id) as tx:
        gone, turn_ids = await deletion.forget(tx, inbound.address, author_id)
    await context.runtime.jobs.forget([one for one in turn_ids if one != context.turn.id])
    whose = "messages" if inbound.is_direct else "messages of yours and answers to them"
    yield TextDelta(f"Forgotten: {max(gone - 1, 0)} {whose}, with their files, are deleted for good.")


@command("Show what I can do.", is_private=True)
async def help_(context: CommandContext) -> AsyncIterator[ReplyEvent]:
    """Commands, and what is on and off here."""
    lines = ["Write to me, send a picture, a file or a voice note, and I answer. Commands:", ""]
    lines += [f"- `/{spec.name}{' ' + spec.usage if spec.usage else ''}` {spec.summary}" for spec in SPECS.values()]
    chosen = context.runtime.models.chosen
    lines += ["", "Models: " + ", ".join(f"{modality} {name or 'off'}" for modality, name in chosen.items()) + "."]
    yield TextDelta(spelled("\n".join(lines), context.runtime.adapter_for(context.turn.inbound)))
