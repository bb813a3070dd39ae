"""What was accepted is answered once, whatever happens around `accept`: edits, deletions, repeats, interruptions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.app import App
from bot.engine.commands import SPECS
from bot.errors import OverloadedError, PlatformError, RefusedByStoreError, StoreError
from bot.inbox import Inbox
from bot.ports import Job
from bot.store import answers, open_store, schema, turns
from bot.store.bus import MemoryBus
from bot.store.migrate import migrate
from bot.types import Address, ButtonPress, Deletion, Edit, Image, Receipt, Reply, Turn
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, HERE, FakeAdapter, FakeClock, answer, ended
from tests.support import echo, last_request, rows, words

ROOM = Address("fake", "W1", "C-all")


async def test_a_question_changed_while_it_waits_is_answered_once(app: App, platform: FakeAdapter) -> None:
    """Edited before anybody began to answer it, a question gets one post, with the answer to its new words."""
    gate = asyncio.Event()
    echo(app).enqueue(gate, "first")
    first = await app.accept(platform.says("one"))
    message = platform.says("secnod")
    second = await app.accept(message)
    edited = await app.accept(Edit("X1", message.message_id, HERE, ANN, "second"))
    gate.set()
    await ended(app, first.turn_id)
    await ended(app, edited.turn_id)
    await ended(app, second.turn_id)
    assert sorted(shown.text.partition("\n")[0] for shown in platform.posts.values()) == ["You said: second", "first"]
    assert len([call for call in echo(app).calls if call.modality == "chat"]) == 2


async def test_a_question_changed_while_it_is_answered_keeps_its_post(app: App, platform: FakeAdapter) -> None:
    """Edited in mid-answer, the question's one post ends with the answer to the new words, and the history has only these."""
    message = platform.says("[[slow 0.02]] one two three four five six seven eight nine ten")
    await app.accept(message)
    await platform.until(lambda me: any(shown.versions for shown in me.posts.values()))
    edited = await app.accept(Edit("X1", message.message_id, HERE, ANN, "shorter"))
    await platform.answered(edited.turn_id)
    await ended(app, edited.turn_id)
    assert [shown.text for shown in platform.posts.values()] == ["You said: shorter"]
    assert [(row.role, row.text) for row in await rows(app, schema.messages)] == [
        ("user", "shorter"),
        ("assistant", "You said: shorter"),
    ]


async def test_a_change_taken_back_is_a_change(app: App, platform: FakeAdapter) -> None:
    """Edited and edited back while the answer runs, the question is answered as it stands."""
    message = platform.says("A")
    await answer(app, platform, message)
    gate = asyncio.Event()
    echo(app).enqueue(gate, "to B")
    await app.accept(Edit("X1", message.message_id, HERE, ANN, "B"))
    back = await app.accept(Edit("X2", message.message_id, HERE, ANN, "A"))
    gate.set()
    assert back.outcome == "queued"
    await platform.answered(back.turn_id)
    await ended(app, back.turn_id)
    assert [(row.role, row.text) for row in await rows(app, schema.messages)] == [
        ("user", "A"),
        ("assistant", "You said: A"),
    ]


async def test_words_that_were_changed_leave_nothing(app: App, platform: FakeAdapter) -> None:
    """After an edit and a deletion, neither the old nor the new words stand anywhere in the database."""
    message = platform.says("the old treasure")
    await answer(app, platform, message)
    edited = await app.accept(Edit("X1", message.message_id, HERE, ANN, "the new treasure"))
    await ended(app, edited.turn_id)
    await app.accept(Deletion("X2", message.message_id, HERE))
    for table in (schema.inbox, schema.messages):
        assert "treasure" not in repr(await rows(app, table))


async def test_deleting_our_answer_leaves_the_question(app: App, platform: FakeAdapter) -> None:
    """When a post of ours is deleted, the answer leaves the history; while it is written anew, nothing happens."""
    message = platform.says("why?")
    await answer(app, platform, message)
    gate = asyncio.Event()
    echo(app).enqueue(gate, "because")
    again = await app.accept(ButtonPress("P1", message.message_id, HERE, ANN, "regenerate"))
    assert (await app.accept(Deletion("X1", "R1", HERE))).outcome == "ignored"
    gate.set()
    await ended(app, again.turn_id)
    assert [row.text for row in await rows(app, schema.messages)] == ["why?", "because"]
    assert (await app.accept(Deletion("X2", "R1", HERE))).outcome == "done"
    assert [row.text for row in await rows(app, schema.messages)] == ["why?"]


async def test_who_gives_up_waiting_loses_nothing(make_app: MakeApp, platform: FakeAdapter) -> None:
    """A delivery whose connection breaks at any moment is answered once it is delivered again, and once only."""
    async with make_app() as app:
        for number in range(40):
            message = platform.says(f"q{number}", address=Address("fake", "W1", f"C{number}"))
            delivered = asyncio.create_task(app.accept(message))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            delivered.cancel()
            await asyncio.gather(delivered, return_exceptions=True)
            await app.accept(message)
        async with asyncio.timeout(20):
            while await turns.unfinished(app.store) or len(platform.posts) < 40:
                await asyncio.sleep(0.01)
        assert sorted(shown.text for shown in platform.posts.values()) == sorted(
            f"You said: q{number}" for number in range(40)
        )


async def test_a_job_that_was_not_handed_over_is_when_it_is_delivered_again(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the jobs are away right after an event was written down, its repeat brings it to them."""
    enqueue = app.jobs.enqueue

    async def away(job: Job) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(app.jobs, "enqueue", away)
    message = platform.says("hello")
    accepted = await app.accept(message)
    monkeypatch.setattr(app.jobs, "enqueue", enqueue)
    assert (await app.accept(message)).outcome == "repeated"
    assert (await platform.answered(accepted.turn_id)).text == "You said: hello"


async def test_a_stop_that_cannot_be_passed_on_loses_nothing(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the bus is away, an edit is accepted all the same, and the new answer comes after the old one."""
    gate = asyncio.Event()
    echo(app).enqueue(gate, "old")
    message = platform.says("a question")
    first = await app.accept(message)

    async def away(*_: Any) -> None:
        raise StoreError("away")

    monkeypatch.setattr(app.bus, "publish", away)
    edited = await app.accept(Edit("X1", message.message_id, HERE, ANN, "another"))
    gate.set()
    await ended(app, first.turn_id)
    assert (await platform.answered(edited.turn_id)).text == "You said: another"


async def test_an_answer_that_stands_is_not_written_over(
    app: App, platform: FakeAdapter, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the database fails after the answer was shown, the answer stays as it is, and is in the history once there is room."""

    async def full(*_: Any, **__: Any) -> None:
        raise StoreError("full")

    with monkeypatch.context() as broken:
        broken.setattr(answers, "settle", full)
        accepted = await app.accept(platform.says("hello"))
        shown = await platform.answered(accepted.turn_id)
        async with asyncio.timeout(10):
            while len(clock.slept) < 6:
                await asyncio.sleep(0.001)
    await ended(app, accepted.turn_id)
    assert (shown.text, shown.finishes, len(platform.posts)) == ("You said: hello", 1, 1)
    assert [row.text for row in await rows(app, schema.messages)] == ["hello", "You said: hello"]


async def test_what_cannot_be_settled_is_settled_at_the_next_start(
    make_app: MakeApp, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn whose end could not be written down is written down by the next start, without asking any model again."""

    async def full(*_: Any, **__: Any) -> None:
        raise StoreError("full")

    async with make_app(durable=True) as app:
        with monkeypatch.context() as broken:
            broken.setattr(answers, "settle", full)
            accepted = await app.accept(platform.says("hello"))
            await platform.answered(accepted.turn_id)
            await app.jobs.close(0.05)
    async with make_app(durable=True) as app:
        await ended(app, accepted.turn_id)
        assert [row.text for row in await rows(app, schema.messages)] == ["hello", "You said: hello"]
        assert not [call for call in echo(app).calls if call.modality == "chat"]


async def test_an_answer_that_can_never_be_kept_ends_its_turn(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database refuses for good, by a fault of ours, is left out of the history; the turn ends, the answer stays."""
    settle = answers.settle

    async def refuse(tx: Any, outcome: answers.TurnOutcome, *more: Any) -> None:
        if outcome.reply.parts:
            raise RefusedByStoreError("never")
        await settle(tx, outcome, *more)

    monkeypatch.setattr(answers, "settle", refuse)
    shown = await answer(app, platform, platform.says("hello"))
    assert (shown.text, shown.finishes) == ("You said: hello", 1)
    assert [row.state for row in await rows(app, schema.turns)] == ["failed"]


async def test_a_platform_that_refuses_the_end_is_not_told_twice(app: App, platform: FakeAdapter) -> None:
    """When the last words cannot be shown, no second message takes their place, and the turn ends as failed."""
    finish, refusals = platform.finish, 0

    async def refuse(receipt: Receipt, reply: Reply) -> Receipt:
        nonlocal refusals
        refusals += 1
        raise PlatformError("message_not_found")

    platform.finish = refuse  # type: ignore[method-assign]
    accepted = await app.accept(platform.says("hello"))
    await ended(app, accepted.turn_id)
    platform.finish = finish  # type: ignore[method-assign]
    assert (refusals, platform.opened) == (1, [accepted.turn_id])
    assert [row.state for row in await rows(app, schema.turns)] == ["failed"]


async def test_a_place_where_we_may_not_write_is_a_line_in_the_log(
    app: App, platform: FakeAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    """When nothing can be posted at all, the turn ends as failed after one try, with one warning and no traceback."""
    tries = 0

    async def refuse(turn: Turn) -> Receipt:
        nonlocal tries
        tries += 1
        raise PlatformError("not allowed here")

    platform.open = refuse  # type: ignore[method-assign]
    accepted = await app.accept(platform.says("hello"))
    await ended(app, accepted.turn_id)
    assert tries == 1
    assert [record.levelname for record in caplog.records if record.name.startswith("bot")] == ["WARNING"]


async def test_two_processes_make_one_turn_of_one_post(
    postgres_url: str, platform: FakeAdapter, clock: FakeClock
) -> None:
    """A mention that two processes hear at once, by two events, is one turn."""
    store = open_store(postgres_url)
    await migrate(store)
    got: list[Job] = []

    class Jobs:
        name = "j"

        async def enqueue(self, job: Job) -> None:
            got.append(job)

    one, two = (Inbox(store, Jobs(), MemoryBus(), clock, SPECS) for _ in "ab")  # type: ignore[arg-type]
    for number in range(20):
        message = platform.says("hi", address=Address("fake", "W1", "C", f"T{number}"), mentions_bot=True)
        await asyncio.gather(one.accept(message), two.accept(replace(message, event_id=f"{message.event_id}x")))
    assert len(got) == 20
    await store.close()


async def test_a_turn_that_nobody_was_handed_is_found(
    make_app: MakeApp, platform: FakeAdapter, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PostgreSQL: what one process wrote down and did not live to hand over is answered by a living one."""
    async with make_app(durable=True, sweep_s=0.05, database_url=postgres_url) as app:
        enqueue = app.jobs.enqueue

        async def killed(job: Job) -> None:
            raise ConnectionError("the process died here")

        monkeypatch.setattr(app.jobs, "enqueue", killed)
        accepted = await app.accept(platform.says("hello"))
        monkeypatch.setattr(app.jobs, "enqueue", enqueue)
        await app.clock.sleep(60)
        assert (await platform.answered(accepted.turn_id)).text == "You said: hello"
        await ended(app, accepted.turn_id)


@pytest.mark.parametrize("bad", ["a\x00b", "a\ud835b"])
async def test_letters_that_cannot_be_kept(make_app: MakeApp, platform: FakeAdapter, store_url: str, bad: str) -> None:
    """NUL and half surrogate pairs are replaced at the door, on both databases; the rest is answered."""
    async with make_app(database_url=store_url) as app:
        assert (await answer(app, platform, platform.says(bad))).text == "You said: a\ufffdb"


async def test_a_private_answer_is_found_by_nobody_else(app: App, platform: FakeAdapter) -> None:
    """What one person searched or asked for privately in a channel is in nobody's search there."""
    board = Address("fake", "W1", "C-board")
    salary = platform.says("my salary is zebra 100k", address=board, is_direct=False, mentions_bot=True)
    await answer(app, platform, salary)
    platform.may_read = lambda reader, place: reader == ANN
    private = {"address": ROOM, "is_direct": False, "ephemeral": True}
    assert "100k" in (await answer(app, platform, platform.commands("search", "zebra", **private))).text
    found = await answer(app, platform, platform.commands("search", "zebra", author=BEN, **private))
    assert "100k" not in found.text


async def test_what_one_person_sees_is_not_in_the_others_talk(app: App, platform: FakeAdapter) -> None:
    """A message action whose answer only its author sees does not reach the model with other people's questions."""
    told = platform.says("Bob is to be fired", address=ROOM, is_direct=False, intent="summarize", ephemeral=True)
    await answer(app, platform, told)
    await answer(app, platform, platform.says("hi", address=ROOM, is_direct=False, mentions_bot=True, author=BEN))
    assert words(last_request(app)) == ["hi"]


async def test_vary_changes_the_picture_above_it(app: App, platform: FakeAdapter) -> None:
    """Vary and Edit under an older picture make another of that very picture, whatever the chat model can do."""
    cat = platform.says("draws", message_id="M-cat")
    first = await answer(app, platform, platform.commands("imagine", "a cat", message_id="M-cat2"))
    await answer(app, platform, platform.commands("imagine", "a dog"))
    assert cat and first.reply
    (old,) = (part for part in first.reply.parts if isinstance(part, Image))
    for action, value in (("vary", ""), ("edit_image", "make it red")):
        pressed = await app.accept(ButtonPress(f"P-{action}", "M-cat2", HERE, ANN, action, value))  # type: ignore[arg-type]
        shown = await platform.answered(pressed.turn_id)
        await ended(app, pressed.turn_id)
        assert shown.reply and [type(part) for part in shown.reply.parts] == [Image]
        asked = [call for call in echo(app).calls if call.modality == "image"][-1]
        async with app.store.read(1) as tx:
            kept = (
                await tx.connection.execute(schema.blobs.select().where(schema.blobs.c.sha256 == old.blob.sha256))
            ).one()
        assert [picture.data for picture in asked.extra["images"]] == [kept.data]
        assert value in asked.request


async def test_a_buttons_turn_can_be_stopped(app: App, platform: FakeAdapter) -> None:
    """While Continue is being answered, it is found by the press's own id, and Stop under it stops it."""
    message = platform.says("go")
    await answer(app, platform, message)
    pressed = await app.accept(ButtonPress("P1", message.message_id, HERE, ANN, "continue"))
    assert (await app.accept(ButtonPress("P2", "P1", HERE, ANN, "stop"))).outcome in ("done", "ignored")
    shown = await platform.answered(pressed.turn_id)
    assert shown.reply is not None


async def test_asked_again_by_a_button_it_is_answered_by_the_buttons_means(app: App, platform: FakeAdapter) -> None:
    """Regenerate brings what the adapter needs to answer it now, such as a fresh token; the rest is of the question."""
    seen: list[dict[str, str]] = []
    opened = platform.open

    async def look(turn: Turn) -> Receipt:
        seen.append(dict(turn.inbound.ref))
        return await opened(turn)

    platform.open = look  # type: ignore[method-assign]
    message = platform.says("hello", ref={"token": "old", "kept": "1"})
    await answer(app, platform, message)
    again = await app.accept(ButtonPress("P1", message.message_id, HERE, ANN, "regenerate", ref={"token": "fresh"}))
    await ended(app, again.turn_id)
    assert seen == [{"token": "old", "kept": "1"}, {"token": "fresh", "kept": "1"}]


async def test_forgetting_in_a_shared_place_is_ones_own(app: App, platform: FakeAdapter) -> None:
    """In a channel, `/forget` deletes what its asker said there, in every thread, and the answers; others' words stay."""
    thread = replace(ROOM, thread="T1")
    shared = {"is_direct": False, "mentions_bot": True}
    await answer(app, platform, platform.says("the red treasure", address=thread, **shared))
    await answer(app, platform, platform.says("the blue treasure", address=thread, author=BEN, **shared))
    await answer(app, platform, platform.commands("ask", "the green treasure", address=ROOM, is_direct=False))
    shown = await answer(app, platform, platform.commands("forget", address=ROOM, is_direct=False, ephemeral=True))
    assert "4 messages of yours" in shown.text
    texts = [row.text for row in await rows(app, schema.messages)]
    assert [text.partition("\n")[0] for text in texts] == [
        "the blue treasure",
        "You said: the blue treasure",
    ]
    for table in (schema.inbox, schema.turns, schema.conversations):
        assert not [word for word in ("red", "green") if f"the {word}" in repr(await rows(app, table))]


async def test_a_command_can_be_typed_behind_a_mention(app: App, platform: FakeAdapter) -> None:
    """Where slash commands are not taken, such as threads: mentioned with one, we obey it; a path is no command."""
    there = {"address": replace(ROOM, thread="T1"), "is_direct": False, "mentions_bot": True}
    await answer(app, platform, platform.says("the red treasure", **there))
    assert "Forgotten: 2" in (await answer(app, platform, platform.says("/forget", **there))).text
    assert (await answer(app, platform, platform.says("/etc/hosts says what?", **there))).text.startswith("You said")
    quiet = platform.says("/forget", address=ROOM, is_direct=False)
    assert (await app.accept(quiet)).outcome == "noted"


@pytest.mark.parametrize("durable", [False, True])
async def test_a_stop_ends_the_wait_before_another_try(
    make_app: MakeApp, platform: FakeAdapter, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """While a model that is too busy is waited for, Stop ends the turn at once."""
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds < 600:
            waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(clock, "sleep", sleep)
    async with make_app(durable=durable) as app:
        echo(app).enqueue(OverloadedError("busy", retry_after_s=30))
        said = platform.says("hello")
        accepted = await app.accept(said)
        async with asyncio.timeout(5):
            await waiting.wait()
            await app.accept(ButtonPress("P1", said.message_id, HERE, ANN, "stop"))
            shown = await platform.answered(accepted.turn_id)
        await ended(app, accepted.turn_id)
        assert shown.reply and shown.reply.stopped and not shown.reply.error
