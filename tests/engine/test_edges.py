"""Promises that stand at the edge of a function, in one line of code each."""

from __future__ import annotations

from bot import telemetry
from bot.app import App
from bot.errors import QuotaError
from bot.ports import ModelDone
from bot.store import schema
from bot.types import Audio, Text, ToolCall, Usage, from_json
from tests.fakes import HERE, FakeAdapter, answer
from tests.support import echo, last_request, rows, words


async def test_the_attachment_that_is_one_too_many_is_named(app: App, platform: FakeAdapter) -> None:
    """Of 21 attachments 20 are read, and the person is told; 20 are read without a word about it."""
    files = {f"{number}.txt": f"text {number}".encode() for number in range(21)}
    shown = await answer(app, platform, platform.says("read these", files=files))
    assert shown.reply and shown.reply.notices == ("Only the first 20 attachments were read.",)
    assert len(platform.fetched) == 20
    shown = await answer(app, platform, platform.says("and these", files=dict(list(files.items())[:20])))
    assert shown.reply and shown.reply.notices == ()


async def test_speech_that_was_cut_says_so(app: App, platform: FakeAdapter) -> None:
    """Of a long answer the first 3,000 characters are spoken, and the person is told; a short one is spoken whole."""
    echo(app).enqueue("word " * 700)
    shown = await answer(app, platform, platform.says("tell me all", wants_speech=True))
    assert shown.reply and shown.reply.notices == ("The voice message holds the beginning of the answer.",)
    [clip] = [part for part in shown.reply.parts if isinstance(part, Audio)]
    assert len(clip.transcript) == 3_000
    echo(app).enqueue("word")
    shown = await answer(app, platform, platform.says("tell me little", wants_speech=True))
    assert shown.reply and shown.reply.notices == ()


async def test_what_only_a_provider_reads_stays_within_its_turn(app: App, platform: FakeAdapter) -> None:
    """A provider's own data on a tool call goes back to it in the same turn, and is not kept for later ones."""
    call = ToolCall("c1", "fly", {}, {"before": [{"type": "reasoning", "id": "r1"}]})
    echo(app).enqueue(call, ModelDone(Usage(), "tools"))
    await answer(app, platform, platform.says("fly"))
    sent = [part for message in last_request(app).messages for part in message.parts if isinstance(part, ToolCall)]
    assert [one.provider_metadata for one in sent] == [call.provider_metadata]
    kept = [part for row in await rows(app, schema.messages) for part in from_json(row.parts)]
    assert [part.provider_metadata for part in kept if isinstance(part, ToolCall)] == [{}]
    await answer(app, platform, platform.says("and now?"))
    later = [part for message in last_request(app).messages for part in message.parts if isinstance(part, ToolCall)]
    assert [one.provider_metadata for one in later] == [{}]


async def test_an_error_is_no_part_of_the_talk(app: App, platform: FakeAdapter) -> None:
    """An answer that is an error stands in the timeline, but no model reads it as something that was said."""
    echo(app).enqueue(QuotaError("The account is out of credit."))
    shown = await answer(app, platform, platform.says("one"))
    assert shown.text == "The account is out of credit."
    assert [row.text for row in await rows(app, schema.messages)] == ["one", "The account is out of credit."]
    await answer(app, platform, platform.says("two"))
    assert words(last_request(app)) == ["one", "two"]


def observed(name: str) -> float:
    """How many steps of that name were timed."""
    return telemetry.registry.get_sample_value("parley_step_seconds_count", {"name": name}) or 0.0


async def test_steps_are_timed(app: App, platform: FakeAdapter) -> None:
    """/metrics tells how long each kind of step took, attachments as one kind."""
    before = {name: observed(name) for name in ("open", "perceive", "answer", "finish")}
    await answer(app, platform, platform.says("read these", files={"a.txt": b"a", "b.txt": b"b"}))
    assert {name: observed(name) - count for name, count in before.items()} == {
        "open": 1,
        "perceive": 2,
        "answer": 1,
        "finish": 1,
    }


async def test_a_long_history_is_not_loaded_whole(app: App, platform: FakeAdapter) -> None:
    """Whoever has pasted books into a conversation sees its newest part, and the last exchange whatever its length."""
    for number in range(8):
        echo(app).enqueue(f"answer {number}")
        await answer(app, platform, platform.says(f"{number}" + "x" * 400_000))
    shown = await app.host.timeline.entries(HERE)
    assert 2 <= len(shown) < 16
    assert shown[-1].parts == (Text("answer 7"),)
    echo(app).enqueue("the last")
    await answer(app, platform, platform.says("y" * 5_000_000))
    assert [entry.role for entry in await app.host.timeline.entries(HERE)] == ["user", "assistant"]
