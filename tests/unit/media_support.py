"""Sound, pictures and films made for tests of `bot.media`."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
from PIL import Image

from bot.media import audio

RATE = audio.SPEECH_RATE_HZ
KINDS = {
    "ogg": ("ogg", "libopus", 48_000),
    "m4a": ("mp4", "aac", 44_100),
    "webm": ("webm", "libopus", 48_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "flac": ("flac", "flac", 22_050),
    "wav": ("wav", "pcm_s16le", 8_000),
    "amr": ("amr", "libopencore_amrnb", 8_000),
    "aac": ("adts", "aac", 48_000),
    "caf": ("caf", "pcm_s16be", 16_000),
    "mpegts": ("mpegts", "aac", 48_000),
}


def tone(seconds: float, hz: float = 440.0, rate_hz: int = RATE, peak: int = 12_000) -> audio.Samples:
    """A sine."""
    return (np.sin(np.arange(int(seconds * rate_hz)) * 2 * np.pi * hz / rate_hz) * peak).astype(np.int16)


def encoded(pcm: audio.Samples, container: str, codec: str, rate_hz: int, layout: str = "mono") -> bytes:
    """Samples of 16 kHz in that format."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate_hz, frame_size=stream.codec_context.frame_size or None
        )
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        for made in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(made))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def film(seconds: float = 4.0, *, container: str = "mp4", codec: str = "mpeg4", gop: int = 100) -> bytes:
    """A film that turns from black to white, its left edge red, with one key frame."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=10)
        stream.width, stream.height, stream.gop_size = 96, 64, gop
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        total = int(seconds * 10)
        for number in range(total):
            array = np.full((64, 96, 3), number * 255 // total, np.uint8)
            array[:, :32] = (255, 0, 0)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        output.mux(stream.encode(None))
    return buffer.getvalue()
