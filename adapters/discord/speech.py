"""A spoken answer as Discord wants a voice message: Ogg with Opus, 48 kHz, mono, with its duration and waveform."""

from __future__ import annotations

import asyncio
import base64

from adapters.discord.client import Upload
from bot.media import audio

MEASURE_HZ = 16_000
OPUS_HZ = 48_000
NAME = "voice-message.ogg"


async def as_voice(data: bytes) -> Upload:
    """Any sound as a voice message. Raises UnreadableError."""
    return await asyncio.to_thread(_as_voice, data)


def _as_voice(data: bytes) -> Upload:
    """Source of the form: Discord, Message Resource, Voice Messages: one Ogg file, at most 256 points, a byte each."""
    info = audio.probe(data)
    if not (data.startswith(b"OggS") and info.codec == "opus" and info.channels == 1):
        data = audio.encode_voice(audio.decode(data, OPUS_HZ), OPUS_HZ).data
    pcm = audio.decode(data, MEASURE_HZ)
    waveform = base64.b64encode(audio.waveform(pcm)).decode()
    return Upload(NAME, data, "audio/ogg", duration_s=round(len(pcm) / MEASURE_HZ, 3), waveform=waveform)
