"""What was said in one place is seen by nobody who was not there: searches, copies fetched as context, deleting and forgetting."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.app import App
from bot.engine.commands import SPECS
from bot.inbox import Inbox
from bot.policy.limits import Limits
from bot.policy.visibility import searchable_from
from bot.ports import Job
from bot.store import Store, answers, context, deletion, open_store, schema, turns
from bot.store.bus import MemoryBus
from bot.store.migrate import migrate
from bot.store.search import search_messages
from bot.types import Address, Author, Backfill, Deletion, Edit, InboundMessage, Message, Reply, Text
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, FakeAdapter, FakeClock, answer
from tests.support import last_request, rows, spoken

GENERAL = Address("fake", "W1", "C-general")
ANNS = Address("fake", "W1", "D-ann", "T1")
BENS = Address("fake", "W1", "D-ben", "T1")


def shared(platform: FakeAdapter, text: str, author: Author, **more: Any) -> InboundMessage:
    """A message in a place that many read."""
    return platform.says(text, **{"address": GENERAL, "is_direct": False, "author": author, **more})


async def searched(
    app: App, platform: FakeAdapter, word: str, author: Author, address: Address, *, is_direct: bool = False
) -> str:
    """What `/search` answers this person there."""
    asked = platform.commands(
        "search", word, address=address, author=author, is_direct=is_direct, ephemeral=not is_direct
    )
    return (await answer(app, platform, asked)).text


async def asked_with_general_before_her(app: App, platform: FakeAdapter, text: str, *before: InboundMessage) -> None:
    """Ann writes to Parley alone while she looks at #general, whose messages come along as context."""
    platform.before = Backfill(before)
    await answer(app, platform, platform.says(text, address=ANNS))
    platform.before = Backfill()


async def answered_in_general(app: App, platform: FakeAdapter, text: str) -> tuple[InboundMessage, InboundMessage]:
    """Ben asks in #general; gives his question and our answer as the platform shows them to others."""
    asked = shared(platform, text, BEN, mentions_bot=True)
    shown = await answer(app, platform, asked)
    post_id = next(key for key, post in platform.posts.items() if post.turn_id == shown.turn_id)
    return asked, shared(platform, shown.text, Author("", "Parley", True), message_id=post_id)


# --- copies fetched as context ---


async def test_what_is_said_to_parley_alone_is_found_by_nobody_else(
    make_app: MakeApp, platform: FakeAdapter, store_url: str
) -> None:
    """A colleague whose words were fetched as context into a direct conversation does not find that conversation."""
    async with make_app(database_url=store_url) as app:
        lunch = shared(platform, "lunch at noon?", BEN)
        await app.accept(lunch)
        await asked_with_general_before_her(app, platform, "draft my resignation letter: ZEBRA", lunch)
        for address, is_direct in ((BENS, True), (GENERAL, False)):
            assert (await searched(app, platform, "ZEBRA", BEN, address, is_direct=is_direct)).startswith("Nothing")
        assert "ZEBRA" in await searched(app, platform, "ZEBRA", ANN, ANNS, is_direct=True)
        taken_part = [one.address.channel for one in await app.host.timeline.conversations("fake", "W1", BEN.id)]
        assert sorted(taken_part) == ["C-general", "D-ben"]


async def test_a_deleted_message_leaves_every_copy(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """Deleted at the platform, a message is gone from the conversations into which it was fetched as context, known here or not."""
    platform.may_read = lambda reader, place: place == GENERAL
    async with make_app(database_url=store_url) as app:
        heard, unheard = shared(platform, "my diagnosis is HERON", BEN), shared(platform, "HERON for ever", BEN)
        await app.accept(heard)
        await asked_with_general_before_her(app, platform, "what is new?", heard, unheard)
        assert spoken(last_request(app))[:2] == [("Ben", "my diagnosis is HERON"), ("Ben", "HERON for ever")]
        for number, message in enumerate((heard, unheard)):
            deleted = await app.accept(Deletion(f"X{number}", message.message_id, GENERAL, BEN))
            assert deleted.outcome == "done"
        assert not [row for row in await rows(app, schema.messages) if "HERON" in row.text + str(row.parts)]
        await answer(app, platform, platform.says("and now?", address=ANNS))
        assert not [text for name, text in spoken(last_request(app)) if "HERON" in text and name == "Ben"]


async def test_a_deleted_question_takes_the_copies_of_its_answer_along(app: App, platform: FakeAdapter) -> None:
    """Our answer repeats what was asked: with the question it leaves the conversations into which it was fetched as context."""
    asked, ours = await answered_in_general(app, platform, "my diagnosis is HERON")
    await asked_with_general_before_her(app, platform, "what is new?", asked, ours)
    await app.accept(Deletion("X", asked.message_id, GENERAL, BEN))
    assert not [row for row in await rows(app, schema.messages) if "HERON" in row.text + str(row.parts)]


async def test_forgetting_ones_words_as_context_spares_the_question(app: App, platform: FakeAdapter) -> None:
    """Who forgets what others fetched to ask about takes their own words along, not the question nor its answer."""
    thread = replace(GENERAL, thread="T9")
    platform.before = Backfill((shared(platform, "HERON", BEN, address=thread),))
    await answer(app, platform, shared(platform, "sum up", ANN, address=thread, mentions_bot=True))
    platform.before = Backfill()
    await answer(
        app, platform, platform.commands("forget", address=GENERAL, author=BEN, is_direct=False, ephemeral=True)
    )
    left = [row.text.partition("\n")[0] for row in await rows(app, schema.messages)]
    assert left[:2] == ["sum up", "You said: sum up"] and "HERON" not in left


async def test_a_deletion_spares_the_copies_of_others(app: App, platform: FakeAdapter) -> None:
    """An id is unique in its channel only: a message of another channel that has the same one stays."""
    here = shared(platform, "here", BEN)
    there = replace(here, text="there", address=Address("fake", "W1", "C-other"))
    await asked_with_general_before_her(app, platform, "hi", here, there)
    await app.accept(Deletion("X", here.message_id, GENERAL, BEN))
    assert [row.text for row in await rows(app, schema.messages) if row.is_context] == ["there"]


async def test_forgetting_reaches_every_copy(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """`/forget` in a channel takes what the person said there out of everybody's context, with our answers to it; others' stays."""
    async with make_app(database_url=store_url) as app:
        asked, ours = await answered_in_general(app, platform, "my diagnosis is HERON")
        lunch = shared(platform, "lunch?", ANN)
        await app.accept(lunch)
        await asked_with_general_before_her(app, platform, "what is new?", asked, ours, lunch)
        assert len([row for row in await rows(app, schema.messages) if "HERON" in row.text and row.is_context]) == 2
        forgotten = platform.commands("forget", address=GENERAL, author=BEN, is_direct=False, ephemeral=True)
        assert "Forgotten: 2 messages" in (await answer(app, platform, forgotten)).text
        left = await rows(app, schema.messages)
        assert not [row for row in left if "HERON" in row.text + str(row.parts)]
        assert [row.text for row in left if row.is_context] == ["lunch?"]


async def test_an_edit_reaches_every_copy(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """Edited at the platform, a message reads as it does now wherever it was fetched to."""
    platform.may_read = lambda reader, place: place == GENERAL
    async with make_app(database_url=store_url) as app:
        heard, unheard = shared(platform, "HERON", BEN), shared(platform, "STORK", BEN)
        await app.accept(heard)
        await asked_with_general_before_her(app, platform, "what is new?", heard, unheard)
        for number, (message, text) in enumerate(((heard, "a"), (unheard, "b"))):
            assert (await app.accept(Edit(f"X{number}", message.message_id, GENERAL, BEN, text))).outcome == "noted"
        await answer(app, platform, platform.says("and now?", address=ANNS))
        assert spoken(last_request(app))[:2] == [("Ben", "a"), ("Ben", "b")]


async def test_a_message_that_was_fetched_before_it_arrived_is_answered(
    make_app: MakeApp, platform: FakeAdapter, store_url: str
) -> None:
    """A copy is not "seen before": the message itself, delivered later, is answered once, and stands once in the history."""
    async with make_app(database_url=store_url) as app:
        thread = replace(GENERAL, thread="T9")
        late = shared(platform, "and what about me?", BEN, address=thread, mentions_bot=True)
        platform.before = Backfill((late,))
        await answer(app, platform, shared(platform, "hello", ANN, address=thread, mentions_bot=True))
        assert (await answer(app, platform, late)).text.startswith("You said:")
        assert spoken(last_request(app)).count(("Ben", "and what about me?")) == 1
        assert (await app.accept(replace(late, event_id="again"))).outcome == "repeated"
        found = [row for row in await rows(app, schema.messages) if row.text == "and what about me?"]
        assert [(row.ordinal, row.is_context) for row in found] == [(0, False)]


async def test_a_copy_is_found_by_no_search(app: App, platform: FakeAdapter) -> None:
    """Context fetched from elsewhere is not what was said here: the search of the conversation's own person passes it by."""
    await asked_with_general_before_her(app, platform, "what is new?", shared(platform, "the CODE is 4711", BEN))
    assert (await searched(app, platform, "CODE", ANN, ANNS, is_direct=True)).startswith("Nothing")


# --- places ---


async def test_a_private_thread_is_not_found_from_its_channel(app: App, platform: FakeAdapter) -> None:
    """Threads share their channel's id and not its readers: the platform says who may read one; in it, one searches it anyway."""
    private = replace(GENERAL, thread="T-private")
    platform.may_read = lambda reader, place: place != private or reader == ANN
    await answer(app, platform, shared(platform, "ALBATROSS", ANN, address=private, mentions_bot=True))
    await answer(app, platform, shared(platform, "hello", BEN, mentions_bot=True))
    for address, is_direct in ((GENERAL, False), (replace(GENERAL, thread="T2"), False), (BENS, True)):
        assert (await searched(app, platform, "ALBATROSS", BEN, address, is_direct=is_direct)).startswith("Nothing")
    assert "ALBATROSS" in await searched(app, platform, "ALBATROSS", ANN, GENERAL)
    assert "ALBATROSS" in await searched(app, platform, "ALBATROSS", BEN, private)
    assert (await searched(app, platform, "ALBATROSS", BEN, GENERAL)).startswith(
        "Nothing"
    )  # nobody there saw that he looked


async def test_who_left_finds_nothing_any_more(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """Having spoken somewhere is no right to read on: what the platform lets one read now is found, from wherever one searches."""
    async with make_app(database_url=store_url) as app:
        await answer(app, platform, shared(platform, "GANNET one", BEN, mentions_bot=True))
        platform.may_read = lambda reader, place: place == GENERAL
        assert "GANNET" in await searched(app, platform, "GANNET", BEN, BENS, is_direct=True)
        assert "GANNET" in await searched(app, platform, "GANNET", ANN, ANNS, is_direct=True)
        platform.may_read = lambda reader, place: False
        for author, place in ((BEN, BENS), (ANN, ANNS)):
            assert (await searched(app, platform, "GANNET", author, place, is_direct=True)).startswith("Nothing")


async def test_the_platform_is_asked_little(app: App, platform: FakeAdapter) -> None:
    """It is asked about each place that holds a match once, and about no other; about the place one searches in, never."""
    for number in range(4):
        place = Address("fake", "W1", f"C-{number % 2}")
        text = f"the {'GANNET' if number < 3 else 'other'} {number}"
        await answer(app, platform, shared(platform, text, BEN, address=place, mentions_bot=True))
    await searched(app, platform, "GANNET", ANN, Address("fake", "W1", "C-1"))
    assert platform.asked_rights == [{Address("fake", "W1", "C-0")}]


async def test_who_may_read_little_finds_that_all_the_same(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Newer matches that one may not read do not hide the older ones that one may, as far as a search looks."""
    async with make_app(limits=Limits(search_page=2, search_pages=3, search_places=3)) as app:
        mine = Address("fake", "W1", "C-mine")
        platform.may_read = lambda reader, place: place == mine
        await app.accept(shared(platform, "GANNET of mine", ANN, address=mine))
        for number in range(4):
            await app.accept(shared(platform, f"GANNET {number}", BEN))
        assert "GANNET of mine" in await searched(app, platform, "GANNET", ANN, ANNS, is_direct=True)
        for number in range(4):
            await app.accept(shared(platform, f"GANNET again {number}", BEN))
        assert (await searched(app, platform, "GANNET", ANN, ANNS, is_direct=True)).startswith("Nothing")


async def test_a_search_of_a_thousand_words_is_refused(app: App, platform: FakeAdapter) -> None:
    """Each word costs a look at every message: the error says how many one may search for."""
    said = await searched(app, platform, "word " * 1_500, ANN, ANNS, is_direct=True)
    assert said == "That is 1,500 words; search for at most 20 at a time."


async def test_a_direct_conversation_is_not_found_from_a_shared_place(app: App, platform: FakeAdapter) -> None:
    """Not even by its own person: what was said to Parley alone stays out of places that others read."""
    await answer(app, platform, platform.says("ZEBRA", address=ANNS))
    assert (await searched(app, platform, "ZEBRA", ANN, GENERAL)).startswith("Nothing")
    assert "ZEBRA" in await searched(app, platform, "ZEBRA", ANN, Address("fake", "W1", "D-ann", "T2"), is_direct=True)


async def test_a_private_answer_in_a_place_of_two_is_found_by_neither(app: App, platform: FakeAdapter) -> None:
    """What one of two was shown alone is in no search, even where the platform took their place for a direct conversation."""
    for is_direct in (True, False):
        two = Address("fake", "W1", f"D-two-{is_direct}")
        private = platform.says("WALRUS", address=two, is_direct=is_direct, intent="translate", ephemeral=True)
        await answer(app, platform, private)
        await answer(
            app, platform, platform.says("hi", address=two, is_direct=is_direct, author=BEN, mentions_bot=True)
        )
        assert (await searched(app, platform, "WALRUS", BEN, two, is_direct=is_direct)).startswith("Nothing")


# --- all histories ---

PEOPLE = (ANN, BEN)
CHANNEL = Address("fake", "W", "C")
PLACES = {
    "ann alone": (Address("fake", "W", "D-ann"), (ANN,), True),
    "ann alone, a thread": (Address("fake", "W", "D-ann", "1"), (ANN,), True),
    "ben alone": (Address("fake", "W", "D-ben"), (BEN,), True),
    "channel": (CHANNEL, PEOPLE, False),
    "channel, a thread": (replace(CHANNEL, thread="1"), PEOPLE, False),
    "ann's private thread": (replace(CHANNEL, thread="2"), (ANN,), False),
    "ben's private thread": (replace(CHANNEL, thread="3"), (BEN,), False),
    "ann's private channel": (Address("fake", "W", "C-ann"), (ANN,), False),
}
"""Where, who may read there, and whether it is direct."""


class NoJobs:
    """Nobody answers: the test says what was answered."""

    name = "nobody"

    async def enqueue(self, job: Job) -> None:
        """Left lying."""


@dataclass(frozen=True)
class Said:
    """A word that was said, or answered, and who could read it there."""

    place: str
    author: Author
    readers: tuple[Author, ...]
    is_whispered: bool


@dataclass
class World:
    """Parley's front door, and what was said through it."""

    store: Store
    inbox: Inbox
    workspace: str
    tenant_id: int
    words: dict[str, Said] = field(default_factory=dict)
    posted: dict[str, InboundMessage] = field(default_factory=dict)
    """What the platform still shows, by its word."""
    count: int = 0

    def at(self, place: str) -> Address:
        """The place in this world's workspace."""
        return replace(PLACES[place][0], workspace=self.workspace)

    async def act(self, place: str, author: Author, what: str) -> None:
        """One person does something at a place where they are."""
        if author not in PLACES[place][1]:
            return
        if what == "forget":
            await self.forget(place, author)
        else:
            await self.say(place, author, what)

    async def say(self, place: str, author: Author, what: str) -> None:
        """A word is said: and answered, for that person's eyes alone, or with all that they may read elsewhere as its context."""
        address, (_, readers, is_direct) = self.at(place), PLACES[place]
        is_whispered = what == "whisper" and not is_direct
        said = Said(place, author, (author,) if is_whispered else readers, is_whispered)
        word = self.word(said)
        message = InboundMessage(
            f"E{word}", f"M{word}", address, author, word, is_direct=is_direct, ephemeral=is_whispered
        )
        accepted = await self.inbox.accept(replace(message, mentions_bot=what != "say"))
        if accepted.turn_id:
            await self.answer(accepted.turn_id, said, self.context_of(author) if what == "copy" else Backfill())
        if not is_whispered:
            self.posted[word] = message

    def word(self, said: Said) -> str:
        """One that was not said before."""
        self.count += 1
        self.words[made := f"word{self.count}x"] = said
        return made

    def context_of(self, author: Author) -> Backfill:
        """All that this person may read."""
        return Backfill(tuple(one for word, one in self.posted.items() if author in self.words[word].readers))

    async def answer(self, turn_id: str, said: Said, before: Backfill) -> None:
        """End the turn with a word."""
        record = await turns.load_turn(self.store, turn_id)
        assert record is not None
        told = Message("assistant", (Text(self.word(said)),))
        outcome = answers.TurnOutcome(record.turn, Reply(told.parts), (told,), for_model=not said.is_whispered)
        async with self.store.begin(self.tenant_id) as tx:
            await context.add_context(tx, record.turn.conversation_id, record.source_id, before)
            await answers.settle(tx, outcome, (), FakeClock().now())

    async def forget(self, place: str, author: Author) -> None:
        """What this person said there, and the answers, are no more; in a direct conversation all that stands there."""
        async with self.store.begin(self.tenant_id) as tx:
            await deletion.forget(tx, self.at(place), None if PLACES[place][2] else author.id)
        channel = PLACES[place][0].channel
        gone = [w for w, s in self.words.items() if s.author == author and PLACES[s.place][0].channel == channel]
        assert not [row.text for row in await self.rows() if row.text in gone]
        for word in gone:
            del self.words[word]
            self.posted.pop(word, None)

    async def rows(self) -> list[Any]:
        """All messages of this world."""
        async with self.store.read(self.tenant_id) as tx:
            query = schema.messages.select().where(schema.messages.c.tenant_id == self.tenant_id)
            return list(await tx.connection.execute(query))

    async def found(self, author: Author, place: str) -> set[str]:
        """The words that this person finds from there."""
        scope = searchable_from(self.at(place), author.id, is_direct=PLACES[place][2])
        async with self.store.read(self.tenant_id) as tx:
            hits = await search_messages(tx, ["word"], scope, 1_000)
        there = replace(CHANNEL, workspace=self.workspace)
        allowed = self.readable(author)
        places = [(hit, replace(there, channel=hit.channel, thread=hit.thread)) for hit in hits]
        return {hit.text for hit, at in places if hit.is_direct or scope.is_open(at) or at in allowed}

    def readable(self, author: Author) -> set[Address]:
        """The shared places that the platform lets this person read."""
        return {
            self.at(place) for place, (_, readers, is_direct) in PLACES.items() if author in readers and not is_direct
        }

    def findable(self, author: Author, place: str) -> set[str]:
        """The words that the rule lets this person find from there: those that all could read, in the places it includes."""
        scope = searchable_from(self.at(place), author.id, is_direct=PLACES[place][2])
        open_words = {word: said for word, said in self.words.items() if not said.is_whispered}
        speakers = {there: {said.author.id for said in open_words.values() if said.place == there} for there in PLACES}
        return {
            word
            for word, said in open_words.items()
            if scope.includes(
                self.at(said.place), speakers[said.place], self.readable(author), is_direct=PLACES[said.place][2]
            )
        }


ACTS = st.lists(
    st.tuples(
        st.sampled_from(sorted(PLACES)),
        st.sampled_from(PEOPLE),
        st.sampled_from(("say", "ask", "whisper", "copy", "copy", "forget")),
    ),
    max_size=10,
)


async def played(store_url: str, acts: list[tuple[str, Author, str]]) -> None:
    """Live through that history, then look from everywhere for what is seen too much or too little."""
    store = open_store(store_url, pool_size=1)
    try:
        inbox = Inbox(store, NoJobs(), MemoryBus(), FakeClock(), SPECS)  # type: ignore[arg-type]
        workspace = uuid.uuid4().hex
        world = World(store, inbox, workspace, await inbox.tenant_of(Address("fake", workspace, "")))
        for act in acts:
            await world.act(*act)
        for place, (_, readers, _) in PLACES.items():
            for person in readers:
                found = await world.found(person, place)
                assert found <= {word for word, said in world.words.items() if person in said.readers}
                assert found == world.findable(person, place)
    finally:
        await store.close()


async def migrated_store(store_url: str) -> None:
    """Bring an empty database to the newest revision."""
    store = open_store(store_url)
    await migrate(store)
    await store.close()


def test_no_history_lets_one_person_read_what_only_another_could(store_url: str) -> None:
    """Whatever two people said, asked, fetched as context and forgot, in direct and shared places and in threads beside them: each
    finds from each place only what they could read, and all that was said at that very place; what is forgotten is nowhere.
    """
    asyncio.run(migrated_store(store_url))
    live_through(store_url, 60 if store_url.startswith("sqlite") else 15)


@pytest.mark.hard
def test_no_history_of_thousands_lets_one_person_read_what_only_another_could(store_url: str) -> None:
    """The same over 2,000 histories on SQLite and 400 on PostgreSQL."""
    asyncio.run(migrated_store(store_url))
    live_through(store_url, 2_000 if store_url.startswith("sqlite") else 400)


def live_through(store_url: str, examples: int) -> None:
    """Play that many random histories, each followed by searches of both people from every place."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(acts=ACTS)
    def lives(acts: list[tuple[str, Author, str]]) -> None:
        asyncio.run(played(store_url, acts))

    lives()
