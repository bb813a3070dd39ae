"""OpenAI's provider, what is heard, spoken and drawn, and how streams are ended."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image as PIL
from pydantic import SecretStr

from bot.errors import CredentialError, OverloadedError, RejectedError, UsageError
from bot.ports import ChatRequest, ImageData, ModelDone
from bot.providers.openai import OpenAIProvider, Options, create
from bot.types import Message, Settings, Text, TextDelta, ToolCall, ToolResult
from tests import making
from tests.contracts.providers import MemoryBlobs
from tests.emulators.openai import KEY, Answer, Call, Fault, OpenAIEmulator, spec


@pytest.fixture
async def server() -> AsyncIterator[OpenAIEmulator]:
    """A loopback OpenAI, whose every answered request is held to the vendor's file."""
    async with OpenAIEmulator() as made:
        yield made
        assert spec.violations(made.requests) == []


@pytest.fixture
async def provider(server: OpenAIEmulator) -> AsyncIterator[OpenAIProvider]:
    """The provider by Responses."""
    made = create(_options(server))
    yield made
    await made.close()


def _options(server: OpenAIEmulator, **more: Any) -> Options:
    given = {"openai_api_key": SecretStr(KEY), "openai_base_url": server.base_url, "openai_api": "responses"}
    return Options.model_validate({**given, "openai_timeout_s": 3, **more})


def request(*messages: Message, **settings: Any) -> ChatRequest:
    """A question to a chat model."""
    return ChatRequest(messages or (Message("user", (Text("hello"),)),), Settings(**settings), MemoryBlobs())


# --- Streams ---------------------------------------------------------------------------------------------------------


async def test_what_is_said_on_the_way_is_not_the_answer(server: OpenAIEmulator, provider: Any) -> None:
    """Commentary is not shown, and goes back with the call that it led to."""
    server.enqueue(Answer(commentary="Let me look.", calls=(Call("look", {"at": "x"}),)))
    model = provider.chat("gpt-6.1-terra")
    events = [event async for event in model.stream(request())]
    [call] = [event for event in events if isinstance(event, ToolCall)]
    assert not [event for event in events if isinstance(event, TextDelta)]
    exchange = (Message("assistant", (call,)), Message("tool", (ToolResult(call.id, "ok"),)))
    assert [event async for event in model.stream(request(Message("user", (Text("hi"),)), *exchange))]
    items = server.sent("/responses")[-1]["input"]
    assert [item["type"] for item in items][1:4] == ["reasoning", "message", "function_call"]
    assert items[2]["phase"] == "commentary"


@pytest.mark.parametrize("model", ["gpt-5.2", "gpt-4o"])
async def test_a_stream_that_nobody_reads_ends_at_the_server(server: OpenAIEmulator, provider: Any, model: str) -> None:
    """Closing the iterator closes the connection: a stopped answer costs nothing more."""
    server.pace_s = 0.01
    server.enqueue("word " * 10_000)
    stream = provider.chat(model).stream(request(stop=("END",) if model == "gpt-4o" else None))
    assert await anext(stream) and server.streaming == 1
    await stream.aclose()
    async with asyncio.timeout(3):
        while server.streaming:
            await asyncio.sleep(0.01)
    assert server.streaming == 0


async def test_a_refusal_is_told(server: OpenAIEmulator, provider: Any) -> None:
    """What the model says in refusing is shown, and the end says that it refused."""
    server.enqueue(Answer(refusal="I will not do that."))
    events = [event async for event in provider.chat("gpt-5.2").stream(request())]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["I will not do that."]
    assert isinstance(events[-1], ModelDone)
    assert events[-1].finish_reason == "refused"


async def test_a_short_limit_is_raised_to_the_least(server: OpenAIEmulator, provider: Any) -> None:
    """The server takes no limit under 16 tokens; five asked for give sixteen, not an error."""
    events = [event async for event in provider.chat("gpt-5.2").stream(request(max_tokens=5))]
    assert isinstance(events[-1], ModelDone)
    assert server.sent("/responses")[0]["max_output_tokens"] == 16


async def test_hard_thought_is_waited_for(server: OpenAIEmulator) -> None:
    """A model told to think hard may be silent for longer than one that is not."""
    made = create(_options(server, openai_timeout_s=0.3))
    server.fail(*[Fault("stall", after=0, seconds=0.8)] * 2)
    with pytest.raises(OverloadedError, match="in time"):
        [event async for event in made.chat("gpt-5.2").stream(request())]
    events = [event async for event in made.chat("gpt-5.2").stream(request(effort="high"))]
    assert isinstance(events[-1], ModelDone)
    await made.close()


async def test_a_server_that_never_answers_is_given_up(server: OpenAIEmulator) -> None:
    """Silence ends in an error that is worth repeating."""
    made = create(_options(server, openai_timeout_s=0.2))
    server.fail(*[Fault("timeout", seconds=5)] * 3)
    with pytest.raises(OverloadedError, match="in time"):
        [event async for event in made.chat("gpt-5.2").stream(request())]
    await made.close()


# --- Sound -----------------------------------------------------------------------------------------------------------


async def test_silence_is_heard_without_asking(server: OpenAIEmulator, provider: Any) -> None:
    """Nothing said gives no words and no bill."""
    heard = await provider.speech_to_text("gpt-transcribe").transcribe(making.silence(), "note.ogg")
    assert (heard.transcript.text, heard.usage.audio_s) == ("", 0)
    assert not server.requests


@pytest.mark.parametrize("model", ["gpt-transcribe", "whisper-1"])
async def test_languages_come_by_their_codes(provider: Any, model: str) -> None:
    """Whether a model says `english` or `en`, we say `en`."""
    heard = await provider.speech_to_text(model).transcribe(making.voice_note(), "note.ogg")
    assert heard.transcript.language == "en"


async def test_an_account_without_realtime_is_asked_once(server: OpenAIEmulator, provider: Any) -> None:
    """The answer's other sentences go straight to the speech endpoint."""
    server.has_realtime = False
    for sentence in ("One.", "Two."):
        assert (await provider.text_to_speech("gpt-realtime-2.1-mini").synthesize(sentence)).pcm
    paths = [one.path for one in server.requests]
    assert paths.count("/audio/speech") == 2
    assert paths.count("/realtime") == 1


async def test_a_realtime_model_that_is_not_there_falls_back(server: OpenAIEmulator, provider: Any) -> None:
    """A model that the account lacks does not leave the person without a voice while another lives."""
    del server.models["gpt-realtime-2.1-mini"]
    assert (await provider.text_to_speech("gpt-realtime-2.1-mini").synthesize("Hello.")).pcm


async def test_a_wrong_key_is_said_for_speech_too(server: OpenAIEmulator) -> None:
    """It is no missing feature."""
    made = create(_options(server, openai_api_key=SecretStr("wrong")))
    with pytest.raises(CredentialError, match="OPENAI_API_KEY"):
        await made.text_to_speech("gpt-realtime-2.1-mini").synthesize("Hello.")
    assert not server.asked("/audio/speech")
    await made.close()


async def test_speech_is_asked_for_out_of_any_conversation(server: OpenAIEmulator, provider: Any) -> None:
    """Realtime gets the text as what to read, in PCM, outside of its conversation; usage tells the sound's tokens."""
    spoken = await provider.text_to_speech("gpt-realtime-2.1-mini").synthesize("Read this.", voice="cedar")
    order = server.realtime_events[-1]["response"]
    assert (order["conversation"], order["output_modalities"]) == ("none", ["audio"])
    assert order["audio"]["output"]["voice"] == "cedar"
    assert order["input"][0]["content"][0]["text"] == "Read this."
    assert (spoken.rate_hz, spoken.usage.is_estimate) == (24_000, False)
    assert spoken.usage.audio_tokens > 0


async def test_each_speech_model_has_its_voices(server: OpenAIEmulator, provider: Any) -> None:
    """The old models speak with the voices that they have, and say which."""
    assert (await provider.text_to_speech("tts-1").synthesize("Hello.", instructions="softly")).pcm
    assert server.sent("/audio/speech")[0]["voice"] == "alloy"
    with pytest.raises(UsageError, match="Voices: alloy"):
        await provider.text_to_speech("tts-1").synthesize("Hello.", voice="marin")


# --- Pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "size"),
    [("square", (1024, 1024)), ("landscape", (1536, 1024)), ("portrait", (1024, 1536)), ("1536x864", (1536, 864))],
)
async def test_pictures_have_the_size_asked_for(provider: Any, asked: str, size: tuple[int, int]) -> None:
    """Shapes by name, and any size that the model makes."""
    painted = await provider.image_generator("gpt-image-2").generate("a cat", size=asked)
    assert PIL.open(io.BytesIO(painted.pictures[0].data)).size == size
    assert painted.notices == ()


async def test_several_pictures_of_other_kinds_are_references(server: OpenAIEmulator, provider: Any) -> None:
    """What the endpoint does not take is converted first; each source is one part of the form."""
    sources = [ImageData(making.picture("A", format=kind), f"image/{kind.lower()}") for kind in ("GIF", "JPEG", "PNG")]
    painted = await provider.image_generator("gpt-image-1.5").generate("together", count=2, images=sources)
    assert len(painted.pictures) == 2
    assert painted.usage.input_image_tokens > 0
    [logged] = server.asked("/images/edits")
    assert [upload.part for upload in logged.files] == ["image[]"] * 3


async def test_an_image_model_that_is_gone_is_said(provider: Any) -> None:
    """The person reads that it is gone and what the operator can do."""
    with pytest.raises(RejectedError, match="does not have that model"):
        await provider.image_generator("dall-e-3").generate("a cat")
