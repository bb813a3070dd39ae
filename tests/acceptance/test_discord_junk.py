"""Discord end to end: what is not as Discord describes it costs that event alone, and people see words, never a traceback."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from adapters.discord.emulator import Channel, DiscordEmulator
from adapters.discord.emulator import interactions as kinds
from adapters.discord.emulator.world import GUILDS, Event
from bot.store import schema
from bot.types import from_json
from tests.acceptance.discord_support import AheadClock, World, parley, world
from tests.support import rows

BY_TOKEN = "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"
HUGE = "9" * 5_000
ODD_IDS = (
    "x" * 100,
    "💥" * 50,
    "parley:" + ":" * 93,
    "parley:ask:",
    "parley:ask:²³",
    f"parley:ask:{HUGE[:89]}",
    "parley:ask:../../users/@me",
    "parley:ask:1/2?limit=100#",
    "parley:regenerate:'; DROP TABLE turns; --:1",
    "parley:stop:\u202e1:\x00",
    "parley:settings:1",
    "",
)
EVENTS: list[tuple[str, Any]] = [
    ("MESSAGE_CREATE", {}),
    ("MESSAGE_CREATE", {"id": HUGE, "channel_id": HUGE, "guild_id": HUGE, "author": {"id": HUGE}, "content": "hi"}),
    ("MESSAGE_CREATE", {"id": "1", "channel_id": None, "author": "bob", "content": 5}),
    ("MESSAGE_CREATE", {"id": "²", "channel_id": "1", "author": {"id": "2"}, "type": 0, "content": "hi", "embeds": 3}),
    (
        "MESSAGE_UPDATE",
        {"id": "1", "channel_id": "x/y", "guild_id": "0", "edited_timestamp": "yesterday", "author": {"id": "2"}},
    ),
    ("MESSAGE_DELETE", {"ids": 7}),
    ("MESSAGE_DELETE_BULK", {"ids": [None, {}, HUGE], "channel_id": "1", "guild_id": "2"}),
    ("INTERACTION_CREATE", {}),
    ("INTERACTION_CREATE", {"type": 2, "data": []}),
    ("GUILD_MEMBER_UPDATE", {"user": 3}),
    ("GUILD_ROLE_UPDATE", {"role": None}),
    ("CHANNEL_UPDATE", {"id": HUGE}),
    ("CHANNEL_CREATE", {"id": "5", "type": 2, "guild_id": "6"}),
    ("THREAD_MEMBERS_UPDATE", {"id": []}),
    ("GUILD_DELETE", {"id": None}),
]


def deliver(discord: DiscordEmulator, name: str, body: Any) -> None:
    """Send an event by the gateway, whatever it holds."""
    discord.world.emit(Event(name, lambda _: body, GUILDS))


async def test_malformed_events_cost_themselves_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After each of them the session is the same one, and the next question is answered; the log has a line without a traceback."""
    async with world(tmp_path, valid=False) as w:
        for name, body in EVENTS:
            deliver(w.discord, name, body)
        deliver(w.discord, "MESSAGE_CREATE", None)
        deliver(w.discord, "MESSAGE_CREATE", ["a", "list"])
        await w.settled()
        (answer,) = await w.answers(w.mention("still there?"))
        assert "still there?" in answer.content and len(w.discord.gateway.identifies) == 1
        bad = [
            one
            for one in caplog.records
            if one.levelno >= logging.ERROR or (one.exc_info and one.levelno > logging.DEBUG)
        ]
        assert not bad, [one.getMessage() for one in bad]


async def test_odd_ids_of_buttons_and_forms_are_answered_in_words(tmp_path: Path) -> None:
    """A changed client sends ids of a hundred odd characters: it is told that the button is not known, and nothing is looked up."""
    async with world(tmp_path, valid=False) as w:
        d = w.discord
        (answer,) = await w.answers(w.mention("hello"))
        before = len(d.calls_to("GET", "/channels/{channel_id}/messages/{message_id}"))
        for custom_id in ODD_IDS:
            pressed = d.interactions.open(
                kinds.COMPONENT,
                d.bob,
                d.general,
                {"component_type": 2, "custom_id": custom_id, "id": 1},
                message=answer,
            )
            await d.wait_for(lambda pressed=pressed: pressed.original)  # type: ignore[misc]
            assert pressed.original and "no longer know" in pressed.original.content, custom_id
            entered = [{"type": 18, "component": {"type": 4, "custom_id": "words", "value": "what?"}}]
            sent = d.interactions.open(
                kinds.MODAL_SUBMIT, d.bob, d.general, {"custom_id": custom_id, "components": entered}
            )
            await d.wait_for(lambda sent=sent: sent.original and sent.original.content)  # type: ignore[misc]
            assert sent.original and "Traceback" not in sent.original.content
        await w.settled()
        assert len(d.calls_to("GET", "/channels/{channel_id}/messages/{message_id}")) == before


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (kinds.COMMAND, {"type": 2}),
        (kinds.COMMAND, {"type": 1, "name": "ask", "options": 5}),
        (kinds.COMMAND, {"type": 1, "name": "ask", "options": [{"name": "text", "value": {"a": 1}}, None]}),
        (kinds.COMMAND, {"type": 3, "name": "Translate", "target_id": "1", "resolved": {"messages": {"1": "x"}}}),
        (
            kinds.COMMAND,
            {"type": 3, "name": "Translate", "target_id": "1", "resolved": {"messages": {"1": {"embeds": 1}}}},
        ),
        (kinds.COMPONENT, {"custom_id": ["parley"]}),
        (kinds.MODAL_SUBMIT, {"custom_id": "parley:ask:1", "components": [5]}),
        (kinds.AUTOCOMPLETE, {"options": "abc"}),
    ],
)
async def test_a_malformed_interaction_shows_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: int, data: dict[str, Any]
) -> None:
    """Whoever sent it is told in words, or nothing; the next question is answered."""
    async with world(tmp_path, valid=False) as w:
        used = w.discord.interactions.open(kind, w.discord.bob, w.discord.general, data)
        await w.settled()
        shown = " ".join(m.content for m in used.responses)
        assert "Traceback" not in shown and "Error" not in shown
        assert not [one for one in caplog.records if one.exc_info and one.levelno > logging.DEBUG]
        assert "still" in (await w.answers(w.mention("still there?")))[0].content


async def test_tokens_of_interactions_are_not_in_the_database(tmp_path: Path) -> None:
    """No table holds the token of a command, a menu, a press or a form in plain, nor in base64 or parts of it."""
    async with world(tmp_path) as w:
        await w.discord.wait_for(lambda: w.discord.registered.named(None, "Translate", 3))
        d = w.discord
        await _use_everything(w, d.general)
        tokens = [one.token for one in d.interaction_responses]
        text = json.dumps([list(map(str, row)) for table in _tables() for row in await rows(w.app, table)])
        files = _bytes_of(tmp_path)
    assert len(tokens) >= 3
    for token in tokens:
        parts = (token, token[40:80], base64.b64encode(token.encode()).decode()[:80])
        assert not [part for part in parts if part in text or part.encode() in files]


def _bytes_of(home: Path) -> bytes:
    """All that lies in the database's files, what was deleted from it and its log too."""
    return b"".join(path.read_bytes() for path in home.rglob("*.db*"))


def _tables() -> list[Table]:
    return list(schema.metadata.tables.values())


async def _use_everything(w: World, place: Channel) -> None:
    d = w.discord
    asked = d.slash(d.alice, place, "ask", {"text": "hello"})
    await d.wait_for(lambda: asked.original and asked.original.content)
    used = d.context_menu(d.alice, "Translate", d.post(d.bob, place, "Guten Morgen"))
    await d.wait_for(lambda: used.original and used.original.content)
    form = d.context_menu(d.alice, "Ask about this", d.post(d.bob, place, "the moon"))
    await d.wait_for(lambda: form.modal)
    sent = d.submit_modal(form, {"words": "Is that so?"})
    await d.wait_for(lambda: sent.original and sent.original.content)
    await w.settled()


async def test_a_token_works_after_a_restart_within_its_time(tmp_path: Path) -> None:
    """A command that a crash interrupted is answered in its own place by the next process; past 15 minutes no token opens."""
    clock = AheadClock()
    async with DiscordEmulator() as d:
        async with parley(d, tmp_path, durable=True) as w:
            await d.wait_for(lambda: d.registered.named(None, "ask", 1))
            asked = d.slash(d.alice, d.general, "ask", {"text": "[[long 300]] [[slow 0.02]]"})
            await d.wait_for(lambda: asked.original and "word" in asked.original.content, 20)
            await w.app.jobs.close(0.01)
        shown = len(d.calls_to("PATCH", BY_TOKEN))
        async with parley(d, tmp_path, durable=True, clock=clock) as w:
            await d.wait_for(lambda: any("word299" in m.content for m in d.replies(d.general)), 30)
            await w.settled()
            assert len(d.calls_to("PATCH", BY_TOKEN)) > shown
            (row,) = [one for one in await rows(w.app, schema.turns) if one.receipt]
            sealed = from_json(row.receipt).ref["token"]
            assert w.adapter.client.short_lived.open(sealed) == asked.token
            clock.ahead_s = 15 * 60
            assert w.adapter.client.short_lived.open(sealed) is None
