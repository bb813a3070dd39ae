"""Echo: the provider that tests lean on keeps its own promises."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest

from bot.errors import BotError, CutOffError, OverloadedError, RejectedError, UnavailableError, UsageError
from bot.ports import ChatRequest, ImageData, ImageResult, ModelDone, ModelEvent
from bot.providers import echo
from bot.types import Audio, Blob, File, Image, Message, Part, Settings, Text, TextDelta, ToolCall, ToolResult, Usage

BLOB = Blob("0" * 64, "image/png", 3)


class OneBlob:
    """Blobs that all hold the same three bytes."""

    async def read(self, blob: Blob) -> bytes:
        """The bytes."""
        return b"abc"

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Keeps nothing."""
        return BLOB


@pytest.fixture
def provider() -> echo.EchoProvider:
    """A fresh one."""
    return echo.EchoProvider()


def said(text: str, *more: Part) -> Message:
    """A message of the user."""
    return Message("user", (Text(text), *more))


async def ask(
    provider: echo.EchoProvider, *messages: Message, model: str = "echo", **settings: Any
) -> list[ModelEvent]:
    """All events of one answer."""
    request = ChatRequest(messages, Settings(**settings), OneBlob())
    return [event async for event in provider.chat(model).stream(request)]


def words(events: Sequence[ModelEvent]) -> str:
    """The streamed text."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def done(events: Sequence[ModelEvent]) -> ModelDone:
    """The last event, which every answer has."""
    assert isinstance(events[-1], ModelDone)
    return events[-1]


async def test_says_back_the_last_message_word_by_word(provider: echo.EchoProvider) -> None:
    """The answer is the words of the user, streamed, with what came before counted."""
    events = await ask(provider, said("first"), Message("assistant", (Text("yes"),)), said("good  morning\nall"))
    assert words(events) == "You said: good  morning\nall\n\nMessages before: 2"
    assert sum(isinstance(event, TextDelta) for event in events) == 8
    assert done(events) == ModelDone(Usage(input_tokens=5, output_tokens=8))


async def test_describes_what_is_attached(provider: echo.EchoProvider) -> None:
    """A model that sees reads the bytes; one that does not gets the text in the picture."""
    parts = (
        Image(BLOB, "sign.png", "OPEN", width=4, height=2),
        File(BLOB, "a.txt", "inside"),
        Audio(BLOB, transcript="hello there"),
    )
    assert words(await ask(provider, said("look", *parts))) == (
        "You said: look\n\nI see sign.png (image/png, 4x2, 3 bytes).\n\nI read a.txt (image/png, 3 bytes).\n\n"
        "I heard: hello there"
    )
    blind = words(await ask(provider, said("look", *parts), model="echo-blind"))
    assert "sign.png, reads: OPEN" in blind and "a.txt, reads: inside" in blind


async def test_calls_tools_as_told_and_tells_their_results(provider: echo.EchoProvider) -> None:
    """Directives become tool calls, once; after their results comes the answer."""
    asked = said('go [[tool draw {"prompt": "a [b] c"}]] [[tool stop]]')
    events = await ask(provider, asked)
    assert events[:2] == [ToolCall("call_1", "draw", {"prompt": "a [b] c"}), ToolCall("call_2", "stop", {})]
    assert done(events).finish_reason == "tools"
    after = Message("tool", (ToolResult("call_1", "made"), ToolResult("call_2", "no", is_error=True)))
    answer = words(await ask(provider, asked, Message("assistant", tuple(events[:2])), after))  # type: ignore[arg-type]
    assert answer == "You said: go\n\nThe tool said: made\n\nThe tool failed: no"


async def test_a_model_without_tools_calls_none(provider: echo.EchoProvider) -> None:
    """`echo-blind` answers in words where `echo` would call."""
    events = await ask(provider, said("go [[tool draw]]"), model="echo-blind")
    assert words(events) == "You said: go" and done(events).finish_reason == "stop"


async def test_fails_as_told(provider: echo.EchoProvider) -> None:
    """Any error of the tree by its code, with its Retry-After; `once` fails only once."""
    with pytest.raises(OverloadedError) as overloaded:
        await ask(provider, said("[[fail overloaded 3]]"))
    assert overloaded.value.retry_after_s == 3
    with pytest.raises(RejectedError):
        await ask(provider, said("[[fail rejected once]] ok"))
    assert words(await ask(provider, said("[[fail rejected once]] ok"))) == "You said: ok"


async def test_malformed_tool_arguments_are_a_rejection(provider: echo.EchoProvider) -> None:
    """A directive that nobody can read fails as a server would."""
    with pytest.raises(RejectedError):
        await ask(provider, said("[[tool draw {oops]]"))


async def test_breaks_off_as_told(provider: echo.EchoProvider) -> None:
    """A cut comes after the words that were said, and names them."""
    events: list[ModelEvent] = []
    with pytest.raises(CutOffError) as cut:
        async for event in provider.chat("echo").stream(
            ChatRequest([said("[[cut after 3 words]] a b c")], Settings(), OneBlob())
        ):
            events.append(event)
    assert cut.value.partial == words(events) == "You said: a "


@pytest.mark.parametrize(
    ("text", "answer", "finish"),
    [
        ("[[empty]]", "", "stop"),
        ("[[say **bold**]]", "**bold**", "stop"),
        ("[[long 3]]", "word0 word1 word2", "stop"),
        ("[[length]] a b", "You said: ", "length"),
        ("[[refuse]] a", "You said: a", "refused"),
        ("[[slow 0.001]] a", "You said: a", "stop"),
    ],
)
async def test_ends_as_told(provider: echo.EchoProvider, text: str, answer: str, finish: str) -> None:
    """Each directive bends the answer in its one way."""
    events = await ask(provider, said(text))
    assert (words(events), done(events).finish_reason) == (answer, finish)


async def test_honours_length_and_stop(provider: echo.EchoProvider) -> None:
    """The settings that shorten an answer do."""
    assert words(await ask(provider, said("a b c"), max_tokens=3)) == "You said: a "
    assert words(await ask(provider, said("a END c"), stop=("END",))) == "You said: a "


async def test_a_script_replaces_the_echo_once(provider: echo.EchoProvider) -> None:
    """What a test enqueues happens in order, then echo is itself again; every call is on record."""
    gate = asyncio.Event()
    provider.enqueue("one ", gate, "two")
    provider.enqueue("half", OverloadedError("busy"))
    stream = provider.chat("echo").stream(ChatRequest([said("hi")], Settings(), OneBlob()))
    assert await anext(stream) == TextDelta("one ")
    gate.set()
    assert [event async for event in stream] == [TextDelta("two"), ModelDone(Usage(1, output_tokens=2))]
    with pytest.raises(OverloadedError):
        await ask(provider, said("hi"))
    assert words(await ask(provider, said("hi"))) == "You said: hi"
    assert [call.modality for call in provider.calls] == ["chat"] * 3


async def test_hears_what_it_spoke(provider: echo.EchoProvider) -> None:
    """Echo's own clips come back word for word, in any script, also several in a row and as Opus."""
    from bot.media import audio

    speaker, ear = provider.text_to_speech("echo"), provider.speech_to_text("echo")
    first = await speaker.synthesize("Grüße, 日本! One two three.")
    second = await speaker.synthesize("And more.", voice="high")
    import numpy as np

    pcm = np.frombuffer(first.pcm + second.pcm, dtype=np.int16)
    clip = audio.encode_voice(pcm, first.rate_hz)
    heard = await ear.transcribe(clip.data, "voice.ogg")
    assert heard.transcript.text == "Grüße, 日本! One two three. And more."
    assert heard.usage.audio_s == pytest.approx(len(pcm) / first.rate_hz, abs=0.1)


async def test_says_how_long_a_stranger_spoke_and_nothing_for_silence(provider: echo.EchoProvider) -> None:
    """Sound that is not echo's own is measured; silence is empty."""
    import numpy as np

    from bot.media import audio

    ear = provider.speech_to_text("echo")
    tone = (8000 * np.sin(np.arange(32_000) / 7)).astype(np.int16)
    assert (await ear.transcribe(audio.to_wav(tone, 16_000), "a.wav")).transcript.text == "heard 2.0 seconds"
    assert (await ear.transcribe(audio.to_wav(tone * 0, 16_000), "a.wav")).transcript.text == ""


async def test_unknown_voices_and_models_are_named_errors(provider: echo.EchoProvider) -> None:
    """What does not exist is refused, with what does."""
    with pytest.raises(UsageError, match="low, high"):
        await provider.text_to_speech("echo").synthesize("hi", voice="alloy")
    with pytest.raises(UnavailableError, match="echo-blind"):
        provider.chat("gpt")


async def test_paints_and_reads_its_pictures(provider: echo.EchoProvider) -> None:
    """A picture of the asked size carries its prompt; an edit keeps the ground it was given."""
    import io

    from PIL import Image as Pictures

    image_generator = provider.image_generator("echo")
    made = await image_generator.generate("a red house", size="200x100", count=2)
    assert len(made.pictures) == 2 and made.usage == Usage(input_tokens=3, images=2)
    with Pictures.open(io.BytesIO(made.pictures[0].data)) as picture:
        assert picture.size == (200, 100)
    assert await provider.ocr().read(made.pictures[0].data) == "a red house"
    assert (await image_generator.generate("a red house", size="200x100")).pictures[0] == made.pictures[0]
    edited = await image_generator.generate("", size="200x100", images=[made.pictures[0]])
    assert edited.pictures[0] != made.pictures[0]
    with pytest.raises(UsageError):
        await image_generator.generate("x", size="enormous")


async def test_other_modalities_can_be_scripted(provider: echo.EchoProvider) -> None:
    """A result or an exception laid ready comes instead, once."""
    ready = ImageResult((ImageData(b"x", "image/png"),), Usage())
    provider.enqueue(ready, modality="image")
    provider.enqueue(BotError("no"), modality="embedding")
    assert await provider.image_generator("echo").generate("x") is ready
    with pytest.raises(BotError):
        await provider.embedder("echo").embed(["x"])
    with pytest.raises(OverloadedError):
        await provider.image_generator("echo").generate("[[fail overloaded]]")


async def test_vectors_are_unit_and_near_when_words_are_shared(provider: echo.EchoProvider) -> None:
    """Enough of a likeness for a search to find the right memory."""
    found = await provider.embedder("echo").embed(
        ["my cat is called Tom", "what is my cat called", "rain tomorrow", ""]
    )
    assert all(math.isclose(math.hypot(*vector), 1.0) for vector in found.vectors)

    def likeness(one: int, other: int) -> float:
        return sum(a * b for a, b in zip(found.vectors[one], found.vectors[other], strict=True))

    assert likeness(0, 1) > 0.7 > likeness(0, 2)
    assert found.usage == Usage(input_tokens=12)


def test_prices(provider: echo.EchoProvider) -> None:
    """Every use has a price, so that ledgers can be tested; `echo-unpriced` has none."""
    used = Usage(input_tokens=2, output_tokens=3, characters=4, images=1, audio_s=1.5)
    assert provider.price_micro_usd("echo", used) == 2 + 3 + 4 + 1000 + 2
    assert provider.price_micro_usd("echo-unpriced", used) is None
