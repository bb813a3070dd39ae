"""The way in: what is due is decided by what is known in the end, and a conversation is in the order in which it was held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from bot.app import App
from bot.store import schema
from bot.store.early_edits import KEEP, drop_old_edits
from bot.types import Address, Backfill, Deletion, Edit, InboundMessage
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, FakeAdapter, FakeClock, answer, ended
from tests.support import last_request, rows, words

THREAD = Address("fake", "W1", "C-general", "T1")


def in_thread(platform: FakeAdapter, text: str, **more: Any) -> InboundMessage:
    """A message of a thread in a place that many read."""
    return platform.says(text, **{"address": THREAD, "is_direct": False, **more})


def edit_of(message: InboundMessage, text: str, seconds: float, **more: Any) -> Edit:
    """Its author words it anew, so long after it was said."""
    at = message.sent_at + timedelta(seconds=seconds)
    return Edit(f"edit {text}", message.message_id, message.address, message.author, text, at, **more)


async def all_ended(app: App) -> None:
    """Wait until no turn is left."""
    for turn in await rows(app, schema.turns):
        await ended(app, turn.id)


def texts(platform: FakeAdapter) -> list[str]:
    """The first line of every answer, in the order of the posts."""
    return [post.text.splitlines()[0] for post in platform.posts.values()]


# --- what is due ---


async def test_a_follow_up_that_came_before_its_mention_is_answered(
    make_app: MakeApp, platform: FakeAdapter, store_url: str
) -> None:
    """The mention that begins a thread is delivered late: what followed it and was only noted is answered too, in order."""
    async with make_app(database_url=store_url) as app:
        first, second = in_thread(platform, "first", mentions_bot=True), in_thread(platform, "second")
        aside = in_thread(platform, "you, Ben?", mentions_others=True)
        for message in (second, aside):
            assert (await app.accept(message)).outcome == "noted"
        await app.accept(first)
        await all_ended(app)
        assert texts(platform) == ["You said: first", "You said: second"]
        assert words(last_request(app)) == ["first", "You said: first", "second"]


async def test_what_was_noted_before_the_mention_was_said_stays_noted(app: App, platform: FakeAdapter) -> None:
    """People talked, and then called the bot: only the call is answered."""
    before = in_thread(platform, "before")
    await app.accept(before)
    await answer(app, platform, in_thread(platform, "now you", mentions_bot=True))
    await all_ended(app)
    assert texts(platform) == ["You said: now you"]


async def test_a_follow_up_is_not_asked_for_twice(app: App, platform: FakeAdapter) -> None:
    """The mention comes by two deliveries, and the follow-up again: each is answered once."""
    first, second = in_thread(platform, "first", mentions_bot=True), in_thread(platform, "second")
    for message in (second, first, replace(first, event_id="again"), replace(second, event_id="again, too"), second):
        await app.accept(message)
    await all_ended(app)
    assert sorted(texts(platform)) == ["You said: first", "You said: second"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_one_post_by_two_events_is_answered_once(app: App, platform: FakeAdapter, order: tuple[int, int]) -> None:
    """A post that calls the bot arrives as a message that does not say so, and as one that does: in either order, one answer."""
    plain = in_thread(platform, "hello")
    both = (plain, replace(plain, event_id="mention", mentions_bot=True))
    for index in order:
        await app.accept(both[index])
    await all_ended(app)
    assert texts(platform) == ["You said: hello"]


async def test_nobody_else_makes_a_noted_message_due(app: App, platform: FakeAdapter) -> None:
    """An event that claims the same post for another person changes nothing."""
    plain = in_thread(platform, "hello")
    await app.accept(plain)
    forged = replace(plain, event_id="forged", author=BEN, mentions_bot=True, text="other words")
    assert (await app.accept(forged)).outcome == "repeated"
    assert platform.posts == {}


# --- edits and deletions in any order ---


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_wording_wins(
    make_app: MakeApp, platform: FakeAdapter, order: tuple[int, ...], store_url: str
) -> None:
    """A message and two edits of it, in whatever order they arrive: in the end the newest wording is answered and kept."""
    async with make_app(database_url=store_url) as app:
        message = platform.says("first wording")
        events = (message, edit_of(message, "second wording", 1), edit_of(message, "third wording", 2))
        for index in order:
            await app.accept(events[index])
            await all_ended(app)
        assert texts(platform)[-1] == "You said: third wording"
        [question] = [row for row in await rows(app, schema.messages) if row.ordinal == 0]
        assert question.text == "third wording"
        kept = [row for row in await rows(app, schema.inbox) if row.event_id.startswith("edited:")]
        assert kept == []


async def test_a_mention_that_an_early_edit_adds_is_answered(app: App, platform: FakeAdapter) -> None:
    """The edit that calls the bot arrives before the message."""
    message = in_thread(platform, "hello")
    await app.accept(edit_of(message, "hello you", 1, mentions_bot=True))
    assert (await app.accept(message)).outcome == "queued"
    await all_ended(app)
    assert texts(platform) == ["You said: hello you"]


async def test_somebody_elses_early_edit_changes_nothing(app: App, platform: FakeAdapter) -> None:
    """Only the author words a message, before it arrives too."""
    message = platform.says("mine")
    await app.accept(replace(edit_of(message, "forged", 1), author=BEN))
    assert (await answer(app, platform, message)).text == "You said: mine"


async def test_what_was_deleted_before_it_was_read_is_never_answered(app: App, platform: FakeAdapter) -> None:
    """Its edit and its deletion came first, in either order: nothing is answered, and no wording is left."""
    for number, order in enumerate(permutations(range(3))):
        message = platform.says(f"secret {number}")
        edit = replace(edit_of(message, f"secret wording {number}", 1), event_id=f"edit {number}")
        events = (message, edit, Deletion(f"gone {number}", message.message_id, message.address, ANN))
        if order.index(2) > order.index(0):
            continue  # then it was asked, and an answer may have begun
        for index in order:
            await app.accept(events[index])
    await all_ended(app)
    assert platform.posts == {}
    assert "secret wording" not in str([row.payload for row in await rows(app, schema.inbox) if row.payload])


async def test_wordings_that_wait_are_forgotten(app: App, platform: FakeAdapter, clock: FakeClock) -> None:
    """`/forget` reaches what waits for its message, and after two days nobody waits any more."""
    for number in range(2):
        message = platform.says("never arrives")
        await app.accept(replace(edit_of(message, "HERON", 1), event_id=f"edit {number}"))
        if number:
            await drop_old_edits(app.store, clock.now() + KEEP + timedelta(seconds=1))
        else:
            await answer(app, platform, platform.commands("forget"))
        assert "HERON" not in str([row.payload for row in await rows(app, schema.inbox)])


# --- order ---


async def test_a_conversation_is_in_the_order_in_which_it_was_held(
    make_app: MakeApp, platform: FakeAdapter, store_url: str
) -> None:
    """What was missed and arrives late stands where it was said, and is answered by what was said before it."""
    async with make_app(database_url=store_url) as app:
        one, two, three, four = (platform.says(text) for text in ("one", "two", "three", "four"))
        for message in (one, three):
            await answer(app, platform, message)
        await answer(app, platform, two)
        assert words(last_request(app)) == ["one", "You said: one", "two"]
        await answer(app, platform, four)
        said = [text for text in words(last_request(app)) if "You said" not in text]
        assert said == ["one", "two", "three", "four"]
        entries = await app.host.timeline.entries(one.address)
        assert [entry.parts[0].text.splitlines()[0] for entry in entries if entry.role == "user"] == said  # type: ignore[union-attr]


async def test_context_stands_right_before_its_question(app: App, platform: FakeAdapter) -> None:
    """Copies keep their place before the question they were fetched for, whatever their own time."""
    old = replace(platform.says("old", is_direct=False), address=THREAD)
    await answer(app, platform, in_thread(platform, "first", mentions_bot=True))
    platform.before = Backfill((old,))
    platform.capabilities = replace(platform.capabilities, hears_all=False)
    await answer(app, platform, in_thread(platform, "second", mentions_bot=True))
    assert [text.splitlines()[0] for text in words(last_request(app))][-2:] == ["old", "second"]
