"""Who may do what with an answer, and who pays for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.app import App
from bot.policy.permissions import PRESS_REFUSED
from bot.store import events, references, schema, turns
from bot.types import ButtonPress, Deletion, Edit, InboundMessage
from tests.fakes import ANN, BEN, HERE, FakeAdapter, answer, ended
from tests.support import echo, rows

ROOM = replace(HERE, channel="C7")


async def asked(app: App, platform: FakeAdapter) -> InboundMessage:
    """A question of Ann's in a shared channel, answered."""
    message = platform.says("why?", address=ROOM, is_direct=False, mentions_bot=True)
    await answer(app, platform, message)
    return message


@pytest.mark.parametrize("action", ["stop", "regenerate", "continue", "vary", "edit_image"])
async def test_another_persons_answer_is_not_anybodys_to_press(app: App, platform: FakeAdapter, action: str) -> None:
    """A colleague's press under an answer starts no turn, costs nothing, and is refused in words."""
    message = await asked(app, platform)
    calls = len(echo(app).calls)
    pressed = await app.accept(ButtonPress("P1", message.message_id, ROOM, BEN, action))  # type: ignore[arg-type]
    assert (pressed.outcome, pressed.reason) == ("refused", PRESS_REFUSED)
    assert len(await rows(app, schema.turns)) == 1
    assert len(echo(app).calls) == calls
    own = await app.accept(ButtonPress("P2", message.message_id, ROOM, ANN, "regenerate"))
    assert own.outcome == "queued"
    await ended(app, own.turn_id)


async def test_anybody_may_judge_an_answer(app: App, platform: FakeAdapter) -> None:
    """A thumb is everybody's who sees the answer."""
    message = await asked(app, platform)
    assert (await app.accept(ButtonPress("P1", message.message_id, ROOM, BEN, "thumbs_down"))).outcome == "done"
    assert [row.author_id for row in await rows(app, schema.feedback)] == [BEN.id]


async def test_only_its_author_changes_a_message(app: App, platform: FakeAdapter) -> None:
    """An edit or a deletion of somebody else's message, where the platform tells who acts, changes nothing."""
    message = await asked(app, platform)
    assert (await app.accept(Edit("E8", message.message_id, ROOM, BEN, "other words"))).outcome == "ignored"
    assert (await app.accept(Deletion("E9", message.message_id, ROOM, BEN))).outcome == "ignored"
    assert next(row.text for row in await rows(app, schema.messages)) == "why?"
    assert (await app.accept(Deletion("E10", message.message_id, ROOM, ANN))).outcome == "done"
    assert await rows(app, schema.messages) == []


async def test_who_asks_again_pays(app: App, platform: FakeAdapter) -> None:
    """A further answer that somebody else may ask for is answered by their settings and is on their bill."""
    message = await asked(app, platform)
    setting = platform.commands("settings", "set voice sage for me", author=BEN)
    await answer(app, platform, setting)
    press, now = ButtonPress("P1", message.message_id, ROOM, BEN, "regenerate"), app.clock.now()
    async with app.store.begin(await app.inbox.tenant_of(ROOM)) as tx:  # as the inbox does once a manager may
        found = await references.find_message(tx, ROOM, message.message_id)
        sequence = await events.record_event(tx, press.event_id, press, now)
        assert found and sequence
        turn_id = await turns.add_turn(tx, ANN.id, found.conversation_id, sequence, found.source_id, now)
    loaded = await turns.load_turn(app.store, turn_id)
    assert loaded and loaded.turn.requester == BEN and loaded.turn.inbound.author == ANN
    await app.inbox.requeue_unfinished("")
    await ended(app, turn_id)
    assert [row.author_id for row in await rows(app, schema.calls)] == [ANN.id, BEN.id]


async def test_what_a_private_answer_continues_is_private(app: App, platform: FakeAdapter) -> None:
    """A button that stands for words, under an answer for one person's eyes, is answered for those eyes alone."""
    message = platform.says("why?", address=ROOM, is_direct=False, intent="summarize", ephemeral=True)
    await answer(app, platform, message)
    pressed = await app.accept(ButtonPress("P1", message.message_id, ROOM, ANN, "continue"))
    loaded = await turns.load_turn(app.store, pressed.turn_id)
    assert loaded and loaded.turn.inbound.ephemeral
    await ended(app, pressed.turn_id)
    assert not [row.text for row in await rows(app, schema.messages) if row.for_model]
