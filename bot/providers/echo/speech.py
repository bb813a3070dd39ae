"""Echo's ear and voice."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.errors import UsageError
from bot.ports import SpeechResult, TranscriptionResult
from bot.providers.echo import tones
from bot.providers.echo.script import Script, without_directives
from bot.types import ModelProfile, Segment, Transcript, Usage

VOICES = ("low", "high")
RATE_HZ = 24_000
AUDIBLE = 150
"""Samples below this, out of 32,767, are silence: about -47 dB."""


class EchoTranscriber:
    """Speech to text without a model."""

    def __init__(self, model: str, script: Script) -> None:
        self._script = script
        self._model = model
        self.profile = ModelProfile(name=f"echo:{model}", is_local=True)

    async def transcribe(self, data: bytes, name: str, *, language: str = "", prompt: str = "") -> TranscriptionResult:
        """What echo's speaker spoke, word for word; otherwise `heard 3.2 seconds`; nothing for silence."""
        self._script.note("transcribe", self._model, data, name=name, language=language, prompt=prompt)
        if scripted := self._script.result("transcribe"):
            return scripted  # type: ignore[no-any-return]
        from bot.media import apart, audio

        samples = await apart.SOUNDS.run(name, audio.decode, data, rate_hz=tones.HEARD_HZ)
        return await asyncio.to_thread(_listen, samples, language)


def _listen(samples: Any, language: str) -> TranscriptionResult:
    duration_s = round(len(samples) / tones.HEARD_HZ, 1)
    text = " ".join(tones.heard(samples))
    if not text and len(samples) and abs(samples.astype(int)).max() > AUDIBLE:
        text = f"heard {duration_s} seconds"
    segments = (Segment(0.0, duration_s, text),) if text else ()
    transcript = Transcript(text, language or ("en" if text else ""), duration_s, segments)
    return TranscriptionResult(transcript, Usage(audio_s=duration_s))


class EchoSpeaker:
    """Text to speech without a model."""

    def __init__(self, model: str, script: Script) -> None:
        self._script = script
        self._model = model
        self.profile = ModelProfile(name=f"echo:{model}", is_local=True, voices=VOICES)

    async def synthesize(
        self, text: str, *, voice: str = "", instructions: str = "", language: str = ""
    ) -> SpeechResult:
        """Tones at 24 kHz, that echo's transcriber hears as the text; the voice `high` is louder."""
        self._script.note("speech", self._model, text, voice=voice, instructions=instructions, language=language)
        if voice and voice not in VOICES:
            raise UsageError(f"There is no voice {voice!r}. Voices: {', '.join(VOICES)}.")
        if scripted := self._script.result("speech", text):
            return scripted  # type: ignore[no-any-return]
        pcm = await asyncio.to_thread(tones.spoken, without_directives(text), RATE_HZ)
        return SpeechResult((pcm * 2 if voice == "high" else pcm).tobytes(), RATE_HZ, Usage(characters=len(text)))
