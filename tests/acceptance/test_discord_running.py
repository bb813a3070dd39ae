"""Discord end to end: limits, lost connections, crashes and downtimes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.discord.emulator import AppConfig, DiscordEmulator, Limits
from adapters.discord.emulator.permissions import SEND_MESSAGES
from adapters.discord.pace import Pace
from adapters.discord.reply.replies import receipt_of
from bot.types import Reply, Text
from tests.acceptance.discord_support import SOON, parley, world

MESSAGES = "/channels/{channel_id}/messages"
MESSAGE = MESSAGES + "/{message_id}"


async def test_the_buckets_are_kept(tmp_path: Path) -> None:
    """Five answers grow in one channel at once, none is refused for haste, all get their turn and end whole."""
    async with world(tmp_path, limits=Limits()) as w:
        asked = [w.mention(f"question {n} [[slow 0.2]] [[long 12]]") for n in range(4)]
        for question in asked:
            (answer,) = await w.answers(question, timeout_s=40)
            assert answer.content.endswith("word11")
        assert not [call for call in w.discord.calls if call.status == 429]


async def test_a_429_is_waited_out(tmp_path: Path) -> None:
    """What Discord asks for is honoured and the answer comes."""
    async with world(tmp_path) as w:
        w.discord.fail("POST", MESSAGES, status=429, retry_after_s=0.3)
        (answer,) = await w.answers(w.mention("patience"))
        assert "patience" in answer.content


async def test_a_lost_answer_is_posted_once(tmp_path: Path) -> None:
    """When Discord posted but its answer was lost, the nonce gives the same message again."""
    async with world(tmp_path) as w:
        w.discord.fail("POST", MESSAGES, status=None, applied=True)
        asked = w.mention("only once")
        await w.answers(asked, timeout_s=20)
        assert len(w.beneath(asked)) == 1


async def test_trouble_while_showing_loses_nothing(tmp_path: Path) -> None:
    """Edits that fail are no reason to lose the answer."""
    async with world(tmp_path) as w:
        w.discord.fail("PATCH", MESSAGE, status=None, times=2)
        (answer,) = await w.answers(w.mention("steady [[slow 0.3]]"), timeout_s=30)
        assert "You said: steady" in answer.content


async def test_a_resume_brings_what_was_missed(tmp_path: Path) -> None:
    """A cut connection is taken up again by resuming; what was said meanwhile is answered once."""
    async with world(tmp_path) as w:
        logins = len(w.discord.gateway.identifies)
        w.discord.drop()
        asked = w.mention("said in between")
        (answer,) = await w.answers(asked, timeout_s=20)
        assert "said in between" in answer.content
        assert len(w.discord.gateway.identifies) == logins
        assert len(w.beneath(asked)) == 1


async def test_a_new_session_reads_what_was_missed(tmp_path: Path) -> None:
    """When the session cannot be resumed, active conversations are read by `history(after=…)`; nothing is answered twice."""
    async with world(tmp_path) as w:
        (first,) = await w.answers(w.mention("before"))
        w.discord.gateway.lose_events = True
        missed = w.discord.post(w.discord.alice, w.discord.general, "missed", reply_to=first)
        w.discord.gateway.lose_events = False
        w.discord.refuse_resumes()
        w.discord.drop()
        assert "missed" in (await w.answers(missed, timeout_s=30))[0].content
        assert await w.adapter.listener.backfill(w.app.accept) == 0
        await w.settled()
        assert len(w.beneath(missed)) == 1


async def test_after_a_downtime_what_was_missed_is_answered_once(tmp_path: Path) -> None:
    """Messages in active conversations that came while nobody listened are answered, in channels, threads and directly."""
    async with DiscordEmulator() as discord:
        direct = discord.direct(discord.alice)
        start = discord.post(discord.alice, discord.general, "a subject")
        thread = discord.create_thread(discord.alice, discord.general, "Subject", message=start)
        async with parley(discord, tmp_path, durable=True) as w:
            (answer,) = await w.answers(w.mention("before the night"))
            await w.answers(discord.post(discord.alice, direct, "hello"))
            await w.answers(w.mention("in the thread", thread))
        missed = [
            discord.post(discord.alice, discord.general, "are you there?", reply_to=answer),
            discord.post(discord.alice, direct, "and here?"),
            discord.post(discord.alice, thread, "and in the thread?"),
        ]
        old = discord.post(discord.bob, discord.random, f"<@{discord.bot.id}> no conversation of ours")
        async with parley(discord, tmp_path, durable=True) as w:
            for question in missed:
                assert question.content in (await w.answers(question))[0].content
            await w.adapter.listener.backfill(w.app.accept)
            await w.settled()
            assert [len(w.beneath(question)) for question in missed] == [1, 1, 1]
            assert not w.beneath(old)


async def test_a_repeated_delivery_is_answered_once(tmp_path: Path) -> None:
    """The same message twice is one question."""
    from adapters.discord.emulator.messages import tell_message

    async with world(tmp_path) as w:
        asked = w.mention("hello")
        await w.answers(asked)
        tell_message(w.discord.world, "MESSAGE_CREATE", asked)
        await w.settled()
        assert len(w.beneath(asked)) == 1


async def test_our_own_deletions_take_nothing_out_of_the_history(tmp_path: Path) -> None:
    """When a shorter answer takes the place of a longer one, surplus messages go and the conversation stays."""
    async with world(tmp_path) as w:
        asked = w.mention("[[long 600]]")
        answers = await w.answers(asked, 3)
        w.discord.edit(asked, f"<@{w.discord.bot.id}> short")
        await w.discord.wait_for(lambda: len(w.beneath(asked)) == 1)
        await w.settled()
        on = w.discord.post(w.discord.alice, w.discord.general, "and on", reply_to=answers[0])
        assert "Messages before: 2" in (await w.answers(on))[0].content


async def test_an_interrupted_attempt_is_found_again(tmp_path: Path) -> None:
    """A process that comes after a crash edits what the dead one had posted."""
    async with DiscordEmulator() as discord:
        turns = []
        async with parley(discord, tmp_path) as w:
            really_open = w.adapter.open

            async def opening(turn: object) -> object:
                turns.append(turn)
                return await really_open(turn)  # type: ignore[arg-type]

            w.adapter.open = opening  # type: ignore[method-assign, assignment]
            asked = w.mention("hello")
            await w.answers(asked)
        async with parley(discord, tmp_path, listen=False) as w:
            discord.advance(3_600)
            forgotten = receipt_of(replace(turns[0], receipt=None), "another process", {})
            await w.adapter.finish(forgotten, Reply((Text("taken up again"),)))
            assert [m.content for m in w.beneath(asked)] == ["taken up again"]


async def test_several_shards(tmp_path: Path) -> None:
    """With as many shards as Discord recommends, every server is heard."""
    async with DiscordEmulator(AppConfig(shards=2, max_concurrency=2)) as discord:
        discord.add_guild("Second")
        async with parley(discord, tmp_path) as w:
            for guild in list(discord.world.guilds.values()):
                channel = (
                    next(c for c in discord.world.channels_of(guild.id) if c.kind == 0)
                    if guild is discord.guild
                    else None
                )
                channel = channel or discord.add_channel(guild, "general")
                (answer,) = await w.answers(w.mention(f"in {guild.name}", channel))
                assert f"in {guild.name}" in answer.content
            assert len(set(w.adapter.directory.gateway.shards)) == 2  # type: ignore[union-attr]


async def test_logins_are_not_used_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When few logins are left, Parley waits for new ones instead of having its token reset."""
    slept: list[float] = []
    async with DiscordEmulator(AppConfig(identify_limit=3)) as discord, parley(discord, tmp_path, listen=False) as w:
        clock = w.app.clock

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await asyncio.Event().wait()

        monkeypatch.setattr(clock, "sleep", sleep)
        listening = asyncio.create_task(w.adapter.listen(w.app.accept))
        await discord.wait_for(lambda: slept)
        assert discord.gateway.identifies == type(discord.gateway.identifies)() and slept[0] > 60
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert Pace().spare_identifies >= 3


async def test_typing_lasts_as_long_as_the_work(tmp_path: Path) -> None:
    """Typing is renewed until words show, and no longer."""
    async with world(tmp_path, pace=replace(SOON, typing_s=0.05)) as w:
        gate = asyncio.Event()
        w.app.providers["echo"].script.enqueue("chat", [gate, "there"])  # type: ignore[attr-defined]
        asked = w.mention("wait for it")
        await w.discord.wait_for(lambda: len(w.discord.calls_to("POST", "/channels/{channel_id}/typing")) > 2)
        gate.set()
        await w.answers(asked)
        count = len(w.discord.calls_to("POST", "/channels/{channel_id}/typing"))
        await asyncio.sleep(0.2)
        assert len(w.discord.calls_to("POST", "/channels/{channel_id}/typing")) == count


async def test_where_we_may_not_write_nothing_is_tried_on_and_on(tmp_path: Path) -> None:
    """A channel without the permission sees a handful of refused calls, and the next answer elsewhere comes as ever."""
    async with world(tmp_path) as w:
        w.discord.forbid(w.discord.general, SEND_MESSAGES)
        w.mention("can you? [[slow 0.2]] [[long 12]]")
        await w.settled()
        assert len([call for call in w.discord.calls if call.status == 403]) <= 6
        asked = w.mention("and here?", w.discord.random)
        assert "and here?" in (await w.answers(asked))[0].content
