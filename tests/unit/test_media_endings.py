"""Recordings that break off are told from whole ones."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from bot.media import audio
from bot.media.endings import breaks_off

PCM = (np.sin(np.arange(48_000) / 20) * 8_000).astype(np.int16)


def encoded(container: str, codec: str) -> bytes:
    """Three seconds in that container."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        for frame in audio._converted(audio._frames(PCM, 16_000), 48_000, stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


WHOLE = {
    "voice.ogg": audio.encode_voice(PCM, 16_000).data,
    "sound.wav": audio.to_wav(PCM, 16_000),
    "sound.m4a": encoded("mp4", "aac"),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("share", [0.34, 0.5, 0.99])
def test_a_file_that_was_cut_breaks_off(name: str, share: float) -> None:
    """Wherever it was cut; the whole one does not."""
    data = WHOLE[name]
    assert not breaks_off(data)
    assert breaks_off(data[: int(len(data) * share)])


def test_what_cannot_be_told_counts_as_whole() -> None:
    """A recorder that never went back to write the length, bytes after the end, and kinds that say nothing."""
    streamed = bytearray(WHOLE["sound.wav"])
    streamed[40:44] = b"\xff\xff\xff\xff"
    assert not breaks_off(bytes(streamed))
    assert not breaks_off(WHOLE["voice.ogg"] + b"tags of some player")
    assert not breaks_off(encoded("mp3", "mp3")[:2_000]) and not breaks_off(b"")
