"""Every pure function on what others write, and how it is called: by its name, with what of it there is much of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from adapters.console import plain as console_plain
from adapters.console import screen
from adapters.discord import custom_ids, parse_events, parse_interactions
from adapters.discord import entities as discord_entities
from adapters.discord import listen as discord_listen
from adapters.discord import parse_parts as discord_parts
from adapters.discord import render as discord_render
from adapters.playground import parse
from adapters.playground import render as page
from adapters.shared import links, markdown
from adapters.shared.rendering import plain_pieces
from adapters.slack import entities as slack_entities
from adapters.slack import history, home, mentions, previews, signed
from adapters.slack import parse as slack_parse
from adapters.slack import parse_events as slack_events
from adapters.slack import parse_interactions as slack_interactions
from adapters.slack import parse_parts as slack_parts
from adapters.slack import render as slack_render
from adapters.slack.reply.presentable import Presentable
from bot import jobs, redaction
from bot.engine.commands import registry
from bot.engine.compose import compose, cut_middle, message_tokens, text_tokens
from bot.engine.paint import newest_image
from bot.engine.personas import known_persona
from bot.engine.speak import sentences, spoken_text, wants_speech
from bot.errors import UsageError
from bot.media import directories, encodings, endings, reading, sniff, webpage
from bot.policy import addressing, marks, prompts, settings, worded
from bot.providers.local import prompt
from bot.providers.local import speak as local_speak
from bot.providers.openai import embeddings, wire
from bot.providers.openai import errors as openai_errors
from bot.providers.openai import settings as openai_settings
from bot.store import messages
from bot.store.columns import fitted
from bot.types import (
    DEFAULT_SETTINGS,
    Address,
    Audio,
    Author,
    InboundMessage,
    Message,
    ModelProfile,
    Text,
    clean_text,
    clean_value,
    from_json,
    to_json,
)
from bot.visible import visible, visible_lines
from tests.growth.payloads import BLOB, DISCORD, MESSAGES, SLACK, parts_of
from tests.growth.shapes import TEXTS
from tests.growth.streams import LINE_STREAM_CALLS, LINES, PIECES, PLAN_CALLS, STREAM_CALLS

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADDRESS, GRACE = Address("slack", "T1", "C1"), Author("U2", "Grace")
PAGE_ADDRESS = Address("playground", "local", "0123456789abcdef-12345678")
PROFILE = ModelProfile("echo:chat", context_tokens=100_000, output_tokens=4_000)
ALLOWED = {f"U{number}": f"Grace {number}" for number in range(50)}
"""As many as one message can call."""
PEOPLE = slack_entities.Names({"U1": "Grace"})
TX: Any = SimpleNamespace(tenant_id=1)
TURN: Any = SimpleNamespace(inbound=SimpleNamespace(wants_speech=False), settings=DEFAULT_SETTINGS)
CONSOLE: Any = SimpleNamespace(command_name=lambda name: f"/{name}")
"""As much of each as is read."""
SIGNED = {"X-Slack-Request-Timestamp": f"{NOW.timestamp():.0f}", "X-Slack-Signature": f"v0={'0' * 64}"}
WHERE = discord_parts.MessageLocation("5", "7")
LOOKUP = discord_parts.Lookup(discord_parts.Us("1", frozenset({"3"})))


@dataclass(frozen=True)
class Case:
    """A call, and the inputs that it is tried on."""

    call: Callable[[Any], object]
    shapes: Mapping[str, Callable[[int], Any]]
    size: int
    """Of the shortest input: characters, or pieces; the longest is eight times that."""


def _bytes(make: Callable[[int], str]) -> Callable[[int], bytes]:
    return lambda size: make(size).encode("utf-8", "surrogatepass")


def _lines(make: Callable[[int], str]) -> Callable[[int], list[str]]:
    return lambda size: ["a|b", "-|-", *make(size).split("\n")]


def _cells(make: Callable[[int], str]) -> Callable[[int], list[list[str]]]:
    return lambda size: [line.split("|") for line in make(size).split("\n")]


def _in_file(make: Callable[[int], str]) -> Callable[[int], str]:
    return lambda size: json.dumps({"op": 0, "t": "MESSAGE_CREATE", "d": {"content": make(size)}})


def _table(shapes: Mapping[str, Any], size: int, calls: Mapping[str, Callable[[Any], object]]) -> dict[str, Case]:
    return {name: Case(call, shapes, size) for name, call in calls.items()}


def _made(convert: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: convert(make) for name, make in TEXTS.items()}


def _refused(call: Callable[[Any], object]) -> Callable[[Any], object]:
    """A call that may refuse what it is given, in words."""

    def work(given: Any) -> object:
        try:
            return call(given)
        except (UsageError, signed.JunkError) as error:
            return error

    return work


def _inbound(text: str) -> InboundMessage:
    return InboundMessage("e", "m", ADDRESS, GRACE, text, is_direct=True)


def _asked(message: Message) -> object:
    return compose([], message, DEFAULT_SETTINGS, PROFILE, "You are Parley.", NOW)


def _remembered(message: Message) -> object:
    return compose([message] * 3, Message("user", (Text("And?"),)), DEFAULT_SETTINGS, PROFILE, "Parley.", NOW)


TEXT_CALLS: dict[str, Callable[[str], object]] = {
    "bot.engine.commands.registry.require_text": _refused(lambda text: registry.require_text(text, "/ask TEXT")),
    "bot.engine.commands.registry.with_platform_command_names": lambda text: registry.with_platform_command_names(
        text, CONSOLE, ("ask",)
    ),
    "bot.engine.personas.known_persona": _refused(lambda text: known_persona(text, {"plain": "Be plain."})),
    "bot.engine.compose.cut_middle": lambda text: cut_middle(text, 1_000),
    "bot.engine.compose.text_tokens": text_tokens,
    "bot.engine.speak.sentences": sentences,
    "bot.engine.speak.spoken_text": spoken_text,
    "bot.policy.addressing.as_command": lambda text: addressing.as_command(_inbound(text), {}),
    "bot.policy.addressing.known_command": lambda text: addressing.known_command(text, ("ask",)),
    "bot.policy.addressing.typed_command": addressing.typed_command,
    "bot.policy.marks.Speakers.name_for": lambda text: marks.Speakers().name_for("U1", text),
    "bot.policy.marks.block": lambda text: marks.block("file", text, text, text),
    "bot.policy.marks.clean_name": marks.clean_name,
    "bot.policy.marks.cut": lambda text: marks.cut(marks.block("file", text), len(text) // 3, len(text) // 2, "…"),
    "bot.policy.marks.escaped": marks.escaped,
    "bot.policy.marks.parsed": lambda text: marks.parsed(marks.block("file", text)),
    "bot.policy.marks.speaker_mark": marks.speaker_mark,
    "bot.policy.marks.unescaped": marks.unescaped,
    "bot.policy.prompts.instructions": lambda text: prompts.instructions("Be kind.", text, text),
    "bot.policy.worded.heard": lambda text: worded.heard(Audio(BLOB, text, text), text),
    "bot.policy.settings.Setting.parse": _refused(lambda text: [one.parse(text) for one in settings.SETTINGS.values()]),
    "bot.policy.settings.known_name": _refused(settings.known_name),
    "bot.policy.settings.parse_setting": _refused(lambda text: settings.parse_setting("stop", text)),
    "bot.providers.local.prompt.described": lambda text: prompt.described(Text(text)),
    "bot.providers.local.speak.speakable": local_speak.speakable,
    "bot.providers.openai.embeddings.cut": embeddings.cut,
    "bot.providers.openai.embeddings.tokens": embeddings.tokens,
    "bot.providers.openai.settings.our_name": openai_settings.our_name,
    "bot.providers.openai.errors.failed": lambda text: openai_errors.failed("", text),
    "bot.providers.openai.wire.arguments": wire.arguments,
    "bot.redaction.redact": redaction.redact,
    "bot.redaction.redact_long": redaction.redact_long,
    "bot.redaction.redact_within": lambda text: redaction.redact_within([text] * 3, redaction.redact_long),
    "bot.store.columns.fitted": lambda text: fitted(text, 200),
    "bot.visible.visible": visible,
    "bot.visible.visible_lines": visible_lines,
    "bot.types.plain.clean_text": clean_text,
    "adapters.console.screen.end_of": screen.end_of,
    "adapters.console.screen.without_control": screen.without_control,
    "adapters.discord.custom_ids.parse_button_id": custom_ids.parse_button_id,
    "adapters.discord.entities.mentioned": discord_entities.mentioned,
    "adapters.discord.entities.readable": lambda text: discord_entities.readable(text, discord_entities.Names()),
    "adapters.discord.parse_interactions.command_text": lambda text: parse_interactions.command_text(
        {"text": text}, None
    ),
    "adapters.discord.parse_parts.moment": lambda text: discord_parts.moment(text, ""),
    "adapters.discord.render.rendered": lambda text: discord_render.rendered(text, (text,)),
    "adapters.discord.render.shown": discord_render.shown,
    "adapters.discord.render.small": discord_render.small,
    "adapters.playground.parse.message_id_of": _refused(parse.message_id_of),
    "adapters.playground.parse.address_of": _refused(lambda text: parse.address_of(text, "0123456789abcdef")),
    "adapters.playground.parse.parse_message": _refused(
        lambda text: parse.parse_message({"id": "m" * 8, "text": text}, (), PAGE_ADDRESS, GRACE, NOW, ("ask",))
    ),
    "adapters.playground.parse.parse_edit": _refused(
        lambda text: parse.parse_edit({"id": "e" * 8, "text": text}, "m" * 8, PAGE_ADDRESS, GRACE, NOW)
    ),
    "adapters.playground.parse.parse_press": _refused(
        lambda text: parse.parse_press(
            {"id": "e" * 8, "action": "vary", "value": text}, "m" * 8, PAGE_ADDRESS, GRACE, NOW
        )
    ),
    "adapters.playground.render.plain_block": page.plain_block,
    "adapters.shared.links.host_of": links.host_of,
    "adapters.shared.links.is_plain": links.is_plain,
    "adapters.shared.links.needs_host": lambda text: (
        links.needs_host(text, "https://e.org"),
        links.needs_host("x", text),
    ),
    "adapters.shared.links.show_hosts": links.show_hosts,
    "adapters.shared.links.shown_host": links.shown_host,
    "adapters.shared.markdown.blocks": markdown.blocks,
    "adapters.shared.markdown.code_lines": lambda text: markdown.code_lines(text.split("\n")),
    "adapters.shared.markdown.closing_fence": markdown.closing_fence,
    "adapters.shared.markdown.code_to_files": lambda text: markdown.code_to_files(
        text, 3_600, 120, lambda _, name: name
    ),
    "adapters.shared.markdown.has_table": markdown.has_table,
    "adapters.shared.markdown.open_fence": markdown.open_fence,
    "adapters.shared.markdown.split_markdown": lambda text: markdown.split_markdown(text, 1_900),
    "adapters.shared.markdown.table_cells": markdown.table_cells,
    "adapters.slack.entities.ids_in": slack_entities.ids_in,
    "adapters.slack.entities.readable": lambda text: slack_entities.readable(text, PEOPLE),
    "adapters.slack.home.ask_view": lambda text: home.ask_view(text, "state"),
    "adapters.slack.mentions.escape_mentions": lambda text: mentions.escape_mentions(text, ALLOWED),
    "adapters.slack.mentions.stable": lambda text: mentions.stable(text, ALLOWED),
    "adapters.slack.parse_interactions.modal_state": lambda text: slack_interactions.modal_state(
        {"text": text, "files": []}, lambda state: len(state) <= 3_000
    ),
    "adapters.slack.signed.is_word": signed.is_word,
    "adapters.slack.parse_parts.mentioned_users": slack_parts.mentioned_users,
    "adapters.slack.parse_parts.moment": slack_parts.moment,
    "adapters.slack.parse_parts.ref_of": lambda text: slack_parts.ref_of({}, "U2", text),
    "adapters.shared.rendering.plain_pieces": lambda text: plain_pieces(text, 1_900),
    "adapters.slack.previews.has_links": previews.has_links,
    "adapters.slack.previews.unlinked": previews.unlinked,
    "adapters.slack.reply.presentable.Presentable.of": lambda text: [
        part.of(text[: len(text) * at // 4]) for part in [Presentable(ALLOWED)] for at in range(1, 5)
    ],
    "adapters.slack.render.escape": slack_render.escape,
    "adapters.slack.render.fallback": lambda text: slack_render.fallback(text, ALLOWED),
    "adapters.slack.render.foot_blocks": lambda text: slack_render.foot_blocks([text], None),
    "adapters.slack.render.markdown_blocks": slack_render.markdown_blocks,
    "adapters.slack.render.notice_blocks": lambda text: slack_render.notice_blocks([text]),
    "adapters.slack.render.rendered": lambda text: slack_render.rendered(text, ALLOWED),
}
"""On a text."""
SLOW_TEXT_CALLS: dict[str, Callable[[str], object]] = {
    "adapters.playground.render.blocks": page.blocks,
    "adapters.console.screen.stable_end": screen.stable_end,
    "bot.media.webpage.words": lambda text: webpage.words(clean_text(text)),
}
"""On a text, with a parser: these take microseconds a character, away from the loop."""
LINE_CALLS: dict[str, Callable[[Sequence[str]], object]] = {
    "adapters.discord.render.table_as_text": discord_render.table_as_text,
    "adapters.shared.markdown.table_rows": markdown.table_rows,
    "adapters.slack.render.table_as_text": slack_render.table_as_text,
    "adapters.slack.render.table_block": slack_render.table_block,
    "bot.providers.openai.embeddings.batches": lambda lines: list(embeddings.batches(lines)),
}
"""On lines."""
CELL_CALLS: dict[str, Callable[[Any], object]] = {
    "adapters.shared.markdown.table_as_text": lambda rows: markdown.table_as_text(rows, 100),
    "bot.media.reading.markdown_table": reading.markdown_table,
}
"""On rows of cells."""
BYTE_CALLS: dict[str, Callable[[bytes], object]] = {
    "bot.media.encodings.decode_text": encodings.decode_text,
    "bot.media.directories.entries": directories.entries,
    "bot.media.directories.is_too_large": directories.is_too_large,
    "bot.media.endings.breaks_off": endings.breaks_off,
    "bot.providers.openai.wire.data_url": lambda data: wire.data_url(data, BLOB),
    "adapters.slack.signed.delivery_of": _refused(lambda data: signed.delivery_of(data, "application/json")),
    "adapters.slack.signed.is_signed": lambda data: signed.is_signed("secret", data, SIGNED, NOW.timestamp()),
    "bot.media.sniff.is_text": sniff.is_text,
    "bot.media.sniff.wide_encoding": sniff.wide_encoding,
}
"""On bytes."""
SLACK_CALLS: dict[str, Callable[[Any], object]] = {
    "adapters.slack.history.full_text": lambda body: history.full_text(body.get("event") or {}),
    "adapters.slack.home.image_state": home.image_state,
    "adapters.slack.signed.checked": _refused(signed.checked),
    "adapters.slack.parse.parse": lambda body: slack_parse.parse(body, ("ask",)),
    "adapters.slack.parse_events.parse_event": slack_events.parse_event,
    "adapters.slack.parse_interactions.first_action": slack_interactions.first_action,
    "adapters.slack.parse_interactions.parse_command": lambda body: slack_interactions.parse_command(body, ("ask",)),
    "adapters.slack.parse_interactions.parse_press": slack_interactions.parse_press,
    "adapters.slack.parse_interactions.parse_shortcut": slack_interactions.parse_shortcut,
    "adapters.slack.parse_interactions.parse_submission": slack_interactions.parse_submission,
    "adapters.slack.parse_interactions.shortcut_target": slack_interactions.shortcut_target,
    "adapters.slack.parse_interactions.view_value": lambda body: slack_interactions.view_value(
        body.get("view") or {}, "words"
    ),
    "adapters.slack.parse_parts.attachment": lambda body: [
        slack_parts.attachment(one, slack_parts.SlackFileRef("T1"))
        for one in (body.get("event") or {}).get("files") or ()
    ],
    "adapters.slack.parse_parts.attachments": lambda body: slack_parts.attachments(body.get("event") or {}, body),
    "adapters.slack.parse_parts.author": lambda body: slack_parts.author(body, body.get("event") or {}),
    "adapters.slack.parse_parts.blocks_text": lambda body: slack_parts.blocks_text(
        (body.get("event") or {}).get("blocks") or ()
    ),
    "adapters.slack.parse_parts.bot_user": slack_parts.bot_user,
    "adapters.slack.parse_parts.cards_text": lambda body: slack_parts.cards_text(
        (body.get("event") or {}).get("attachments") or ()
    ),
    "adapters.slack.parse_parts.enterprise": slack_parts.enterprise,
    "adapters.slack.parse_parts.event_id": lambda body: slack_parts.event_id(body, body.get("event") or {}),
    "adapters.slack.parse_parts.looked_at_channel": lambda body: slack_parts.looked_at_channel(
        (body.get("event") or {}).get("app_context") or {}
    ),
    "adapters.slack.parse_parts.message_text": lambda body: slack_parts.message_text(body.get("event") or {}, "U1"),
    "adapters.slack.parse_parts.forwards": lambda body: slack_parts.forwards(body.get("event") or {}),
    "adapters.slack.parse_parts.scope_of": slack_parts.scope_of,
    "adapters.slack.parse_parts.workspace": slack_parts.workspace,
}
"""On a delivery of Slack."""
DISCORD_CALLS: dict[str, Callable[[Any], object]] = {
    "adapters.discord.custom_ids.custom_ids": lambda data: list(custom_ids.custom_ids(_components(data))),
    "adapters.discord.custom_ids.holds": lambda data: custom_ids.holds(data, "none"),
    "adapters.discord.entities.people_in": discord_entities.people_in,
    "adapters.discord.parse_events.parse_edit": lambda data: parse_events.parse_edit(
        {**data, "edited_timestamp": "2026-01-02T00:00:00+00:00"}, WHERE, LOOKUP
    ),
    "adapters.discord.parse_events.parse_message": lambda data: parse_events.parse_message(data, WHERE, LOOKUP),
    "adapters.discord.parse_interactions.form_values": parse_interactions.form_values,
    "adapters.discord.parse_interactions.parse_about": lambda data: parse_interactions.parse_about(
        data, data, "answer", LOOKUP, "why?"
    ),
    "adapters.discord.parse_interactions.parse_command": lambda data: parse_interactions.parse_command(data, {}),
    "adapters.discord.parse_interactions.parse_press": lambda data: parse_interactions.parse_press(
        {"channel": {}, **data, "data": {"custom_id": "parley:stop:1:2"}, "message": data}
    ),
    "adapters.discord.parse_interactions.target_of": parse_interactions.target_of,
    "adapters.discord.parse_parts.attachments": lambda data: discord_parts.attachments(data, WHERE, "https://cdn"),
    "adapters.discord.parse_parts.author_of": discord_parts.author_of,
    "adapters.discord.parse_parts.cards": lambda data: discord_parts.cards(data, discord_entities.Names()),
    "adapters.discord.parse_parts.link_of": lambda data: discord_parts.link_of(data, LOOKUP.us),
    "adapters.discord.parse_parts.mentions_bot": lambda data: discord_parts.mentions_bot(data, LOOKUP.us),
    "adapters.discord.parse_parts.message_text": lambda data: discord_parts.message_text(data, LOOKUP),
    "adapters.discord.parse_parts.quoted_in": lambda data: discord_parts.quoted_in(data, LOOKUP),
    "adapters.discord.parse_parts.names_bot": lambda data: discord_parts.names_bot(data, LOOKUP.us),
}
"""On a message or an interaction of Discord."""


def _components(data: Any) -> Any:
    return (
        data.get("components") or data["data"].get("components") or ()
        if "data" in data
        else data.get("components") or ()
    )


MESSAGE_CALLS: dict[str, Callable[[Message], object]] = {
    "bot.engine.compose.compose": lambda message: (_asked(message), _remembered(message)),
    "bot.engine.compose.message_tokens": message_tokens,
    "bot.engine.paint.newest_image": lambda message: newest_image([message] * 3, message.parts),
    "bot.engine.speak.wants_speech": lambda message: wants_speech(TURN, message),
    "bot.providers.local.prompt.tokens": lambda message: [prompt.tokens(one) for one in prompt.plain([message])],
    "bot.store.messages.kept_words": messages.kept_words,
    "bot.store.messages.message_row": lambda message: messages.message_row(TX, 1, 1, 0, message, NOW),
    "bot.jobs.encode_result": lambda message: jobs.encode_result(message),
    "bot.jobs.replay": lambda message: jobs.replay(jobs.encode_result(message), None, []),  # type: ignore[arg-type]
    "bot.providers.local.prompt.fit": lambda message: prompt.fit(prompt.plain([message] * 3), 1_000),
    "bot.providers.local.prompt.plain": lambda message: prompt.plain([message] * 3),
    "bot.providers.openai.wire.chat_messages": lambda message: wire.chat_messages([message], {}),
    "bot.providers.openai.wire.responses_input": lambda message: wire.responses_input([message], {}),
    "bot.policy.worded.words_of": lambda message: [worded.words_of(part) for part in message.parts],
    "bot.policy.worded.frame": lambda message: [worded.frame(message) for _ in message.parts],
    "bot.policy.worded.framed": lambda message: worded.framed(
        message, [worded.words_of(part) for part in message.parts]
    ),
    "bot.store.messages.blobs_of": messages.blobs_of,
    "bot.store.messages.plain_text": messages.plain_text,
    "bot.types.plain.clean_value": clean_value,
    "bot.types.plain.to_json": to_json,
    "bot.types.plain.from_json": lambda message: from_json(to_json(message)),
    "adapters.console.plain.plain": console_plain.plain,
}
"""On a message."""
PART_CALLS: dict[str, Callable[[Any], object]] = {
    "adapters.playground.render.draw_parts": page.draw_parts,
    "adapters.playground.render.text_of": page.text_of,
    "bot.store.messages.with_text": lambda parts: messages.with_text(parts, "a"),
}
"""On the parts of a message."""
CASES: dict[str, Case] = {
    **_table(TEXTS, 16_000, TEXT_CALLS),
    **_table(TEXTS, 500, SLOW_TEXT_CALLS),
    **_table(_made(_lines), 8_000, LINE_CALLS),
    **_table(_made(_cells), 8_000, CELL_CALLS),
    **_table(_made(_bytes), 16_000, BYTE_CALLS),
    **_table(_made(_in_file), 16_000, {"adapters.discord.listen.heard_event": discord_listen.heard_event}),
    **_table(SLACK, 500, SLACK_CALLS),
    **_table(DISCORD, 500, DISCORD_CALLS),
    **_table(MESSAGES, 500, MESSAGE_CALLS),
    **_table({name: parts_of(make) for name, make in MESSAGES.items()}, 500, PART_CALLS),
    **_table(PIECES, 1_000, STREAM_CALLS),
    **_table(PIECES, 200, PLAN_CALLS),
    **_table(LINES, 300, LINE_STREAM_CALLS),
}
"""By the name of what is called."""
