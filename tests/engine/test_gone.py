"""What was deleted, worded anew or forgotten is gone wherever it was kept: titles, events, late deliveries, and what repeats it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.app import App
from bot.store import schema
from bot.types import Address, Backfill, Command, Deletion, Edit, InboundMessage
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, FakeAdapter, answer
from tests.support import last_request, rows, words

GENERAL = Address("fake", "W1", "C-general")
ANNS = Address("fake", "W1", "D-ann", "T1")
EVERYWHERE = (schema.conversations, schema.inbox, schema.messages, schema.turns, schema.feedback, schema.outcomes)


def shared(platform: FakeAdapter, text: str, **more: Any) -> InboundMessage:
    """A question of Ben's in a place that many read."""
    given = {"address": GENERAL, "author": BEN, "is_direct": False, "mentions_bot": True}
    return platform.says(text, **{**given, **more})


def forgets(platform: FakeAdapter) -> Command:
    """Ben wants forgotten what he said there."""
    return platform.commands("forget", address=GENERAL, author=BEN, is_direct=False, ephemeral=True)


async def kept(app: App, word: str) -> list[str]:
    """Where the word stands."""
    return [table.name for table in EVERYWHERE for row in await rows(app, table) if word in str(tuple(row))]


async def test_a_title_goes_with_its_words(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """A conversation is named by what was said first: worded anew it has another name, deleted none."""
    async with make_app(database_url=store_url) as app:
        asked = shared(platform, "HERON")
        await answer(app, platform, asked)
        await answer(app, platform, Edit("X1", asked.message_id, GENERAL, BEN, "STORK"))
        assert await kept(app, "HERON") == []
        assert [row.title for row in await rows(app, schema.conversations)] == ["STORK"]
        await app.accept(Deletion("X2", asked.message_id, GENERAL))
        assert await kept(app, "STORK") == []


async def test_a_second_delivery_of_a_message_keeps_no_words(app: App, platform: FakeAdapter) -> None:
    """A mention that arrives as two events is kept once, so deleting it leaves nothing of either."""
    asked = shared(platform, "HERON")
    await answer(app, platform, asked)
    assert (await app.accept(replace(asked, event_id="again"))).outcome == "repeated"
    await app.accept(Deletion("X", asked.message_id, GENERAL))
    assert await kept(app, "HERON") == []


async def test_a_message_that_was_deleted_before_it_arrived_is_not_answered(app: App, platform: FakeAdapter) -> None:
    """Deliveries overtake one another: a message whose deletion came first is neither kept nor answered."""
    asked = shared(platform, "HERON")
    await app.accept(Deletion("X", asked.message_id, GENERAL))
    assert (await app.accept(asked)).outcome == "ignored"
    assert await kept(app, "HERON") == []
    elsewhere = replace(asked, event_id="E-other", address=replace(GENERAL, channel="C-other"))
    assert (await app.accept(elsewhere)).outcome == "queued"


async def test_what_was_forgotten_is_not_fetched_again(
    make_app: MakeApp, platform: FakeAdapter, store_url: str
) -> None:
    """It may still stand at the platform: neither a late delivery nor the context of a later question brings it back."""
    async with make_app(database_url=store_url) as app:
        asked = shared(platform, "HERON")
        shown = await answer(app, platform, asked)
        ours = next(key for key, post in platform.posts.items() if post.turn_id == shown.turn_id)
        await answer(app, platform, forgets(platform))
        assert (await app.accept(replace(asked, event_id="again"))).outcome == "ignored"
        repeated = shared(platform, "You said: HERON", message_id=ours)
        platform.before = Backfill((asked, repeated, shared(platform, "lunch?")))
        await answer(app, platform, shared(platform, "what is new?"))
        assert words(last_request(app)) == ["lunch?", "what is new?"]
        assert await kept(app, "HERON") == []


async def test_what_was_known_as_context_alone_is_forgotten_for_good(app: App, platform: FakeAdapter) -> None:
    """Parley never heard it itself: forgotten, it is fetched for nobody again."""
    unheard = shared(platform, "HERON", mentions_bot=False)
    platform.before, platform.may_read = Backfill((unheard,)), lambda person, place: True
    await answer(app, platform, platform.says("what is new?", address=ANNS))
    await answer(app, platform, forgets(platform))
    await answer(app, platform, platform.says("and now?", address=Address("fake", "W1", "D-ann", "T2")))
    assert "HERON" not in str(words(last_request(app))) and await kept(app, "HERON") == []


async def test_what_a_message_menu_repeats_goes_with_the_original(
    make_app: MakeApp, platform: FakeAdapter, store_url: str
) -> None:
    """Ann had Ben's message translated: when he deletes, words it anew or forgets it, the translation goes too."""
    async with make_app(database_url=store_url) as app:
        changes = (
            lambda said: Deletion("X1", said.message_id, GENERAL),
            lambda said: Edit("X2", said.message_id, GENERAL, BEN, "better"),
            lambda said: forgets(platform),
        )
        for change in changes:
            said = shared(platform, "HERON", mentions_bot=False)
            await app.accept(said)
            about = {"about_message_id": said.message_id, "about_author_id": BEN.id}
            menu = shared(platform, "HERON", author=ANN, intent="translate", ephemeral=True, **about)
            await answer(app, platform, menu)
            assert await kept(app, "HERON")
            done = await app.accept(change(said))
            if done.turn_id:
                await platform.answered(done.turn_id)
            assert await kept(app, "HERON") == []


async def test_what_repeats_our_answer_goes_with_its_question(app: App, platform: FakeAdapter) -> None:
    """A translation of our answer is gone when the question is deleted: the answer repeats it."""
    asked = shared(platform, "HERON")
    shown = await answer(app, platform, asked)
    ours = next(key for key, post in platform.posts.items() if post.turn_id == shown.turn_id)
    menu = shared(platform, "You said: HERON", author=ANN, intent="translate", ephemeral=True, about_message_id=ours)
    await answer(app, platform, menu)
    await app.accept(Deletion("X", asked.message_id, GENERAL))
    assert await kept(app, "HERON") == []


async def test_copies_of_an_answer_go_when_it_is_given_anew(app: App, platform: FakeAdapter) -> None:
    """Ben words his question anew: the old answer, fetched as context into Ann's conversation, is gone there too."""
    asked = shared(platform, "HERON")
    shown = await answer(app, platform, asked)
    ours = next(key for key, post in platform.posts.items() if post.turn_id == shown.turn_id)
    platform.before = Backfill((asked, shared(platform, shown.text, author=replace(BEN, id=""), message_id=ours)))
    await answer(app, platform, platform.says("what is new?", address=ANNS))
    platform.before = Backfill()
    await answer(app, platform, Edit("X", asked.message_id, GENERAL, BEN, "STORK"))
    assert await kept(app, "HERON") == []


async def test_context_is_read_no_more_than_its_channel(app: App, platform: FakeAdapter) -> None:
    """Who may no longer read a channel gets nothing of what was once fetched from it for them."""
    platform.before = Backfill((shared(platform, "HERON"),))
    platform.may_read = lambda person, place: place == GENERAL
    await answer(app, platform, platform.says("what is new?", address=ANNS))
    platform.before = Backfill()
    await answer(app, platform, platform.says("and now?", address=ANNS))
    assert "HERON" in str(words(last_request(app)))
    platform.may_read = lambda person, place: False
    await answer(app, platform, platform.says("and now?", address=ANNS))
    assert "HERON" not in str(words(last_request(app))[:1])
