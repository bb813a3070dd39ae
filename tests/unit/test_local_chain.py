"""The whole chain of local models on their real weights: speak, hear, answer, remember, read. Needs `make run` once."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import numpy as np
import pytest

from bot.errors import UnreadableError
from bot.media import audio
from bot.ports import Blobs, ChatModel, ChatRequest, ModelDone
from bot.providers import local
from bot.types import Blob, Image, Message, Settings, Text, TextDelta
from tests.local_models import OPTIONS, needs_local_models

pytestmark = needs_local_models


class NoBlobs:
    """A text model asks for no bytes."""

    async def read(self, blob: Blob) -> bytes:
        """Never called."""
        raise AssertionError("a local model reads no blobs")

    async def write(self, data: bytes, mime_type: str) -> Blob:
        """Never called."""
        raise AssertionError("a local model writes no blobs")


BLOBS: Blobs = NoBlobs()


@pytest.fixture
async def provider() -> AsyncIterator[local.LocalProvider]:
    """The provider on real weights, closed in the end."""
    made = local.create(OPTIONS)
    yield made
    await made.close()


async def answer(model: ChatModel, *messages: Message, **settings: int) -> tuple[str, ModelDone]:
    """The text and the end of an answer at temperature 0."""
    request = ChatRequest(messages, Settings(temperature=0.0, **settings), BLOBS)  # type: ignore[arg-type]
    events = [event async for event in model.stream(request)]
    assert isinstance(events[-1], ModelDone)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), events[-1]


async def test_a_voice_note_is_spoken_heard_and_answered(provider: local.LocalProvider) -> None:
    """From text to a clip as platforms play it, back to text, into an answer that knows it."""
    spoken = await provider.text_to_speech("pico").synthesize("My favourite colour is green.", language="en")
    clip = audio.encode_voice(np.frombuffer(spoken.pcm, dtype=np.int16), spoken.rate_hz)
    heard = await provider.speech_to_text(provider.default("transcribe")).transcribe(clip.data, "note.ogg")
    assert "green" in heard.transcript.text and heard.transcript.language == "en"
    assert heard.transcript.segments[0].end_s <= heard.transcript.duration_s + 1
    chat = provider.chat(provider.default("chat"))
    history = Message("user", (Text(heard.transcript.text),))
    text, end = await answer(
        chat, history, Message("assistant", (Text("I see."),)), Message("user", (Text("Which colour did I name?"),))
    )
    assert "green" in text.lower()
    assert end.finish_reason == "stop" and end.usage.output_tokens > 0 and not end.usage.is_estimate


async def test_the_chat_model_keeps_to_its_limits(provider: local.LocalProvider) -> None:
    """A length limit ends it, a conversation that is too long is cut with a notice, of a picture it reads the text."""
    chat = provider.chat(provider.default("chat"))
    _, short = await answer(chat, Message("user", (Text("Count to one hundred."),)), max_tokens=5)
    assert short.finish_reason == "length" and short.usage.output_tokens <= 6
    picture = Image(Blob("0" * 64, "image/png", 1), "sign.png", "OPEN 9 TO 5")
    text, end = await answer(chat, Message("user", (Text("What is written in this picture?"), picture)))
    assert "9" in text and end.notices == ()  # the engine has told that it sees none


async def test_an_answer_can_be_stopped(provider: local.LocalProvider) -> None:
    """Closing the stream frees the worker within a moment."""
    stream = provider.chat(provider.default("chat")).stream(
        ChatRequest([Message("user", (Text("Tell a very long story."),))], Settings(), BLOBS)
    )
    first = await anext(stream)
    assert isinstance(first, TextDelta)
    await stream.aclose()  # type: ignore[attr-defined]
    assert await provider.worker.run(lambda: "free") == "free"


async def test_silence_has_no_words_and_noise_of_a_file_is_refused(provider: local.LocalProvider) -> None:
    """Nothing is invented for silence; what is no sound is said to be unreadable."""
    ear = provider.speech_to_text(provider.default("transcribe"))
    silence = audio.to_wav(np.zeros(48_000, dtype=np.int16), 16_000)
    assert (await ear.transcribe(silence, "silence.wav")).transcript.text == ""
    with pytest.raises(UnreadableError):
        await ear.transcribe(b"this is no sound", "note.ogg")


async def test_likeness_of_meaning_is_found(provider: local.LocalProvider) -> None:
    """The vectors bring together what shares no word."""
    embedder = provider.embedder("minilm")
    found = await embedder.embed(["I forgot my login credentials", "How do I reset my password?", "Rain tomorrow"])
    asked, near, far = (np.array(vector) for vector in found.vectors)
    assert asked @ near > 0.5 > asked @ far
    assert float(np.linalg.norm(asked)) == pytest.approx(1.0) and len(asked) == embedder.profile.dimensions


async def test_text_in_a_picture_is_read(provider: local.LocalProvider) -> None:
    """Lines in reading order; a picture without text gives none."""
    from PIL import Image as Pictures
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size=36)
    for words in ("Meeting on Tuesday at 14:30", ""):
        canvas = Pictures.new("RGB", (700, 200), "white")
        ImageDraw.Draw(canvas).text((40, 60), words, fill="black", font=font)
        kept = io.BytesIO()
        canvas.save(kept, "PNG")
        assert await provider.ocr().read(kept.getvalue()) == words
