"""From a model's stream to an answer: how it ends, what is kept when it fails, what it cost, and how soon a stop is heard."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from bot.app import App
from bot.errors import CutOffError, OverloadedError, PlatformError, QuotaError
from bot.jobs import interruptible_by, with_retries
from bot.media import audio
from bot.ports import ModelDone, SpeechResult
from bot.providers.openai import Options
from bot.providers.openai.audio import Transcriber
from bot.providers.openai.client import Connection
from bot.store import schema
from bot.types import ButtonPress, Image, Receipt, ReplyEvent, Text, TextDelta, ToolCall, ToolResult, Usage
from tests import making
from tests.conftest import MakeApp
from tests.emulators.openai import KEY, Fault, OpenAIEmulator
from tests.fakes import ANN, HERE, FakeAdapter, FakeClock, Shown, answer, ended
from tests.support import echo, last_request, rows

DRAW = ToolCall("c1", "generate_image", {"prompt": "a red cat", "shape": "square"})
EDIT = ToolCall("c2", "edit_image", {"prompt": "make it blue", "shape": "square"})
SENTENCES = " ".join(f"{word} {'and so on ' * 35}end." for word in ("One", "Two", "Three"))


def made(app: App, modality: str) -> list[Any]:
    """The calls of that modality."""
    return [call for call in echo(app).calls if call.modality == modality]


async def ask(app: App, platform: FakeAdapter, text: str) -> Any:
    """The reply to that."""
    shown = await answer(app, platform, platform.says(text))
    assert shown.reply is not None
    return shown.reply


# --- How it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (("one END two",), "one"),
        (("one E", "N", "D two"), "one"),
        (("one EN", "TER two"), "one ENTER two"),
        (("one EN",), "one EN"),
        (("a EE", "ND b"), "a E"),
        (("x FIN y END z",), "x"),
    ],
)
async def test_an_answer_ends_at_a_stop_text(
    app: App, platform: FakeAdapter, pieces: tuple[str, ...], expected: str
) -> None:
    """However the stream is parted, nothing of a stop text or after it is ever shown, and all before it is."""
    await answer(app, platform, platform.commands("settings", "set stop END,FIN"))
    echo(app).enqueue(*pieces, " never" if "END" in "".join(pieces) else "")
    shown = await answer(app, platform, platform.says("go on"))
    assert shown.text == expected
    assert all(expected.startswith(version.rstrip()) for version in shown.versions)


async def test_a_broken_answer_keeps_what_looked_like_a_stop_text(app: App, platform: FakeAdapter) -> None:
    """What was held back because a stop text may begin so is shown when the stream breaks off there."""
    await answer(app, platform, platform.commands("settings", "set stop END"))
    for _ in range(4):
        echo(app).enqueue("the E", CutOffError("The answer broke off."))
    assert (await ask(app, platform, "go on")).text == "the E"


async def test_an_answer_cut_at_a_stop_text_is_paid_for(app: App, platform: FakeAdapter) -> None:
    """The call that was ended early stands in the ledger with an estimate."""
    await answer(app, platform, platform.commands("settings", "set stop END"))
    echo(app).enqueue("one END", asyncio.Event())
    assert (await ask(app, platform, "go on")).text == "one"
    [call] = await rows(app, schema.calls)
    assert (call.state, call.is_estimate) == ("settled", True)
    assert call.input_tokens > 0 and call.cost_micro_usd > 0


@pytest.mark.parametrize(
    ("setting", "events", "code", "said"),
    [
        ("max_tokens 500", (ModelDone(Usage(10, output_tokens=500), "length"),), "provider", "limit of 500 tokens"),
        ("max_tokens 500", (ModelDone(Usage(10, output_tokens=500), "length"),), "provider", "set max_tokens"),
        ("effort high", (ModelDone(Usage(10, output_tokens=500), "length"),), "provider", "set effort low"),
        ("effort high", (ModelDone(Usage(10), "refused"),), "refused", "declined"),
        ("stop END", ("END",), "provider", "reset stop"),
    ],
)
async def test_an_answer_without_a_word_says_why(
    app: App, platform: FakeAdapter, setting: str, events: tuple[Any, ...], code: str, said: str
) -> None:
    """Thinking that used up the limit, a refusal and a stop text at once are told apart, with what to do."""
    await answer(app, platform, platform.commands("settings", f"set {setting}"))
    echo(app).enqueue(*events)
    reply = await ask(app, platform, "think")
    assert reply.error == code
    assert said in reply.text


# --- What is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [(OverloadedError("Too busy."),), ("It is ", CutOffError("It broke off.")), (QuotaError("No credit."),)],
    ids=["overloaded", "cut off", "quota"],
)
async def test_a_picture_survives_the_model_that_asked_for_it(
    app: App, platform: FakeAdapter, failure: tuple[Any, ...]
) -> None:
    """When the model fails after its picture was made, the person gets the picture and is told; it is not paid for again."""
    echo(app).enqueue(DRAW)
    echo(app).enqueue(*failure)
    reply = await ask(app, platform, "draw a cat")
    assert [part.description for part in reply.parts if isinstance(part, Image)] == ["a red cat"]
    assert any(failure[-1].text in notice for notice in reply.notices)
    assert len(made(app, "image")) == 1
    await ask(app, platform, "what was it?")
    roles = [message.role for message in last_request(app).messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_a_model_reads_its_own_words_once(app: App, platform: FakeAdapter) -> None:
    """In further rounds of tools each of its earlier words stands where it was said, and only there."""
    echo(app).enqueue("part1.", ToolCall("c1", "fly", {}))
    echo(app).enqueue("part2.", ToolCall("c2", "fly", {}))
    echo(app).enqueue("end.")
    assert (await ask(app, platform, "go")).text == "part1.\n\npart2.\n\nend."
    said = [part.text for message in last_request(app).messages if message.role == "assistant"
            for part in message.parts if isinstance(part, Text)]  # fmt: skip
    assert said == ["part1.", "part2."]


@pytest.mark.parametrize("rounds", [((DRAW, EDIT),), ((DRAW,), (EDIT,))], ids=["one round", "two rounds"])
async def test_the_picture_just_made_is_the_one_to_edit(
    app: App, platform: FakeAdapter, rounds: tuple[tuple[ToolCall, ...], ...]
) -> None:
    """ "Draw it, then change it" changes the new picture, not one from earlier in the conversation."""
    await answer(app, platform, platform.says("look", files={"dog.png": making.picture("dog")}))
    for calls in rounds:
        echo(app).enqueue(*calls)
    echo(app).enqueue("done")
    reply = await ask(app, platform, "draw a cat, then make it blue")
    first = next(part for part in reply.parts if isinstance(part, Image))
    [source] = made(app, "image")[-1].extra["images"]
    assert source.data == await app.host.blobs(HERE).read(first.blob)


# --- What it cost ----------------------------------------------------------------------------------------------------


class Failing(FakeAdapter):
    """A platform that fails while text streams."""

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Fail at the first text."""
        async for event in events:
            if isinstance(event, TextDelta):
                raise PlatformError("The channel is gone.")


async def test_an_answer_that_cannot_be_shown_while_it_comes_is_shown_in_the_end(
    make_app: MakeApp, platform: FakeAdapter
) -> None:
    """A platform that fails in the middle costs nothing: the model is heard to its end, paid once, and the reply shown whole."""
    platform.stream = Failing.stream.__get__(platform)  # type: ignore[method-assign]
    async with make_app() as app:
        shown = await answer(app, platform, platform.says("hello there"))
        [call] = await rows(app, schema.calls)
    assert shown.text == "You said: hello there"
    assert (call.state, call.error, call.is_estimate) == ("settled", "", False)


async def test_speech_that_fails_half_way_counts_what_was_spoken(app: App, platform: FakeAdapter) -> None:
    """Of several pieces those that were spoken are in the ledger, though the clip came to nothing."""
    spoken = SpeechResult(b"\0\0" * 24_000, 24_000, Usage(characters=350))
    for item in (spoken, spoken, QuotaError("No credit.")):
        echo(app).enqueue(item, modality="speech")
    await answer(app, platform, platform.commands("say", SENTENCES))
    [call] = await rows(app, schema.calls)
    assert (call.state, call.error, call.characters) == ("failed", "quota", 700)
    assert call.cost_micro_usd == 700


@pytest.fixture
async def server() -> AsyncIterator[OpenAIEmulator]:
    """A loopback OpenAI."""
    async with OpenAIEmulator() as made:
        yield made


def at(server: OpenAIEmulator, **more: Any) -> dict[str, Any]:
    """The configuration that leads there."""
    given = {"openai_api_key": SecretStr(KEY), "openai_base_url": server.base_url, "openai_api": "responses"}
    return {**given, "openai_timeout_s": 3, **more}


class ThenNoCredit(deque[str]):
    """What is heard; after it the account is out of credit."""

    def __init__(self, server: OpenAIEmulator, *heard: str) -> None:
        super().__init__(heard)
        self._server = server

    def popleft(self) -> str:
        """The next."""
        self._server.fail(*[Fault("quota", path="/audio/transcriptions")] * 3)
        return super().popleft()


async def test_a_recording_that_fails_half_way_counts_what_was_heard(
    make_app: MakeApp, platform: FakeAdapter, server: OpenAIEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long recording the pieces that were written down are in the ledger, though one of them failed."""
    second = 16_000
    loud = (np.sin(2 * np.pi * 300 * np.arange(second * 15) / second) * 8_000).astype(np.int16)
    recording = audio.encode_voice(np.concatenate([loud, np.zeros(second, np.int16), loud]), second).data
    server.transcripts = ThenNoCredit(server, "first part")
    connection = Connection(Options(**at(server)))
    listener = Transcriber("gpt-transcribe", connection, max_s=20, at_once=1)
    async with make_app(**at(server, transcribe_model="openai:gpt-transcribe")) as app:
        monkeypatch.setattr(app.providers["openai"], "speech_to_text", lambda model: listener)
        await answer(app, platform, platform.says("", files={"long.ogg": recording}))
        [call] = await rows(app, schema.calls)
    await connection.client.close()
    assert (call.state, call.error) == ("failed", "quota")
    assert call.audio_s > 5


async def test_speech_is_priced_by_the_model_that_spoke(
    make_app: MakeApp, platform: FakeAdapter, server: OpenAIEmulator
) -> None:
    """When another model steps in for the one that was configured, the ledger names and prices that one."""
    server.has_realtime = False
    prices = json.dumps({"gpt-4o-mini-tts": [1_000, 1_000], "gpt-realtime-2.1-mini": [9, 9]})
    async with make_app(**at(server, speech_model="openai:gpt-realtime-2.1-mini", openai_prices=prices)) as app:
        shown = await answer(app, platform, platform.commands("say", "good night"))
        assert shown.reply is not None and not shown.reply.error
        calls = await rows(app, schema.calls)
    assert [(call.model, call.state) for call in calls] == [
        ("openai:gpt-realtime-2.1-mini", "failed"),
        ("openai:gpt-4o-mini-tts", "settled"),
    ]
    assert calls[0].cost_micro_usd == 0
    assert calls[1].cost_micro_usd == 1_000 * (calls[1].input_tokens + calls[1].output_tokens)


# --- Settings that a model lacks -------------------------------------------------------------------------------------


async def test_what_a_model_lacks_is_said_once(
    make_app: MakeApp, platform: FakeAdapter, server: OpenAIEmulator
) -> None:
    """A penalty is said to be left out when it is set; a stop text works with every model; no answer carries a remark about it."""
    async with make_app(**at(server, chat_model="openai:gpt-6.1-terra")) as app:
        told = [(await answer(app, platform, platform.commands("settings", f"set {line}"))).text
                for line in ("stop END", "presence_penalty 1")]  # fmt: skip
        assert ["does not take" in one for one in told] == [False, True]
        server.enqueue("one END two")
        reply = await ask(app, platform, "count")
    assert reply.text == "one"
    assert reply.notices == ()
    assert server.sent("/chat/completions") == []


async def test_a_new_model_says_what_it_lacks(make_app: MakeApp, platform: FakeAdapter, server: OpenAIEmulator) -> None:
    """Who changes to a model that does not take what was set before reads so then."""
    async with make_app(**at(server, chat_model="openai:gpt-4o", offered_models="openai:gpt-6-astra")) as app:
        first = await answer(app, platform, platform.commands("settings", "set presence_penalty 1"))
        assert "does not take" not in first.text
        told = await answer(app, platform, platform.commands("settings", "set model openai:gpt-6-astra"))
    assert "presence_penalty" in told.text


# --- How soon a stop is heard ----------------------------------------------------------------------------------------


class Stuck:
    """A model that takes for ever."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.was_cancelled = False

    async def _never(self, *args: Any, **named: Any) -> Any:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise

    generate = synthesize = _never


async def stopped(app: App, platform: FakeAdapter, stuck: Stuck, inbound: Any) -> tuple[Shown, float]:
    """Say that, press stop once the model works, and give what is seen and the seconds it took to end."""
    accepted = await app.accept(inbound)
    await asyncio.wait_for(stuck.began.wait(), 10)
    began = time.monotonic()
    await app.accept(ButtonPress("P1", inbound.message_id, HERE, ANN, "stop"))
    shown = await platform.answered(accepted.turn_id)
    await ended(app, accepted.turn_id)
    return shown, time.monotonic() - began


@pytest.mark.parametrize("way", ["tool", "command"])
async def test_stop_is_heard_while_a_picture_is_made(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The picture is given up within a second, its call settled at a cost that nobody knows, and the history stays whole."""
    stuck = Stuck()
    monkeypatch.setattr(echo(app), "image_generator", lambda model: stuck)
    echo(app).enqueue("I draw.", DRAW)
    said = platform.says("draw") if way == "tool" else platform.commands("imagine", "a cat")
    shown, took_s = await stopped(app, platform, stuck, said)
    assert took_s < 1
    assert stuck.was_cancelled
    assert shown.reply is not None
    assert (shown.reply.stopped, shown.reply.error) == (True, "")
    [call] = [row for row in await rows(app, schema.calls) if row.modality == "image"]
    assert (call.state, call.error, call.cost_micro_usd) == ("failed", "stopped", None)
    kept = [part for row in await rows(app, schema.messages) for part in row.parts["of"]]
    assert not any(part["$"] in (ToolCall.__name__, ToolResult.__name__) for part in kept)


async def test_stop_is_heard_while_the_answer_is_spoken(
    app: App, platform: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The voice message is given up within a second; the written answer stays."""
    stuck = Stuck()
    monkeypatch.setattr(echo(app), "text_to_speech", lambda model: stuck)
    await answer(app, platform, platform.commands("settings", "set speech always"))
    shown, took_s = await stopped(app, platform, stuck, platform.says("hello"))
    assert took_s < 1
    assert stuck.was_cancelled
    assert shown.text == "You said: hello"


async def test_stop_ends_the_wait_for_another_try() -> None:
    """A step that waits to be tried again runs at once when the person says stop, so that it can end as stopped."""

    class Standing(FakeClock):
        async def sleep(self, seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

    waiting, stop, tries = asyncio.Event(), asyncio.Event(), list[bool]()

    async def work() -> str:
        tries.append(stop.is_set())
        if len(tries) == 1:
            raise OverloadedError("Too many requests.", retry_after_s=30)
        return "stopped"

    async def press() -> None:
        await waiting.wait()
        stop.set()

    with interruptible_by(stop):
        async with asyncio.timeout(1):
            (result, attempts), _ = await asyncio.gather(with_retries(Standing(), "answer", work, ()), press())
    assert (result, attempts, tries) == ("stopped", 2, [False, True])
