"""What every platform's adapter keeps, whatever the platform is like: one suite over all that take part."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from adapters import load
from bot.ports import Adapter
from bot.types import Receipt, Reply, Text, Turn
from tests.contracts.adapter_cases import Case, cases
from tests.making import voice_note

CASES = cases()
READ = f"I read plan.txt (text/plain, {len(b'the plan is simple')} bytes)"
"""What echo says of a text file whose bytes reached it."""
every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@every
async def test_it_is_what_it_says(case: Case, tmp_path: Path) -> None:
    """The capabilities of the folder's PLUGIN are the adapter's, and the adapter has every method of the port."""
    async with case.start(tmp_path) as platform:
        adapter = platform.app.adapters[platform.name]
        assert adapter.capabilities == case.capabilities == load(case.name).capabilities
        wanted = [name for name in vars(Adapter) if not name.startswith("_")]
        assert all(hasattr(adapter, name) for name in wanted)


@every
async def test_a_question_is_answered_once(case: Case, tmp_path: Path) -> None:
    """One message brings one answer, with its words in it."""
    async with case.start(tmp_path) as platform:
        asked = await platform.say("what is up?")
        answers = await platform.answers(asked)
        assert len(answers) == 1 and "what is up?" in answers[0]


@every
async def test_what_is_delivered_twice_is_answered_once(case: Case, tmp_path: Path) -> None:
    """A repeated delivery changes nothing."""
    if not case.has_repeats:
        pytest.skip(f"{case.name} delivers nothing twice")
    async with case.start(tmp_path) as platform:
        asked = await platform.say("only once")
        before = await platform.answers(asked)
        await platform.repeat(asked)
        assert await platform.answers(asked) == before


@every
async def test_bots_are_not_answered(case: Case, tmp_path: Path) -> None:
    """Another bot that mentions Parley gets no answer, where a person with the same words does."""
    if not case.has_bots:
        pytest.skip(f"{case.name} has no bots")
    async with case.start(tmp_path) as platform:
        from_bot = await platform.mention("hello fellow bot", by_bot=True)
        from_person = await platform.mention("hello from a person", by_bot=False)
        assert "hello from a person" in (await platform.answers(from_person))[0]
        assert not any("fellow bot" in text for text in await platform.answers(from_bot))


@every
async def test_questions_of_one_conversation_are_answered_in_order(case: Case, tmp_path: Path) -> None:
    """What was asked first is answered first, also when all was asked at once."""
    async with case.start(tmp_path) as platform:
        first = await platform.say("number 0 [[slow 0.01]]")
        await platform.settled()
        for number in range(1, 4):
            await platform.say(f"number {number}", after=first)
        answers = await platform.answers(first)
        assert [next(n for n in range(4) if f"number {n}" in text) for text in answers] == [0, 1, 2, 3]


@every
async def test_an_edited_question_is_answered_anew_in_place(case: Case, tmp_path: Path) -> None:
    """The answer follows the edit; there is still one."""
    if not case.has_edits:
        pytest.skip(f"nothing is edited at {case.name}")
    async with case.start(tmp_path) as platform:
        asked = await platform.say("first thought")
        assert "first thought" in (await platform.answers(asked))[0]
        await platform.edit(asked, "second thought")
        async with asyncio.timeout(10):
            while not (answers := await platform.answers(asked)) or "second thought" not in answers[0]:
                await asyncio.sleep(0.02)
        assert len(answers) == 1


@every
async def test_a_deleted_question_leaves_the_history(case: Case, tmp_path: Path) -> None:
    """The next answer knows nothing of it."""
    if not case.has_edits:
        pytest.skip(f"nothing is deleted at {case.name}")
    async with case.start(tmp_path) as platform:
        root = await platform.say("keep this")
        await platform.settled()
        gone = await platform.say("forget this", after=root)
        await platform.settled()
        await platform.delete(gone)
        await platform.settled()
        last = await platform.say("what do you know?", after=root)
        answers = await platform.answers(last)
        assert "Messages before: 2" in answers[-1]


@every
async def test_a_long_answer_comes_whole_and_in_order(case: Case, tmp_path: Path) -> None:
    """Every word of it, in as many messages as it takes, none above the platform's limit."""
    count = min(case.max_text, 12_000) * 2 // 9
    async with case.start(tmp_path) as platform:
        asked = await platform.say(f"[[long {count}]]")
        answers = await platform.answers(asked)
        words = [word for word in " ".join(answers).split() if word.startswith("word") and word[4:].isdigit()]
        assert words == [f"word{number}" for number in range(count)]
        assert all(len(text) <= case.max_text * 1.15 for text in answers)


@every
async def test_a_file_is_read(case: Case, tmp_path: Path) -> None:
    """A text file sent along is part of the question."""
    async with case.start(tmp_path) as platform:
        asked = await platform.say("read it", files=[("plan.txt", b"the plan is simple")])
        assert READ in (await platform.answers(asked))[0]


@every
async def test_a_voice_note_is_heard_and_answered_by_voice(case: Case, tmp_path: Path) -> None:
    """Who speaks is understood, and hears the answer where the platform plays sound."""
    async with case.start(tmp_path) as platform:
        asked = await platform.speak(voice_note("good evening"))
        assert "good evening" in (await platform.answers(asked))[0]
        if case.plays_voice:
            assert any(len(data) > 200 for data in await platform.uploads(asked))


@every
async def test_a_repeated_open_and_finish_change_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both may run again after a crash: the person still sees one answer."""
    async with case.start(tmp_path) as platform:
        adapter, turns = platform.app.adapters[platform.name], list[Turn]()
        really_open = adapter.open

        async def opening(turn: Turn) -> Receipt:
            turns.append(turn)
            return await really_open(turn)

        monkeypatch.setattr(adapter, "open", opening)
        asked = await platform.say("hello")
        before = await platform.answers(asked)
        turn = replace(turns[0], id=f"{turns[0].id}-again", receipt=None)
        reply = Reply((Text("A second answer."),))
        assert (await really_open(turn)).address == turn.inbound.address
        receipt = await adapter.finish(await really_open(turn), reply)
        assert (await adapter.finish(receipt, reply)).message_ids == receipt.message_ids
        assert len(await platform.answers(asked)) == len(before) + int(case.keeps_posts)


BUTTONS = {
    "an answer": ("hello", {"regenerate", "thumbs_up", "thumbs_down"}),
    "an answer at its limit": ("[[length]] [[long 30]]", {"continue", "regenerate", "thumbs_up", "thumbs_down"}),
    "a picture": (
        '[[tool generate_image {"prompt": "a barn", "shape": "square"}]]',
        {"vary", "edit_image", "regenerate", "thumbs_up", "thumbs_down"},
    ),
    "a command's words": ("/reset", set[str]()),
    "a command given wrongly": ("/transcribe", set[str]()),
    "a command that speaks": ("/say good morning", set[str]()),
    "a failure that may pass": ("x [[fail refused]]", {"regenerate"}),
}


@every
async def test_the_same_buttons_stand_under_the_same_replies(case: Case, tmp_path: Path) -> None:
    """Whichever platform it is, if it has buttons; the table of `bot/policy/actions.py`, seen from outside."""
    if not case.capabilities.has_buttons:
        pytest.skip(f"{case.name} has no buttons")
    async with case.start(tmp_path) as platform:
        found = {name: await platform.buttons(await platform.say(words)) for name, (words, _) in BUTTONS.items()}
    assert found == {name: actions for name, (_, actions) in BUTTONS.items()}
