"""The finished text as one voice clip, its sentences synthesized at once."""

from __future__ import annotations

import asyncio
import re

from bot.engine.allowance import check_room, keep_made
from bot.engine.metering import UsageMeter, metered
from bot.engine.results import Speech
from bot.engine.runtime import Runtime
from bot.engine.streams import cancel_on
from bot.errors import UnavailableError
from bot.media import audio
from bot.ports import SpeechResult
from bot.types import Audio, Command, Message, Turn

MAX_PIECE = 900
AT_ONCE = 3
CODE_BLOCK = re.compile(r"```.*?(```|\Z)", re.DOTALL)
MARKS = re.compile(r"\*\*|__|~~|`|^#{1,6}+[ \t]++|^>[ \t]?|^[ \t]*+(?:[-*+][ \t]++|[-:| \t]{5,}+$)", re.MULTILINE)
"""Of the line's own blanks only, and never tried twice: so that it is linear, whatever stands there."""
LINK = re.compile(r"!?\[([^\[\]\n]{0,1000}+)\]\((?:[^()\n]|\([^()\n]{0,200}+\)){0,2000}+\)|<?https?://\S++>?")
SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n+")


def wants_speech(turn: Turn, user: Message) -> bool:
    """Whether the answer is to be heard: always, never, or when the person spoke (or asked for it along with the message)."""
    mode = turn.settings.speech or "mirror"
    if turn.inbound.wants_speech or mode == "always":
        return not isinstance(turn.inbound, Command) or turn.inbound.name == "ask"
    return mode == "mirror" and any(isinstance(part, Audio) and part.is_voice_note for part in user.parts)


def spoken_text(markdown: str) -> str:
    """What a voice should say: no marks, no addresses, no code."""
    text = CODE_BLOCK.sub("\n(The code is in the text.)\n", markdown)
    text = LINK.sub(lambda found: found[1] or "", text)
    text = MARKS.sub("", text).replace("|", ", ")
    return re.sub(r" ?\n\s*+", "\n", re.sub(r"[ \t]++", " ", text)).strip()


def sentences(text: str, limit: int = MAX_PIECE) -> list[str]:
    """The text in pieces of whole sentences, each within the limit (in characters); a longer sentence is cut at a space."""
    pieces: list[str] = []
    for sentence in filter(None, (found.strip() for found in SENTENCE_END.split(text))):
        if pieces and len(pieces[-1]) + len(sentence) < limit // 3:
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces += _cut(sentence, limit)
    return pieces


def _cut(sentence: str, limit: int) -> list[str]:
    pieces, start = list[str](), 0
    while len(sentence) - start > limit:
        at = sentence.rfind(" ", start + 1, start + limit)
        end = at if at > 0 else start + limit
        pieces.append(sentence[start:end])
        start = end + 1 if at > 0 else end
    return [*pieces, sentence[start:]]


async def speak(turn: Turn, text: str, runtime: Runtime, language: str = "") -> Speech:
    """The text as one voice clip, and remarks for the person. Raises UnavailableError, ProviderError, StoppedError."""
    full, limit = spoken_text(text), runtime.limits.spoken_chars
    pieces = sentences(full[:limit]) or ["…"]
    notices = (runtime.limits.said("spoken_chars"),) if len(full) > limit else ()
    await check_room(turn, runtime, "a voice message")
    async with metered(runtime, turn, "speech") as meter:
        stop = runtime.stops.get(turn.id)
        spoken = await cancel_on(stop, _synthesize_all(turn, pieces, runtime, language, meter))
    clip = await asyncio.to_thread(_encode, spoken)
    blob = await keep_made(turn, runtime, clip.data, clip.mime_type)
    return Speech(Audio(blob, "answer.ogg", full[:limit], language, clip.duration_s, is_voice_note=True), notices)


async def _synthesize_all(
    turn: Turn, pieces: list[str], runtime: Runtime, language: str, meter: UsageMeter
) -> list[SpeechResult]:
    """Synthesize the pieces, in order. Each is metered once it is spoken, whatever becomes of the others."""
    tts = runtime.models.text_to_speech()
    slots = asyncio.Semaphore(AT_ONCE)

    async def synthesize(piece: str) -> SpeechResult:
        async with slots:
            result = await tts.synthesize(piece, voice=turn.settings.voice or "", language=language)
        meter.usage += result.usage
        if result.model:
            meter.model = f"{meter.model.partition(':')[0]}:{result.model}"
        return result

    tasks = [asyncio.create_task(synthesize(piece)) for piece in pieces]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _encode(spoken: list[SpeechResult]) -> audio.VoiceClip:
    import numpy as np

    clips = [(np.frombuffer(one.pcm, dtype=np.int16), one.rate_hz) for one in spoken]
    pcm, rate_hz = audio.concatenate(clips)
    if not len(pcm):
        raise UnavailableError("The speech model gave no sound.")
    return audio.encode_voice(pcm, rate_hz)
