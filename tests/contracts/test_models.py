"""What every model keeps, whoever makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.errors import UnreadableError, UsageError
from bot.ports import ChatRequest, ModelDone, ModelEvent, Tool
from bot.types import Audio, File, Image, Message, Settings, Text, TextDelta, ToolCall, ToolResult
from tests import making
from tests.contracts.providers import DRAW, PROVIDERS, MemoryBlobs, Ready
from tests.emulators.openai import Answer, Call


@pytest.fixture(params=sorted(PROVIDERS))
async def ready(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ready]:
    """Each provider."""
    async with PROVIDERS[request.param](tmp_path) as made:
        yield made
        await made.provider.close()


async def ask(
    ready: Ready,
    *messages: Message,
    settings: Settings | None = None,
    blobs: MemoryBlobs | None = None,
    tools: tuple[Tool, ...] = (),
) -> list[ModelEvent]:
    """The events of an answer."""
    request = ChatRequest(messages, settings or Settings(), blobs or MemoryBlobs(), tools, "p" * 64, "conversation-1")
    return [event async for event in ready.provider.chat(ready.chat).stream(request)]


def text_of(events: list[ModelEvent]) -> str:
    """The words of an answer."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def said(text: str) -> Message:
    """A question."""
    return Message("user", (Text(text),))


async def test_an_answer_streams_and_ends(ready: Ready) -> None:
    """Text comes in pieces, and the end tells usage."""
    events = await ask(ready, Message("system", (Text("Be kind."),)), said("hello there friend"))
    assert text_of(events) == "You said: hello there friend"
    assert sum(isinstance(event, TextDelta) for event in events) > 1
    done = events[-1]
    assert isinstance(done, ModelDone)
    assert done.finish_reason == "stop"
    assert done.usage.input_tokens > 0
    assert done.usage.output_tokens > 0


async def test_pictures_files_and_sound_reach_the_model(ready: Ready) -> None:
    """Every kind of part is taken; none raises."""
    blobs = MemoryBlobs()
    image = Image(await blobs.write(making.picture("A"), "image/png"), "a.png")
    pdf = File(await blobs.write(making.pdf(), "application/pdf"), "plan.pdf", "The treasure is under the oak.")
    sound = Audio(await blobs.write(b"ogg", "audio/ogg"), "note.ogg", "good morning", is_voice_note=True)
    events = await ask(ready, Message("user", (Text("look"), image, pdf, sound)), blobs=blobs)
    assert "look" in text_of(events)


async def test_a_tool_is_called_and_its_result_read(ready: Ready) -> None:
    """A call carries its arguments; sent back with its result, the model goes on."""
    question = said('draw a red cat [[tool generate_image {"prompt": "a red cat", "shape": "square"}]]')
    if ready.openai:
        ready.openai.enqueue(Answer(calls=(Call("generate_image", {"prompt": "a red cat", "shape": "square"}),)))
    events = await ask(ready, question, tools=(DRAW,))
    [call] = [event for event in events if isinstance(event, ToolCall)]
    assert (call.name, call.arguments["prompt"]) == ("generate_image", "a red cat")
    done = events[-1]
    assert isinstance(done, ModelDone)
    assert done.finish_reason == "tools"
    result = Message("tool", (ToolResult(call.id, "it is made"),))
    again = await ask(ready, question, Message("assistant", (call,)), result, tools=(DRAW,))
    assert "it is made" in text_of(again)


async def test_all_settings_are_taken_or_told(ready: Ready) -> None:
    """Every setting at once never fails a call: what the model refuses is left out and told."""
    settings = Settings(
        temperature=0.3,
        top_p=0.9,
        max_tokens=200,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        stop=("END",),
        effort="high",
        verbosity="low",
    )
    events = await ask(ready, said("hello"), settings=settings)
    assert text_of(events).startswith("You said: hello")
    done = events[-1]
    assert isinstance(done, ModelDone)
    if ready.openai:
        assert any("temperature" in notice for notice in done.notices)


async def test_closing_early_ends_the_call(ready: Ready) -> None:
    """A reader that goes away ends the stream without an error."""
    request = ChatRequest([said("one two three four")], Settings(), MemoryBlobs())
    stream = ready.provider.chat(ready.chat).stream(request)
    assert await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert [event async for event in stream] == []


async def test_speech_is_heard(ready: Ready) -> None:
    """A voice note gives words and its length; usage counts the sound."""
    if ready.openai:
        ready.openai.transcripts.append("good morning")
    heard = await ready.provider.speech_to_text(ready.transcribe).transcribe(
        making.voice_note("good morning"), "note.ogg"
    )
    assert heard.transcript.text == "good morning"
    assert heard.transcript.duration_s > 0
    assert heard.usage.audio_s > 0


async def test_what_is_no_sound_is_refused(ready: Ready) -> None:
    """Bytes that are no recording raise an error for the person."""
    with pytest.raises(UnreadableError):
        await ready.provider.speech_to_text(ready.transcribe).transcribe(b"nonsense" * 50, "note.ogg")


async def test_text_is_spoken(ready: Ready) -> None:
    """Speech is samples that are not silent, longer for a longer text; an unknown voice lists the known ones."""
    speaker = ready.provider.text_to_speech(ready.speech)
    short, long = [await speaker.synthesize(text) for text in ("Hi.", "This is quite a bit longer than that.")]
    assert len(long.pcm) / long.rate_hz > len(short.pcm) / short.rate_hz > 0.1
    assert np.abs(np.frombuffer(long.pcm, np.int16).astype(int)).max() > 1_000
    with pytest.raises(UsageError, match="Voices:"):
        await speaker.synthesize("hi", voice="nobody at all")


async def test_pictures_are_made_and_changed(ready: Ready) -> None:
    """Words give a picture; a picture and words give another; odd wishes are left out rather than failed."""
    image_generator = ready.provider.image_generator(ready.image)
    first = await image_generator.generate("a red cat", size="square")
    assert first.pictures[0].data.startswith(b"\x89PNG")
    assert first.usage.images == 1
    second = await image_generator.generate("bluer", images=first.pictures)
    assert second.pictures[0].data.startswith(b"\x89PNG")
    odd = await image_generator.generate("a dog", size="1000x999", quality="max")
    assert odd.pictures


async def test_texts_become_vectors(ready: Ready) -> None:
    """Vectors have length 1 and come in order; texts alike lie nearer than others; many texts are batched."""
    embedder = ready.provider.embedder(ready.embedding)
    made = await embedder.embed(["a red cat", "a red dog", "tax law reform", ""])
    first, alike, other, _ = (np.array(vector) for vector in made.vectors)
    assert np.allclose([np.linalg.norm(vector) for vector in made.vectors], 1, atol=1e-6)
    assert first @ alike > first @ other
    many = await embedder.embed([f"text {number}" for number in range(2_100)])
    assert len(many.vectors) == 2_100
    assert len((await embedder.embed(["long " * 40_000])).vectors) == 1


async def test_prices_are_known_or_none(ready: Ready) -> None:
    """A price is whole micro-dollars, or None: never a guess."""
    from bot.types import Usage

    price = ready.provider.price_micro_usd(ready.chat, Usage(1_000, output_tokens=1_000))
    assert price is None or price >= 0


async def test_a_check_says_something(ready: Ready) -> None:
    """`doctor` gets findings with a level each, and no exception."""
    found = await ready.provider.check({"chat": ready.chat, "speech": ready.speech})
    assert all(one.level in ("ok", "off", "warning", "error") and one.text for one in found)
