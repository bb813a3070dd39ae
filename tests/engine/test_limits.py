"""How much people may ask: each limit is reached through the front door, refused in words, and holds nobody else up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import telemetry
from bot.app import App
from bot.engine.commands import SPECS
from bot.errors import StoreError
from bot.policy.limits import LIMITS, Limits
from bot.policy.visibility import is_private_answer
from bot.ports import ModelDone
from bot.store import schema, turns
from bot.types import Accepted, Address, ButtonPress, Edit, Image, InboundMessage, ToolCall, ToolResult, Usage
from tests import making
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, HERE, FakeAdapter, FakeClock, answer, ended
from tests.support import echo, last_request, rows

THREE = replace(LIMITS, questions_per_minute=3, commands_per_minute=4)
ROOM = replace(HERE, channel="C7")
TOOLS = ModelDone(Usage(), "tools")


def chats(app: App) -> int:
    """How often the chat model was called."""
    return sum(call.modality == "chat" for call in echo(app).calls)


def refused(limit: str) -> float:
    """What the metrics say of that limit."""
    return telemetry.registry.get_sample_value("parley_refused_total", {"limit": limit}) or 0.0


async def ask(app: App, platform: FakeAdapter, count: int, **changes: Any) -> list[str]:
    """Ask so many questions, each in a channel of its own, one after the other; gives the answers, empty where none is due."""
    answers = []
    for number in range(count):
        message = platform.says(f"q{number}", **{"address": replace(HERE, channel=f"D{number}"), **changes})
        accepted = await app.accept(message)
        answers.append("")
        if accepted.turn_id:
            answers[-1] = (await platform.answered(accepted.turn_id)).text
            await ended(app, accepted.turn_id)
    return answers


# --- Questions -------------------------------------------------------------------------------------------------------


async def test_a_person_asks_so_many_questions_in_a_minute(
    make_app: MakeApp, platform: FakeAdapter, clock: FakeClock, store_url: str
) -> None:
    """One question too many is kept and costs nothing; its asker reads once when to ask again, and may then. Others go on."""
    async with make_app(limits=THREE, database_url=store_url) as app:
        before = refused("questions_per_minute")
        answers = await ask(app, platform, 6)
        assert answers[:3] == ["You said: q0", "You said: q1", "You said: q2"]
        assert answers[3] == (
            "That is more than 3 questions in a minute, so I did not take up this one. Please ask again in 1 minute."
        )
        assert answers[4:] == ["", ""]
        assert chats(app) == 3 and refused("questions_per_minute") == before + 3
        said = [row.text for row in await rows(app, schema.messages) if row.role == "user"]
        assert said == [f"q{number}" for number in range(6)]
        assert (await ask(app, platform, 1, author=BEN, address=ROOM)) == ["You said: q0"]
        clock.at += timedelta(seconds=61)
        assert (await ask(app, platform, 1, address=replace(HERE, channel="D7"))) == ["You said: q0"]


async def test_a_refused_question_can_be_asked_again(
    make_app: MakeApp, platform: FakeAdapter, clock: FakeClock
) -> None:
    """What was refused once is answered when its asker regenerates it later."""
    async with make_app(limits=THREE) as app:
        await ask(app, platform, 3)
        message = platform.says("why?")
        assert (await answer(app, platform, message)).text.startswith("That is more than 3 questions")
        clock.at += timedelta(seconds=61)
        pressed = await app.accept(ButtonPress("P1", message.message_id, HERE, ANN, "regenerate"))
        assert (await platform.answered(pressed.turn_id)).text == "You said: why?"
        await ended(app, pressed.turn_id)


async def test_a_delivery_that_is_repeated_counts_once(make_app: MakeApp, platform: FakeAdapter) -> None:
    """A platform that delivers each event five times does not use up what the person may ask."""
    async with make_app(limits=THREE) as app:
        for number in range(3):
            message = platform.says(f"q{number}")
            outcomes = [(await app.accept(message)).outcome for _ in range(5)]
            assert outcomes == ["queued", *["repeated"] * 4]


async def test_what_could_not_be_written_down_does_not_count(
    make_app: MakeApp, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away, deliveries fail and come again: only what was written down counts."""

    async def away(*args: Any, **more: Any) -> str:
        raise StoreError("The database is away.")

    async with make_app(limits=THREE) as app:
        message = platform.says("hello")
        with monkeypatch.context() as patch:
            patch.setattr(turns, "add_turn", away)
            for _ in range(5):
                with pytest.raises(StoreError):
                    await app.accept(message)
        assert (await answer(app, platform, message)).text == "You said: hello"
        assert (await ask(app, platform, 2)) == ["You said: q0", "You said: q1"]


async def test_buttons_and_edits_that_ask_again_are_questions(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Whoever presses a button that costs, or words a question anew, asks: of them it is counted, and refused in words."""
    async with make_app(limits=THREE) as app:
        message = platform.says("why?", address=ROOM, is_direct=False, mentions_bot=True)
        await answer(app, platform, message)
        for number, action in enumerate(("regenerate", "continue")):
            pressed = await app.accept(ButtonPress(f"P{number}", message.message_id, ROOM, ANN, action))  # type: ignore[arg-type]
            await ended(app, pressed.turn_id)
        late = [
            await app.accept(ButtonPress(f"Q{number}", message.message_id, ROOM, ANN, "regenerate"))
            for number in range(3)
        ]
        assert [one.outcome for one in late] == ["refused"] * 3
        assert late[0].reason.startswith("That is more than 3 questions in a minute") and not late[1].reason
        edited = await app.accept(Edit("X1", message.message_id, ROOM, ANN, "why not?"))
        assert edited.outcome == "refused" and chats(app) == 3
        for number, action in enumerate(("stop", "thumbs_up")):
            free = await app.accept(ButtonPress(f"F{number}", message.message_id, ROOM, ANN, action))  # type: ignore[arg-type]
            assert free.outcome == "done"
        manager = replace(BEN, is_manager=True)
        pressed = await app.accept(ButtonPress("M1", message.message_id, ROOM, manager, "regenerate"))
        assert (await platform.answered(pressed.turn_id)).text == "You said: why not?"
        await ended(app, pressed.turn_id)


async def test_an_edit_too_many_is_told_where_the_answer_stands(make_app: MakeApp, platform: FakeAdapter) -> None:
    """The answer to the old words gives way to why there is none to the new ones; the words themselves are kept."""
    async with make_app(limits=THREE) as app:
        message = platform.says("one")
        await answer(app, platform, message)
        for number in range(3):
            edited = await app.accept(Edit(f"X{number}", message.message_id, HERE, ANN, f"words {number}"))
            await platform.answered(edited.turn_id)
            await ended(app, edited.turn_id)
        [shown] = platform.posts.values()
        assert shown.text.startswith("That is more than 3 questions in a minute")
        assert [row.text for row in await rows(app, schema.messages) if row.role == "user"] == ["words 2"]
        assert chats(app) == 3


async def test_commands_that_cost_nothing_have_a_looser_limit(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Who may ask no further question still reads /help; a flood of that is refused too, for the person's eyes alone."""
    async with make_app(limits=THREE) as app:
        await ask(app, platform, 4)
        shared = {"address": ROOM, "is_direct": False}
        for name in ("help", "usage", "settings", "reset"):
            assert not (await answer(app, platform, platform.commands(name, **shared))).reply.error  # type: ignore[union-attr]
        accepted = await app.accept(platform.commands("reset", **shared))
        shown = await platform.answered(accepted.turn_id)
        assert shown.text == "That is more than 4 commands in a minute. Please try again in 1 minute."
        loaded = await turns.load_turn(app.store, accepted.turn_id)
        assert loaded and is_private_answer(loaded.turn.inbound, SPECS)
        await ended(app, accepted.turn_id)
        late = await app.accept(platform.commands("help", **shared))
        assert (late.outcome, late.reason) == ("refused", shown.text)


async def test_a_command_that_asks_a_model_is_a_question(make_app: MakeApp, platform: FakeAdapter) -> None:
    """/ask counts like a message, and so does a free command with a file, which has to be read."""
    async with make_app(limits=THREE) as app:
        for _ in range(3):
            await answer(app, platform, platform.commands("ask", "why?"))
        shown = await answer(app, platform, platform.commands("help", files={"a.ogg": making.voice_note()}))
        assert shown.text.startswith("That is more than 3 questions in a minute")
        assert not platform.fetched


async def test_a_free_command_reads_no_files(make_app: MakeApp, platform: FakeAdapter) -> None:
    """What lies unread in the conversation is not heard, and paid for, because somebody asks for help."""
    async with make_app() as app:
        await app.accept(platform.says("listen", is_direct=False, files={"a.ogg": making.voice_note()}))
        await answer(app, platform, platform.commands("help"))
        assert not platform.fetched and not await rows(app, schema.calls)


async def test_questions_that_wait_are_limited(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """Behind a long answer so many questions wait; the next is refused at once, and taken up when some have been answered."""
    async with make_app(limits=replace(LIMITS, waiting_questions=2), database_url=store_url) as app:
        gate = asyncio.Event()
        echo(app).enqueue(gate, "first")
        first = await app.accept(platform.says("one"))
        async with asyncio.timeout(20):
            while not any(row.state == "running" for row in await rows(app, schema.turns)):
                await asyncio.sleep(0.005)
        waiting = [await app.accept(platform.says(text)) for text in ("two", "three")]
        late = await app.accept(platform.says("four"))
        told = await platform.answered(late.turn_id)
        assert told.text == "2 questions of yours are waiting already. Please ask again when I have answered some."
        assert (await answer(app, platform, platform.says("mine", author=BEN, address=ROOM))).text == "You said: mine"
        gate.set()
        for accepted in (first, *waiting, late):
            await ended(app, accepted.turn_id)
        assert (await answer(app, platform, platform.says("five"))).text.startswith("You said: five")


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (replace(LIMITS, channel_questions_per_minute=3), "More than 3 questions were asked in this channel"),
        (replace(LIMITS, workspace_questions_per_minute=3), "This workspace asked more than 3 questions"),
    ],
)
async def test_a_channel_and_a_workspace_have_limits(
    make_app: MakeApp, platform: FakeAdapter, limits: Limits, told: str
) -> None:
    """Many people together do not take all there is either; it is told once, and another workspace goes on."""
    async with make_app(limits=limits) as app:
        outcomes: list[Accepted] = []
        for number in range(6):
            author = replace(ANN, id=f"U{number}")
            outcomes.append(await app.accept(platform.says("hi", author=author, address=ROOM, mentions_bot=True)))
        assert [one.outcome for one in outcomes] == ["queued"] * 4 + ["refused"] * 2
        assert (await platform.answered(outcomes[3].turn_id)).text.startswith(told)
        elsewhere = platform.says("hi", address=replace(HERE, workspace="W2"))
        assert (await answer(app, platform, elsewhere)).text == "You said: hi"
        for accepted in outcomes[:4]:
            await ended(app, accepted.turn_id)


# --- What a person's questions cause ---------------------------------------------------------------------------------


async def test_a_persons_questions_call_models_so_often_in_a_minute(
    make_app: MakeApp, platform: FakeAdapter, clock: FakeClock, store_url: str
) -> None:
    """Whatever a model asks for, one person causes so many paid calls in a minute; a colleague's are their own."""
    limits = replace(LIMITS, paid_calls_per_minute=4, tool_calls_per_round=3, pictures_per_turn=3)
    async with make_app(limits=limits, database_url=store_url) as app:
        draw = [ToolCall(f"c{number}", "generate_image", {"prompt": "a cat", "shape": "square"}) for number in range(3)]
        for _ in range(2):
            echo(app).enqueue(*draw, TOOLS)
        shown = await answer(app, platform, platform.says("draw"))
        assert len(await rows(app, schema.calls)) == 4
        assert shown.reply and "4 times within a minute" in " ".join(shown.reply.notices)
        late = await answer(app, platform, platform.says("and now?"))
        assert late.text == (
            "Your questions have called models 4 times within a minute, so I stopped here. Please try again in 1 minute."
        )
        assert late.reply and late.reply.error == "limit"
        ours = await answer(app, platform, platform.says("hello", author=BEN, address=ROOM))
        assert ours.reply and not ours.reply.error
        clock.at += timedelta(seconds=61)
        again = await answer(app, platform, platform.says("now"))
        assert again.reply and not again.reply.error


async def test_a_persons_sound_a_day_is_limited(
    make_app: MakeApp, platform: FakeAdapter, clock: FakeClock, store_url: str
) -> None:
    """So much sound is heard for one person in a day, by its measured length; the rest is not paid for, and read later."""
    async with make_app(limits=replace(LIMITS, sound_s_per_day=100.0), database_url=store_url) as app:
        minute = making.wav_claiming(8_000, 8_000 * 60)
        await answer(app, platform, platform.says(files={"one.wav": minute}))
        clock.at += timedelta(hours=5)
        late = platform.says(files={"two.wav": minute})
        shown = await answer(app, platform, late)
        assert shown.text == (
            "I listen to 100 seconds of sound a day for each person, and two.wav would be more than that. "
            "Please send it in 19 hours."
        )
        assert [row.audio_s for row in await rows(app, schema.calls) if row.modality == "transcribe"] == [60.0]
        heard = await answer(app, platform, platform.says(files={"ben.wav": minute}, author=BEN, address=ROOM))
        assert heard.reply and not heard.reply.error
        clock.at += timedelta(hours=19, seconds=1)
        pressed = await app.accept(ButtonPress("P1", late.message_id, HERE, ANN, "regenerate"))
        again = await platform.answered(pressed.turn_id)
        await ended(app, pressed.turn_id)
        assert again.reply and not again.reply.error


async def test_the_sound_of_one_message_is_counted_together(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Many files of a message are together no longer than one may be."""
    async with make_app(limits=replace(LIMITS, recording_s=100.0)) as app:
        minute = making.wav_claiming(8_000, 8_000 * 60)
        shown = await answer(app, platform, platform.says(files={f"{name}.wav": minute for name in "abc"}))
        told = "is 1 minutes long after 1 minutes in other files, and I listen to 1.66667 minutes at most."
        assert shown.reply and sum(told in notice for notice in shown.reply.notices) == 2
        assert sum(row.modality == "transcribe" for row in await rows(app, schema.calls)) == 1


async def test_what_is_kept_for_a_person_is_limited(make_app: MakeApp, platform: FakeAdapter, store_url: str) -> None:
    """Files beyond what one person may have kept are refused in words, and /forget makes room; what others keep is theirs."""
    async with make_app(limits=replace(LIMITS, stored_bytes=150), database_url=store_url) as app:
        files = [f"file {name}".encode().ljust(100) for name in "abcd"]
        await answer(app, platform, platform.says("read", files={"a.txt": files[0]}))
        shown = await answer(app, platform, platform.says("read", files={"b.txt": files[1]}))
        assert shown.reply and any(
            notice.startswith("I keep 150 bytes of files for each person, and b.txt would be more than that.")
            for notice in (shown.text, *shown.reply.notices)
        )
        same = await answer(app, platform, platform.says("read", files={"again.txt": files[0]}))
        assert same.reply and not same.reply.notices
        ben = await answer(app, platform, platform.says("read", files={"c.txt": files[2]}, author=BEN, address=ROOM))
        assert ben.reply and not ben.reply.notices
        assert [row.author_id for row in await rows(app, schema.blobs)] == [ANN.id, BEN.id]
        await answer(app, platform, platform.commands("forget"))
        room = await answer(app, platform, platform.says("read", files={"d.txt": files[3]}))
        assert room.reply and not room.reply.notices


async def test_what_is_made_for_a_person_counts_as_theirs(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Pictures fill up what one person may have kept, and when it is full no further one is paid for."""
    async with make_app(limits=replace(LIMITS, stored_bytes=1_000)) as app:
        shown = [await answer(app, platform, platform.commands("imagine", f"cat {number}")) for number in range(9)]
        made = [one for one in shown if one.reply and any(isinstance(part, Image) for part in one.reply.parts)]
        assert 0 < len(made) < 9 and shown[-1].text.startswith("I keep 1,000 bytes of files for each person")
        paid = [row for row in await rows(app, schema.calls) if row.modality == "image"]
        assert len(paid) == len(made)
        assert {row.author_id for row in await rows(app, schema.blobs)} == {ANN.id}


# --- Floods ----------------------------------------------------------------------------------------------------------


def flood(platform: FakeAdapter, count: int) -> list[InboundMessage]:
    """So many questions of Ann's, each in a conversation of its own."""
    return [platform.says(f"spam {number}", address=Address("fake", "W1", f"S{number}")) for number in range(count)]


async def answered_meanwhile(app: App, platform: FakeAdapter, count: int) -> tuple[Counter[str], float]:
    """The outcomes of a flood of Ann's, and the seconds from a question of Ben's in its midst to its first text."""
    spam = [asyncio.create_task(app.accept(message)) for message in flood(platform, count)]
    await asyncio.wait(spam, return_when=asyncio.FIRST_COMPLETED)
    began = time.perf_counter()
    mine = await app.accept(platform.says("mine", author=BEN, address=ROOM))
    await platform.until(lambda me: any(one.turn_id == mine.turn_id and one.text for one in me.posts.values()))
    took_s = time.perf_counter() - began
    accepted = await asyncio.gather(*spam)
    for one in (mine, *accepted):
        if one.turn_id:
            await ended(app, one.turn_id)
    return Counter(one.outcome for one in accepted), took_s


@pytest.mark.parametrize("count", [2_000])
async def test_a_flood_of_one_person_is_held_back(make_app: MakeApp, platform: FakeAdapter, count: int) -> None:
    """2,000 messages of one person in 2,000 conversations: at most 60 paid calls, and a colleague's answer begins within 1 s."""
    async with make_app(limits=LIMITS, durable=True) as app:
        outcomes, took_s = await answered_meanwhile(app, platform, count)
        assert sum(outcomes.values()) == count and outcomes["queued"] <= LIMITS.questions_per_minute + 2
        calls = Counter(row.author_id for row in await rows(app, schema.calls))
        assert 0 < calls[ANN.id] <= LIMITS.paid_calls_per_minute and calls[BEN.id] == 1
        assert took_s < 1


async def test_a_flood_is_held_back_on_postgresql(make_app: MakeApp, platform: FakeAdapter, postgres_url: str) -> None:
    """The same, smaller, where several connections write at once and DBOS hands out the turns."""
    async with make_app(limits=LIMITS, durable=True, database_url=postgres_url) as app:
        outcomes, took_s = await answered_meanwhile(app, platform, 200)
        assert sum(outcomes.values()) == 200 and outcomes["queued"] <= LIMITS.questions_per_minute + 2
        calls = Counter(row.author_id for row in await rows(app, schema.calls))
        assert 0 < calls[ANN.id] <= LIMITS.paid_calls_per_minute and calls[BEN.id] == 1
        assert took_s < 2


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (replace(LIMITS, channel_waiting_questions=2), "2 questions are waiting in this channel already."),
        (replace(LIMITS, workspace_waiting_questions=2), "2 questions are waiting in this workspace already."),
    ],
)
async def test_what_waits_in_a_channel_and_a_workspace_is_limited(
    make_app: MakeApp, platform: FakeAdapter, store_url: str, limits: Limits, told: str
) -> None:
    """Whoever comes after many is told at once, and what was asked before is answered all the same."""
    async with make_app(limits=limits, database_url=store_url) as app:
        gate = asyncio.Event()
        echo(app).enqueue(gate, "first")
        shared = {"address": ROOM, "mentions_bot": True, "is_direct": False}
        accepted = [await app.accept(platform.says("0", **shared))]
        async with asyncio.timeout(20):
            while not any(row.state == "running" for row in await rows(app, schema.turns)):
                await asyncio.sleep(0.005)
        for number in range(1, 4):
            author = replace(ANN, id=f"U{number}")
            accepted.append(await app.accept(platform.says(str(number), author=author, **shared)))
        assert (await platform.answered(accepted[-1].turn_id)).text.startswith(told)
        gate.set()
        for one in accepted:
            await ended(app, one.turn_id)
        assert chats(app) == 3


# --- What one question may cause -------------------------------------------------------------------------------------


async def test_the_first_files_of_a_message_are_read(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Of many files the first are read, and that is said."""
    async with make_app(limits=replace(LIMITS, attachments=2)) as app:
        shown = await answer(app, platform, platform.says("read", files={f"{name}.txt": b"words" for name in "abc"}))
        assert shown.reply and shown.reply.notices == ("Only the first 2 attachments were read.",)
        assert sorted(platform.fetched) == ["a.txt", "b.txt"]


async def test_few_earlier_files_are_read_along(make_app: MakeApp, platform: FakeAdapter) -> None:
    """A question has the newest unread files of the conversation read, not all that ever lay there."""
    async with make_app(limits=replace(LIMITS, unread_attachments=1)) as app:
        for name in "abc":
            await app.accept(platform.says("look", is_direct=False, files={f"{name}.txt": b"words"}))
        await answer(app, platform, platform.says("what is in them?"))
        assert len(platform.fetched) == 1


async def test_so_much_history_is_read(make_app: MakeApp, platform: FakeAdapter) -> None:
    """The model reads the newest messages of the conversation."""
    async with make_app(limits=replace(LIMITS, history_messages=2)) as app:
        for number in range(4):
            await answer(app, platform, platform.says(f"q{number}"))
        assert "Messages before: 2" in (await answer(app, platform, platform.says("and?"))).text


async def test_the_first_pages_of_a_scan_are_read(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Reading pictures of pages takes a processor's seconds: it is said when not all were read."""
    async with make_app(limits=replace(LIMITS, ocr_pages=0)) as app:
        shown = await answer(
            app, platform, platform.says("read", files={"scan.pdf": making.scanned_pdf("the treasure")})
        )
        assert shown.reply and "treasure" not in shown.text
        assert not [call for call in echo(app).calls if call.modality == "text"]


async def test_few_pictures_of_a_video_are_seen(make_app: MakeApp, platform: FakeAdapter) -> None:
    """So many pictures of a film reach the model, whatever its length."""
    async with make_app(limits=replace(LIMITS, video_frames=2)) as app:
        await answer(app, platform, platform.says("watch", files={"film.mp4": making.video()}))
        parts = last_request(app).messages[-1].parts
        assert sum(isinstance(part, Image) for part in parts) == 2


async def test_the_beginning_of_an_answer_is_spoken(make_app: MakeApp, platform: FakeAdapter) -> None:
    """A long text is spoken in part, and that is said."""
    async with make_app(limits=replace(LIMITS, spoken_chars=10)) as app:
        shown = await answer(app, platform, platform.commands("say", "one two three four five"))
        assert shown.reply and shown.reply.notices == ("The voice message holds the beginning of the answer.",)
        assert [call.request for call in echo(app).calls if call.modality == "speech"] == ["one two th"]


async def test_a_tool_that_takes_too_long_is_stopped(make_app: MakeApp, platform: FakeAdapter) -> None:
    """The model reads that it was, and the answer goes on."""
    async with make_app(limits=replace(LIMITS, tool_seconds=0.0)) as app:
        echo(app).enqueue(ToolCall("c1", "generate_image", {"prompt": "a cat", "shape": "square"}), TOOLS)
        await answer(app, platform, platform.says("draw"))
        results = [
            part for message in last_request(app).messages for part in message.parts if isinstance(part, ToolResult)
        ]
        assert [part.text for part in results] == ["The tool took too long and was stopped."]
