"""Speech to text in pieces of any length, and text to speech by two endpoints behind one port."""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import replace
from typing import Any

from bot.errors import BotError, CredentialError, OverloadedError, ProviderError, UsageError
from bot.media import apart, audio
from bot.ports import SpeechResult, TranscriptionResult
from bot.providers.openai.client import Connection
from bot.providers.openai.errors import WRONG_KEY, failed, ours
from bot.providers.openai.prices import PER_SPOKEN_MINUTE_TOKENS
from bot.providers.openai.profiles import MAX_TRANSCRIBE_S, OLD_VOICES, REALTIME_VOICES, VOICES, media_profile
from bot.types import Segment, Transcript, Usage

MAX_UPLOAD_BYTES = 25 * 1024 * 1024 - 64 * 1024
"""Create transcription: 25 MB; a little is left for the form around it."""
RATE_HZ = 24_000
"""PCM of both speech endpoints: 24 kHz, signed 16 bit, mono."""
MAX_SPOKEN = 4_096
MAX_JUDGED_S = 120.0
"""Up to this length silence is looked for before a model is asked, since models make up words for it."""
LANGUAGES = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi",
    "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "norwegian": "no", "polish": "pl",
    "portuguese": "pt", "romanian": "ro", "russian": "ru", "spanish": "es", "swedish": "sv", "thai": "th",
    "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi"
}  # fmt: skip
"""whisper-1 names languages in English words; ISO 639-1 is wanted."""
READ_ALOUD = (
    "Read the user's text aloud, word for word, in its own language. Add nothing, leave out nothing, answer nothing."
)
FALLBACK_SPEAKER = "gpt-4o-mini-tts"
log = logging.getLogger(__name__)


class Transcriber:
    """A model that listens."""

    def __init__(
        self, model: str, connection: Connection, *, max_s: float = MAX_TRANSCRIBE_S, at_once: int = 3
    ) -> None:
        """max_s: of one request; longer recordings are cut. at_once: so many pieces of a recording are heard at the same time."""
        self.profile = media_profile(model, max_audio_s=max_s)
        self._model = model
        self._connection = connection
        self._max_s = max_s
        self._at_once = at_once

    async def transcribe(self, data: bytes, name: str, *, language: str = "", prompt: str = "") -> TranscriptionResult:
        """The whole recording: too large or too long ones are cut at silences and put together again, with times."""
        pieces = await apart.SOUNDS.run(
            name, audio.split_at_silences, data, max_bytes=MAX_UPLOAD_BYTES, max_s=self._max_s
        )
        slots = asyncio.Semaphore(self._at_once)

        async def one(piece: audio.Piece) -> tuple[Transcript, Usage]:
            async with slots:
                return await self._piece(piece, language, prompt)

        tasks = [asyncio.create_task(one(piece)) for piece in pieces]
        try:
            heard = await asyncio.gather(*tasks)
        except BotError as error:
            error.billed = sum((task.result()[1] for task in tasks if _succeeded(task)), Usage())
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return _joined(pieces, heard)

    async def _piece(self, piece: audio.Piece, language: str, prompt: str) -> tuple[Transcript, Usage]:
        if piece.duration_s <= MAX_JUDGED_S and await apart.SOUNDS.run(piece.name, audio.is_silent, piece.data):
            return Transcript("", duration_s=piece.duration_s), Usage()
        body: dict[str, Any] = {
            "model": self._model,
            "file": (piece.name, piece.data, piece.mime_type),
            **self._shape(),
        }
        if prompt and "diarize" not in self._model:
            body["prompt"] = prompt
        if language:
            body |= {"languages": [language]} if self._model == "gpt-transcribe" else {"language": language}
        if "diarize" in self._model and piece.duration_s > 30:
            body["chunking_strategy"] = "auto"
        timeout = self._connection.timeout("high")  # nothing is heard from the server until all is written down
        with ours():
            answer = await self._connection.client.audio.transcriptions.create(**body, timeout=timeout)
        return _transcript(answer, piece), _usage(answer, piece)

    def _shape(self) -> dict[str, Any]:
        """The richest answer that the model gives."""
        if self._model == "whisper-1":
            return {"response_format": "verbose_json", "timestamp_granularities": ["segment"]}
        return {"response_format": "diarized_json" if "diarize" in self._model else "json"}


def _transcript(answer: Any, piece: audio.Piece) -> Transcript:
    segments = tuple(
        Segment(
            piece.start_s + one.start, piece.start_s + one.end, one.text.strip(), str(getattr(one, "speaker", "") or "")
        )
        for one in getattr(answer, "segments", None) or ()
    )
    text = answer.text.strip()
    if not segments and text:
        segments = (Segment(piece.start_s, piece.start_s + piece.duration_s, text),)
    return Transcript(text, _language(answer), piece.duration_s, segments)


def _language(answer: Any) -> str:
    """ISO 639-1, whichever way the model tells it; empty when it does not."""
    several = getattr(answer, "languages", None) or ()
    name = str(getattr(several[0], "code", "") if several else getattr(answer, "language", "") or "").lower()
    return LANGUAGES.get(name, name if len(name) == 2 else "")


def _succeeded(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _usage(answer: Any, piece: audio.Piece) -> Usage:
    """By tokens or by duration, as the model counts; the duration is known anyway."""
    usage = getattr(answer, "usage", None)
    return Usage(
        input_tokens=getattr(usage, "input_tokens", 0) or 0,
        output_tokens=getattr(usage, "output_tokens", 0) or 0,
        audio_s=getattr(usage, "seconds", 0) or piece.duration_s,
        is_estimate=usage is None,
    )


def _joined(pieces: list[audio.Piece], heard: list[tuple[Transcript, Usage]]) -> TranscriptionResult:
    text = " ".join(transcript.text for transcript, _ in heard if transcript.text)
    segments = tuple(segment for transcript, _ in heard for segment in transcript.segments)
    language = next((transcript.language for transcript, _ in heard if transcript.language), "")
    duration_s = sum(piece.duration_s for piece in pieces)
    return TranscriptionResult(
        Transcript(text, language, duration_s, segments), sum((usage for _, usage in heard), Usage())
    )


class Speaker:
    """A model of the speech endpoint."""

    def __init__(self, model: str, connection: Connection) -> None:
        self._voices = OLD_VOICES if model.startswith("tts-1") else VOICES
        self.profile = media_profile(model, voices=self._voices)
        self._model = model
        self._connection = connection

    async def synthesize(
        self, text: str, *, voice: str = "", instructions: str = "", language: str = ""
    ) -> SpeechResult:
        """PCM of the spoken text."""
        body: dict[str, Any] = {
            "model": self._model,
            "input": text[:MAX_SPOKEN],
            "voice": known_voice(voice, self._voices),
        }
        if instructions and not self._model.startswith("tts-1"):
            body["instructions"] = instructions
        with ours():
            speech = self._connection.client.audio.speech.with_streaming_response
            async with speech.create(**body, response_format="pcm") as answer:
                pcm = await answer.read()
        if not pcm:
            raise ProviderError("The speech model gave no sound. Please try again.")
        return SpeechResult(pcm[: len(pcm) // 2 * 2], RATE_HZ, _spoken(text, pcm))


def known_voice(voice: str, known: tuple[str, ...]) -> str:
    """The voice to use; raises UsageError that lists them for an unknown one."""
    if voice and voice not in known and not voice.startswith("voice_"):
        raise UsageError(f"There is no voice {voice!r}. Voices: {', '.join(known)}.")
    return voice or ("marin" if "marin" in known else known[0])


def _spoken(text: str, pcm: bytes) -> Usage:
    """The endpoint sends no usage: characters are exact, tokens are an estimate."""
    seconds = len(pcm) / 2 / RATE_HZ
    sound = int(seconds / 60 * PER_SPOKEN_MINUTE_TOKENS)
    return Usage(
        len(text) // 4 + 1,
        output_tokens=sound,
        audio_tokens=sound,
        characters=len(text),
        audio_s=seconds,
        is_estimate=True,
    )


class NoRealtimeError(ProviderError):
    """The account or the server has no such socket or model; the speech endpoint may do. Never leaves this module."""


class RealtimeSpeaker:
    """A realtime model that reads aloud: the successor of the speech endpoint's models."""

    def __init__(self, model: str, connection: Connection) -> None:
        self.profile = media_profile(model, voices=REALTIME_VOICES)
        self._model = model
        self._connection = connection

    async def synthesize(
        self, text: str, *, voice: str = "", instructions: str = "", language: str = ""
    ) -> SpeechResult:
        """PCM of the spoken text; an account without Realtime is served by the speech endpoint while that lives."""
        chosen = known_voice(voice, REALTIME_VOICES)
        if self._connection.has_realtime:
            try:
                async with asyncio.timeout(self._connection.timeout_s):
                    return await self._speak(text[:MAX_SPOKEN], chosen, instructions)
            except NoRealtimeError as error:
                self._connection.has_realtime = False
                log.warning("no Realtime speech (%s); %s speaks instead", error.detail, FALLBACK_SPEAKER)
            except TimeoutError as error:
                raise OverloadedError("The speech model did not answer in time. Please try again.") from error
        speaker = Speaker(FALLBACK_SPEAKER, self._connection)
        spoken = await speaker.synthesize(text, voice=chosen, instructions=instructions, language=language)
        return replace(spoken, model=FALLBACK_SPEAKER)

    async def _speak(self, text: str, voice: str, instructions: str) -> SpeechResult:
        from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

        try:
            with ours():
                async with self._connection.client.realtime.connect(model=self._model) as connection:
                    await connection.session.update(session={"type": "realtime", "output_modalities": ["audio"]})
                    await connection.response.create(response=_order(text, voice, instructions))
                    return await _listen(connection, text)
        except InvalidStatus as error:
            status = error.response.status_code
            if status == 401:
                raise CredentialError(WRONG_KEY, detail=f"HTTP {status}") from error
            if status in (400, 403, 404):
                raise NoRealtimeError("This account has no Realtime speech.", detail=f"HTTP {status}") from error
            raise OverloadedError("The speech model is in trouble right now.", detail=f"HTTP {status}") from error
        except (InvalidHandshake, WebSocketException, OSError) as error:
            raise OverloadedError("The speech model cannot be reached right now.", detail=repr(error)) from error


def _order(text: str, voice: str, instructions: str) -> Any:
    return {
        "conversation": "none",
        "output_modalities": ["audio"],
        "instructions": f"{READ_ALOUD} {instructions}".strip(),
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": RATE_HZ}, "voice": voice}},
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}],
    }


async def _listen(connection: Any, text: str) -> SpeechResult:
    pcm = bytearray()
    async for event in connection:
        match event.type:
            case "response.output_audio.delta":
                pcm += base64.b64decode(event.delta)
            case "response.done":
                return _finished(event.response, bytes(pcm), text)
            case "error":
                raise _told(event.error)
    raise OverloadedError("The speech broke off. Please try again.", detail="the socket closed before the end")


def _told(error: Any) -> ProviderError:
    code = str(error.code or error.type or "")
    if "model_not_found" in (code, error.type) or "permission" in code:
        return NoRealtimeError("This account has no Realtime speech.", detail=f"{code}: {error.message}")
    return failed(code, error.message)


def _finished(response: Any, pcm: bytes, text: str) -> SpeechResult:
    if response.status != "completed" or not pcm:
        error = getattr(response.status_details, "error", None)
        raise failed(str(getattr(error, "code", "") or ""), f"speech ended as {response.status}")
    usage = response.usage
    if usage is None:
        return SpeechResult(pcm, RATE_HZ, _spoken(text, pcm))
    sound = getattr(usage.output_token_details, "audio_tokens", 0) or 0
    cached = getattr(usage.input_token_details, "cached_tokens", 0) or 0
    counted = Usage(
        usage.input_tokens or 0,
        cached,
        output_tokens=usage.output_tokens or 0,
        audio_tokens=sound,
        characters=len(text),
        audio_s=len(pcm) / 2 / RATE_HZ,
    )
    return SpeechResult(pcm, RATE_HZ, counted)
