"""Whole turns: what a person says goes in by `accept`, what they see and what is kept comes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import App
from bot.errors import CredentialError, CutOffError, OverloadedError, PlatformError, QuotaError
from bot.ports import ModelDone
from bot.store import schema
from bot.types import (
    Address,
    Author,
    Backfill,
    ButtonPress,
    Deletion,
    Edit,
    Image,
    ToolCall,
    Usage,
)
from tests.conftest import MakeApp
from tests.fakes import ANN, BEN, HERE, FakeAdapter, FakeClock, answer, ended
from tests.support import echo, last_request, rows, spoken, words


async def test_an_answer_streams_and_is_kept(app: App, platform: FakeAdapter) -> None:
    """What is said is answered piece by piece, and question, answer, turn, steps and the paid call are rows."""
    shown = await answer(app, platform, platform.says("one two three"))
    assert shown.text == "You said: one two three"
    assert len(shown.versions) > 3
    kept = await rows(app, schema.messages)
    assert [(row.role, row.text) for row in kept] == [
        ("user", "one two three"),
        ("assistant", "You said: one two three"),
    ]
    [turn] = await rows(app, schema.turns)
    assert (turn.state, turn.error, turn.model) == ("done", "", "echo:echo")
    assert [row.name for row in await rows(app, schema.steps)] == ["open", "answer", "finish"]
    [call] = await rows(app, schema.calls)
    assert (call.state, call.modality, call.author_id) == ("settled", "chat", ANN.id)
    assert call.cost_micro_usd == call.input_tokens + call.output_tokens > 0


async def test_a_follow_up_knows_what_was_said(app: App, platform: FakeAdapter) -> None:
    """The model reads the earlier messages of the conversation, and of no other."""
    await answer(app, platform, platform.says("my name is Ann"))
    await answer(app, platform, platform.says("elsewhere", address=Address("fake", "W1", "C2")))
    await answer(app, platform, platform.says("what is my name?"))
    assert words(last_request(app)) == ["my name is Ann", "You said: my name is Ann", "what is my name?"]


async def test_history_survives_a_restart(make_app: MakeApp, platform: FakeAdapter) -> None:
    """A conversation goes on after the process was restarted."""
    async with make_app() as app:
        await answer(app, platform, platform.says("the code is 4711"))
    async with make_app() as app:
        await answer(app, platform, platform.says("what is the code?"))
        assert "the code is 4711" in words(last_request(app))


async def test_a_repeated_event_answers_once(app: App, platform: FakeAdapter) -> None:
    """The same event delivered again, and the same post by another event, are one turn."""
    message = platform.says("hello")
    await answer(app, platform, message)
    assert (await app.accept(message)).outcome == "repeated"
    assert (await app.accept(replace(message, event_id="another"))).outcome == "repeated"
    assert len(platform.posts) == 1


async def test_events_delivered_at_once_answer_once(app: App, platform: FakeAdapter) -> None:
    """Ten deliveries of one event at the same moment are one turn."""
    message = platform.says("hello")
    outcomes = await asyncio.gather(*(app.accept(message) for _ in range(10)))
    assert sorted(one.outcome for one in outcomes) == ["queued"] + ["repeated"] * 9


async def test_bots_are_not_answered(app: App, platform: FakeAdapter) -> None:
    """A post of another bot, or of our own, starts nothing: no loops."""
    assert (await app.accept(platform.says("hi", author=Author("B1", "Bot", is_bot=True)))).outcome == "ignored"


async def test_one_turn_at_a_time_in_a_conversation(app: App, platform: FakeAdapter) -> None:
    """Messages that arrive while one is answered are answered after it, in order; another conversation does not wait."""
    gate = asyncio.Event()
    echo(app).enqueue(gate, "first")
    first = await app.accept(platform.says("one"))
    second = await app.accept(platform.says("two"))
    third = await app.accept(platform.says("three"))
    assert (second.position, third.position) == (1, 2)
    elsewhere = await answer(app, platform, platform.says("aside", address=Address("fake", "W1", "C9")))
    assert elsewhere.text == "You said: aside"
    assert not any(one.turn_id == second.turn_id for one in platform.posts.values())
    gate.set()
    for turn in (first, second, third):
        await platform.answered(turn.turn_id)
    assert platform.opened.index(second.turn_id) < platform.opened.index(third.turn_id)


@pytest.mark.parametrize(
    ("error", "code", "attempts"),
    [
        (OverloadedError("Too many requests."), "overloaded", 4),
        (OverloadedError("Too many requests.", retry_after_s=7), "overloaded", 4),
        (OverloadedError("Come back in an hour.", retry_after_s=3600), "overloaded", 1),
        (QuotaError("The account is out of credit."), "quota", 1),
        (CredentialError("The key in OPENAI_API_KEY is wrong."), "credential", 1),
    ],
    ids=["429", "429 with Retry-After", "429 with a long Retry-After", "quota", "key"],
)
async def test_a_failing_model_ends_in_a_clear_answer(
    app: App, platform: FakeAdapter, clock: FakeClock, error: Exception, code: str, attempts: int
) -> None:
    """Trouble of a moment is retried with back-off or as the server asked, which shows; in the end the person reads why."""
    for _ in range(attempts):
        echo(app).enqueue(error)
    shown = await answer(app, platform, platform.says("hello"))
    assert shown.text == str(error)
    assert shown.reply is not None
    assert shown.reply.error == code
    assert shown.statuses == [f"{str(error).rstrip('.')}; trying again…"] * (attempts - 1)
    assert len([call for call in echo(app).calls if call.modality == "chat"]) == attempts
    if getattr(error, "retry_after_s", 0) == 7:
        assert clock.slept == [7, 7, 7]
    assert {row.state for row in await rows(app, schema.calls)} == {"failed"}
    assert next(row.text for row in await rows(app, schema.messages)) == "hello"


async def test_a_moment_of_trouble_goes_unnoticed(app: App, platform: FakeAdapter) -> None:
    """A model that fails once and then answers gives an answer without a remark."""
    echo(app).enqueue(OverloadedError("Too many requests."))
    shown = await answer(app, platform, platform.says("hello"))
    assert shown.text == "You said: hello"
    assert shown.reply is not None
    assert shown.reply.notices == ()


async def test_a_stream_that_breaks_off_leaves_what_had_come(app: App, platform: FakeAdapter) -> None:
    """After the last try the person keeps the part of the answer that came, and is told that it broke off."""
    for _ in range(4):
        echo(app).enqueue("Half an ", CutOffError("The answer broke off."))
    shown = await answer(app, platform, platform.says("hello"))
    assert shown.reply is not None
    assert (shown.text, shown.reply.notices, shown.reply.error) == ("Half an", ("The answer broke off.",), "cut_off")


async def test_a_model_that_says_nothing_is_no_silence(app: App, platform: FakeAdapter) -> None:
    """An empty answer becomes words about it."""
    shown = await answer(app, platform, platform.says("[[empty]]"))
    assert "empty answer" in shown.text


async def test_an_empty_message_is_answered(app: App, platform: FakeAdapter) -> None:
    """A message without words and files gets a hint, and no model is paid for it."""
    shown = await answer(app, platform, platform.says(""))
    assert "/help" in shown.text
    assert echo(app).calls == []


async def test_a_fault_of_ours_ends_the_turn(app: App, platform: FakeAdapter, caplog: pytest.LogCaptureFixture) -> None:
    """A bug ends in an answer and a log line with its traceback, and the conversation goes on."""
    echo(app).enqueue(ZeroDivisionError("oops"))
    shown = await answer(app, platform, platform.says("hello"))
    assert "Something went wrong" in shown.text
    assert "ZeroDivisionError" in caplog.text
    assert (await answer(app, platform, platform.says("again"))).text.startswith("You said: again")


async def test_a_model_draws_when_asked(app: App, platform: FakeAdapter) -> None:
    """A picture is made by a tool: the person sees it, the model reads that it is done, the history keeps both."""
    call = json.dumps({"prompt": "a red cat", "shape": "square"})
    shown = await answer(app, platform, platform.says(f"[[tool generate_image {call}]]"))
    assert shown.reply is not None
    [picture] = [part for part in shown.reply.parts if isinstance(part, Image)]
    assert picture.description == "a red cat"
    assert (await app.host.blobs(HERE).read(picture.blob)).startswith(b"\x89PNG")
    assert "Drawing…" in shown.statuses
    assert [row.role for row in await rows(app, schema.messages)] == ["user", "assistant", "tool", "assistant"]
    assert {row.modality for row in await rows(app, schema.calls)} == {"chat", "image"}


async def test_a_tool_that_fails_is_told_to_the_model(app: App, platform: FakeAdapter) -> None:
    """A tool's error is a result, not the end of the turn; unknown tools and wrong arguments are errors too."""
    echo(app).enqueue(ToolCall("c1", "fly", {}), ToolCall("c2", "generate_image", {"wings": 2}))
    echo(app).enqueue("I cannot fly.")
    shown = await answer(app, platform, platform.says("fly!"))
    assert shown.text == "I cannot fly."
    results = last_request(app).messages[-1].parts
    assert all(result.is_error for result in results)
    assert "no tool fly" in results[0].text


async def test_a_model_that_only_calls_tools_is_ended(app: App, platform: FakeAdapter) -> None:
    """After eight rounds tools are no longer offered, so a turn always ends."""
    for number in range(7):
        echo(app).enqueue(ToolCall(f"c{number}", "fly", {}))
    shown = await answer(app, platform, platform.says("loop"))
    assert shown.reply is not None
    assert last_request(app).tools == []


async def test_stop_keeps_what_had_come(app: App, platform: FakeAdapter) -> None:
    """Stop ends the model's stream at once; what had come stays, and it is no error."""
    echo(app).enqueue("So far so ", asyncio.Event(), "good")
    message = platform.says("tell me")
    accepted = await app.accept(message)
    await platform.until(lambda me: any(one.text for one in me.posts.values()))
    press = ButtonPress("P1", message.message_id, HERE, ANN, "stop")
    assert (await app.accept(press)).outcome == "done"
    shown = await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    assert shown.reply is not None
    assert (shown.text, shown.reply.stopped, shown.reply.error) == ("So far so", True, "")
    [turn] = await rows(app, schema.turns)
    assert turn.state == "stopped"
    [call] = await rows(app, schema.calls)
    assert call.is_estimate


async def test_regenerate_replaces_the_answer(app: App, platform: FakeAdapter) -> None:
    """Another answer to the same question stands in the same post, and the history holds only that one."""
    await answer(app, platform, platform.says("pick a number"))
    echo(app).enqueue("Seven.")
    [reply_id] = platform.posts
    accepted = await app.accept(ButtonPress("P1", reply_id, HERE, ANN, "regenerate"))
    shown = await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    assert (list(platform.posts), shown.text) == ([reply_id], "Seven.")
    assert [row.text for row in await rows(app, schema.messages)] == ["pick a number", "Seven."]
    assert words(last_request(app)) == ["pick a number"]


async def test_an_edited_question_revises_its_answer(app: App, platform: FakeAdapter) -> None:
    """A changed question is answered anew in the same post; an edit that changes nothing is not."""
    message = platform.says("hello wrold")
    await answer(app, platform, message)
    await answer(app, platform, platform.says("later"))
    same = Edit("X0", message.message_id, HERE, ANN, "hello wrold")
    assert (await app.accept(same)).outcome == "ignored"
    accepted = await app.accept(Edit("X1", message.message_id, HERE, ANN, "hello world"))
    shown = await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    assert shown.text == "You said: hello world"
    assert len(platform.posts) == 2
    texts = [row.text for row in sorted(await rows(app, schema.messages), key=lambda row: (row.source_id, row.ordinal))]
    assert texts[:3] == ["hello world", "You said: hello world", "later"]


async def test_a_deleted_question_leaves_the_history(app: App, platform: FakeAdapter) -> None:
    """A deleted message, its answer and what its event carried are gone, and the model does not read them again."""
    message = platform.says("my password is hunter2")
    await answer(app, platform, message)
    assert (await app.accept(Deletion("D1", message.message_id, HERE, ANN))).outcome == "done"
    await answer(app, platform, platform.says("what did I say?"))
    assert words(last_request(app)) == ["what did I say?"]
    assert "hunter2" not in str(await rows(app, schema.inbox)) + str(await rows(app, schema.messages))


async def test_thumbs_are_kept(app: App, platform: FakeAdapter) -> None:
    """A thumb is kept for its turn; a second one of the same person replaces the first."""
    await answer(app, platform, platform.says("hello"))
    [reply_id] = platform.posts
    await app.accept(ButtonPress("P1", reply_id, HERE, ANN, "thumbs_up"))
    await app.accept(ButtonPress("P2", reply_id, HERE, ANN, "thumbs_down"))
    await app.accept(ButtonPress("P3", reply_id, HERE, BEN, "thumbs_up"))
    assert {(row.author_id, row.value) for row in await rows(app, schema.feedback)} == {(ANN.id, -1), (BEN.id, 1)}


async def test_continue_asks_for_more(app: App, platform: FakeAdapter) -> None:
    """An answer that hit its length limit can be continued."""
    shown = await answer(app, platform, platform.says("tell me a long story [[length]]"))
    assert shown.reply is not None
    assert shown.reply.truncated
    [reply_id] = platform.posts
    accepted = await app.accept(ButtonPress("P1", reply_id, HERE, ANN, "continue"))
    await platform.answered(accepted.turn_id)
    assert words(last_request(app))[-1] == "Go on exactly where you stopped."


@pytest.mark.parametrize(
    ("follow", "in_thread", "expected"),
    [
        (None, True, "queued"),
        (None, False, "noted"),
        ("always", False, "queued"),
        ("mention", True, "noted"),
        ("never", True, "noted"),
    ],
)
async def test_channels_are_answered_as_set(
    app: App, platform: FakeAdapter, follow: str | None, in_thread: bool, expected: str
) -> None:
    """Without a mention, a thread that we take part in is followed, unless the channel's setting says otherwise."""
    place = Address("fake", "W1", "C1", "T1" if in_thread else "")
    if follow:
        await answer(app, platform, platform.commands("settings", f"set follow {follow} for channel", address=place))
    await answer(app, platform, platform.says("hey", address=place, is_direct=False, mentions_bot=True))
    later = await app.accept(platform.says("and?", address=place, is_direct=False, author=BEN))
    assert later.outcome == expected


async def test_what_was_not_asked_is_still_history(app: App, platform: FakeAdapter) -> None:
    """Messages that are not answered are read when somebody asks later, with their authors' names."""
    place = Address("fake", "W1", "C1", "T1")
    await app.accept(platform.says("lunch at noon?", address=place, is_direct=False, author=BEN))
    await answer(app, platform, platform.says("when is lunch?", address=place, is_direct=False, mentions_bot=True))
    assert spoken(last_request(app)) == [("Ben", "lunch at noon?"), ("Ann", "when is lunch?")]


async def test_what_was_said_before_parley_came_is_read(app: App, platform: FakeAdapter) -> None:
    """In a conversation joined late the earlier messages are fetched once, and the model is told when they are not all."""
    place = Address("fake", "W1", "C1", "T1")
    old = tuple(platform.says(text, address=place, author=BEN, is_direct=False) for text in ("first", "second"))
    platform.before = Backfill(old, is_complete=False)
    await answer(app, platform, platform.says("sum up", address=place, mentions_bot=True, is_direct=False))
    read = last_request(app).messages
    assert "could not be read" in read[1].parts[0].text
    assert spoken(last_request(app))[1:] == [("Ben", "first"), ("Ben", "second"), ("Ann", "sum up")]
    await answer(app, platform, platform.says("more", address=place))
    assert [one for one in spoken(last_request(app)) if "first" in one[1]] == [("Ben", "first")]


async def test_an_attachment_that_cannot_be_fetched_is_said(app: App, platform: FakeAdapter) -> None:
    """Nothing is dropped in silence: with words, the answer comes with a remark; without, the remark is the answer."""
    platform.fail_fetch = PlatformError("plan.pdf could not be fetched.")
    shown = await answer(app, platform, platform.says("what is this?", files={"plan.pdf": b"x"}))
    assert shown.reply is not None
    assert shown.reply.notices == ("plan.pdf could not be fetched.",)
    shown = await answer(app, platform, platform.says("", files={"plan.pdf": b"x"}))
    assert shown.text == "plan.pdf could not be fetched."


async def test_settings_reach_the_model(app: App, platform: FakeAdapter) -> None:
    """What is set for a conversation, a person or a channel reaches the model; the narrowest choice wins."""
    for text in ("set temperature 0.1 for channel", "set temperature 0.2 for me", "set top_p 0.9", "set stop END,FIN"):
        await answer(app, platform, platform.commands("settings", text))
    await answer(app, platform, platform.says("hi"))
    chosen = last_request(app).settings
    assert (chosen.temperature, chosen.top_p, chosen.stop) == (0.2, 0.9, ("END", "FIN"))
    await answer(app, platform, platform.says("hi", author=BEN))
    assert last_request(app).settings.temperature == 0.1
    await answer(app, platform, platform.commands("settings", "reset"))
    await answer(app, platform, platform.says("hi"))
    assert last_request(app).settings.top_p is None


async def test_a_setting_that_was_left_out_is_told(app: App, platform: FakeAdapter) -> None:
    """When a model refuses a setting, the person who set it reads so under the answer."""
    echo(app).enqueue("Hi.", ModelDone(Usage(), notices=("temperature was left out.",)))
    shown = await answer(app, platform, platform.says("hi"))
    assert shown.reply is not None
    assert shown.reply.notices == ("temperature was left out.",)


async def test_a_forgotten_conversation_is_gone(app: App, platform: FakeAdapter) -> None:
    """`/forget` deletes messages, blobs and what events carried; the ids stay, so a repeated event is still known."""
    message = platform.says('secret plan [[tool generate_image {"prompt": "x", "shape": "square"}]]')
    await answer(app, platform, message)
    assert await rows(app, schema.blobs)
    shown = await answer(app, platform, platform.commands("forget"))
    assert "4 messages" in shown.text
    assert await rows(app, schema.blobs) == []
    assert await rows(app, schema.messages) == []
    assert "secret" not in str(await rows(app, schema.inbox)) + str(await rows(app, schema.conversations))
    assert (await app.accept(message)).outcome == "repeated"
    await answer(app, platform, platform.says("what did I say?"))
    assert words(last_request(app)) == ["what did I say?"]


async def test_events_are_watched_from_outside(app: App, platform: FakeAdapter) -> None:
    """The metrics count what was accepted, turns, calls and tokens, and no text of anybody."""
    from bot.telemetry import metrics

    await answer(app, platform, platform.says("a very private sentence"))
    text = metrics().decode()
    assert 'parley_turns_total{error="",platform="fake",state="done"}' in text
    assert 'parley_tokens_total{direction="out",model="echo:echo"}' in text
    assert "private" not in text


async def test_nobody_sees_another_tenant(app: App, platform: FakeAdapter) -> None:
    """The same channel id in another workspace is another conversation, and a search does not cross."""
    await answer(app, platform, platform.says("the treasure is under the oak"))
    other = Address("fake", "W2", "C1")
    await answer(app, platform, platform.says("where is it?", address=other))
    assert words(last_request(app)) == ["where is it?"]
    shown = await answer(app, platform, platform.commands("search", "treasure", address=other))
    assert shown.text.startswith("Nothing")


async def test_forgetting_reaches_the_remembered_steps(
    make_app: MakeApp, platform: FakeAdapter, tmp_path: Path
) -> None:
    """Nothing of a forgotten conversation stays in the database, the jobs' recorded steps included."""
    async with make_app(durable=True) as app:
        await answer(app, platform, platform.says("the treasure is under the oak"))
        await answer(app, platform, platform.commands("forget"))
    with contextlib.closing(sqlite3.connect(tmp_path / "parley.db")) as connection:
        assert "oak" not in "\n".join(connection.iterdump())


async def test_a_stop_before_the_beginning_saves_the_call(app: App, platform: FakeAdapter) -> None:
    """A turn that is stopped while it waits for another never asks the model."""
    gate = asyncio.Event()
    echo(app).enqueue(gate, "first")
    first = await app.accept(platform.says("one"))
    message = platform.says("two")
    second = await app.accept(message)
    assert (await app.accept(ButtonPress("P1", message.message_id, HERE, ANN, "stop"))).outcome == "done"
    gate.set()
    await platform.answered(first.turn_id)
    shown = await platform.answered(second.turn_id)
    assert shown.reply is not None
    assert shown.reply.stopped
    assert len([call for call in echo(app).calls if call.modality == "chat"]) == 1


async def test_a_question_deleted_while_it_waits_is_not_answered(app: App, platform: FakeAdapter) -> None:
    """Its turn ends without a word, and the next one is answered."""
    gate = asyncio.Event()
    echo(app).enqueue(gate, "first")
    await app.accept(platform.says("one"))
    message = platform.says("two")
    second = await app.accept(message)
    assert (await app.accept(Deletion("D1", message.message_id, HERE, ANN))).outcome == "done"
    gate.set()
    await answer(app, platform, platform.says("three"))
    await ended(app, second.turn_id)
    assert not any(one.turn_id == second.turn_id for one in platform.posts.values())
    assert "two" not in words(last_request(app))
