"""The finished text as one voice clip, its sentences synthesized at once."""

from __future__ import annotations

import asyncio
import re

from bot.engine.budget import Bill, paid
from bot.engine.runtime import Runtime
from bot.engine.streams import unless
from bot.errors import UnavailableError
from bot.media import audio
from bot.ports import SpeechResult
from bot.types import Audio, Command, Message, Turn
from bot.types import Audio as AudioPart

MAX_SPOKEN = 3_000
"""Characters: about three minutes. Nobody listens to more of an answer that can be read."""
MAX_PIECE = 900
AT_ONCE = 3
CODE_BLOCK = re.compile(r"```.*?(```|\Z)", re.DOTALL)
MARKS = re.compile(r"(\*\*|__|~~|`|^#{1,6}\s+|^>\s?|^\s*[-*+]\s+|^\s*\|?[-:| ]{5,}\|?\s*$)", re.MULTILINE)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<?https?://\S+>?")
SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n+")


def wants_speech(turn: Turn, user: Message) -> bool:
    """Whether the answer is to be heard: always, never, or when the person spoke (or asked for it along with the message)."""
    mode = turn.settings.speech or "mirror"
    if turn.inbound.wants_speech or mode == "always":
        return not isinstance(turn.inbound, Command) or turn.inbound.name == "ask"
    return mode == "mirror" and any(isinstance(part, AudioPart) and part.is_voice_note for part in user.parts)


def spoken_text(markdown: str) -> str:
    """What a voice should say: no marks, no addresses, no code."""
    text = CODE_BLOCK.sub("\n(The code is in the text.)\n", markdown)
    text = LINK.sub(lambda found: found[1] or "", text)
    text = MARKS.sub("", text).replace("|", ", ")
    return re.sub(r"[ \t]*\n\s*", "\n", re.sub(r"[ \t]+", " ", text)).strip()


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
    pieces = []
    while len(sentence) > limit:
        at = sentence.rfind(" ", 1, limit)
        at = at if at > 0 else limit
        pieces.append(sentence[:at])
        sentence = sentence[at:].lstrip()
    return [*pieces, sentence]


async def speak(turn: Turn, text: str, runtime: Runtime, language: str = "") -> tuple[Audio, tuple[str, ...]]:
    """One voice clip, and remarks for the person. Raises UnavailableError, ProviderError, StoppedError."""
    full = spoken_text(text)
    pieces = sentences(full[:MAX_SPOKEN]) or ["…"]
    notices = ("The voice message holds the beginning of the answer.",) if len(full) > MAX_SPOKEN else ()
    async with paid(runtime, turn, "speech") as bill:
        stop = runtime.stops.of(turn.id)
        spoken = await unless(stop, _synthesize_all(turn, pieces, runtime, language, bill))
    clip = await asyncio.to_thread(_encode, spoken)
    blob = await runtime.blobs(turn).write(clip.data, clip.mime_type)
    return Audio(blob, "answer.ogg", full[:MAX_SPOKEN], language, clip.duration_s, is_voice_note=True), notices


async def _synthesize_all(
    turn: Turn, pieces: list[str], runtime: Runtime, language: str, bill: Bill
) -> list[SpeechResult]:
    """The pieces in order; each is on the bill once it is spoken, whatever becomes of the others."""
    speaker = runtime.models.text_to_speech()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(piece: str) -> SpeechResult:
        async with slots:
            made = await speaker.synthesize(piece, voice=turn.settings.voice or "", language=language)
        bill.usage += made.usage
        if made.model:
            bill.model = f"{bill.model.partition(':')[0]}:{made.model}"
        return made

    tasks = [asyncio.create_task(one(piece)) for piece in pieces]
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
