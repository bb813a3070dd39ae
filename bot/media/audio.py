"""Sound: decoded, encoded as a voice message, and cut at silences. Samples are signed 16 bit, mono."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bot.errors import UnreadableError
from bot.media import containers

Samples = NDArray[np.int16]
VOICE_RATE_HZ = 48_000
VOICE_BIT_RATE = 32_000
WAVEFORM_POINTS = 256
"""Discord, Create Message, voice messages: at most 256 points."""
SPEECH_RATE_HZ = 16_000
SILENCE_PEAK = 250
"""Of 32,767: about -42 dB, under which nothing is said."""
SHORTEST_SOUND_S = 0.08
"""Clicks are shorter than any word."""
MAX_DECODED_S = 4 * 3_600.0
"""Of the samples in memory at once: 460 MB at 16 kHz."""
LOWEST_RATE_HZ = 4_000
"""Telephones have 8,000."""
LEAST_BYTES_PER_S = 100
"""The thriftiest codecs of speech need 300; digital silence takes 150 as FLAC."""
SHORT_S = 60.0
"""Up to this length a recording may have any number of bytes."""
WINDOW_S = 0.02
CHUNK_S = 10
"""Handed to an encoder at a time, so that it needs no second copy of a long recording."""
PIECE_EFFORT = 3
"""Of the encoder: ten minutes take 3.6 s instead of 6.5 s, with as many bytes. The pieces are for machines."""
SEARCH_S = 30.0
"""How far before a limit the quietest place is looked for."""
PAUSE_S = 0.2
PASSED_ON = {
    "mov": ("m4a", ("aac", "alac")),
    "mp3": ("mp3", ("mp3",)),
    "ogg": ("ogg", ("opus", "vorbis", "flac")),
    "wav": ("wav", ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8")),
    "flac": ("flac", ("flac",)),
    "matroska": ("webm", ("opus", "vorbis")),
}
"""FFmpeg's name of a container, the extension it is sent under, and the codecs that servers expect in it. Source: OpenAI, Create
transcription, `file`: flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm, judged by the name."""
MIME_TYPES = {"m4a": "audio/mp4", "mp3": "audio/mpeg"}


@dataclass(frozen=True)
class AudioInfo:
    """Facts about a recording."""

    duration_s: float
    codec: str
    """FFmpeg's name of the format, for example opus, aac, mp3."""
    rate_hz: int
    channels: int
    has_picture: bool
    """Whether it holds moving pictures; album art is none."""


@dataclass(frozen=True)
class VoiceClip:
    """Ogg with Opus, 48 kHz, mono: what Discord takes as a voice message and every browser plays."""

    data: bytes = field(repr=False)
    duration_s: float
    waveform: bytes = field(repr=False)
    """At most 256 peaks, 0 to 255."""
    mime_type: str = "audio/ogg"


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording, small enough to send."""

    data: bytes = field(repr=False)
    mime_type: str
    name: str
    """With the extension of its format."""
    start_s: float
    duration_s: float


def probe(data: bytes) -> AudioInfo:
    """Facts without decoding all of it. Raises UnreadableError when there is no sound in it, or what it claims cannot be true."""
    with containers.opened(data) as container:
        info = _facts(container, containers.sound(container))
    _check_rate(info.rate_hz or LOWEST_RATE_HZ)
    if info.duration_s > _most_s(data):
        raise UnreadableError(
            f"It claims to be {_spoken(info.duration_s)} long, but has too few bytes for that. Please send it again."
        )
    return info


def _check_rate(rate_hz: int) -> None:
    """The length of a recording is its bytes by its rate, so a rate that no recorder has makes a day of 100 kB."""
    if rate_hz < LOWEST_RATE_HZ:
        raise UnreadableError(
            f"It claims a rate of {rate_hz:,} Hz, and speech needs {LOWEST_RATE_HZ:,}. Please send it again, as MP3 or M4A."
        )


def _most_s(data: bytes) -> float:
    """How long a recording of so many bytes can be."""
    return SHORT_S + len(data) / LEAST_BYTES_PER_S


def _facts(container: Any, stream: Any) -> AudioInfo:
    context = stream.codec_context
    has_picture = containers.picture(container) is not None
    seconds = containers.duration_s(container, stream)
    return AudioInfo(seconds, context.codec.canonical_name, context.sample_rate or 0, context.channels, has_picture)


def pieces_of(data: bytes, rate_hz: int = SPEECH_RATE_HZ) -> Iterator[Samples]:
    """The samples as they are decoded, a fraction of a second at a time; a file that breaks off gives what is there."""
    most, count = int(_most_s(data) * rate_hz), 0
    with containers.opened(data) as container:
        for piece in _resampled(_believable(containers.frames(container, containers.sound(container))), rate_hz):
            count += len(piece)
            if count > most:
                raise UnreadableError("It holds more sound than so few bytes can. Please send it again, as MP3 or M4A.")
            yield piece


def _believable(frames: Iterable[Any]) -> Iterator[Any]:
    for frame in frames:
        _check_rate(frame.sample_rate)
        yield frame


def decode(data: bytes, rate_hz: int = SPEECH_RATE_HZ, max_s: float = MAX_DECODED_S) -> Samples:
    """All samples at that rate. Raises UnreadableError: no sound, broken, or longer than `max_s`."""
    samples, limit = bytearray(), int(max_s * rate_hz) * 2
    for piece in pieces_of(data, rate_hz):
        samples += piece.tobytes()
        if len(samples) > limit:
            raise UnreadableError(
                f"The recording is longer than {_spoken(max_s)}, the limit here. Please send it in parts."
            )
    if not samples:
        raise UnreadableError("There is no sound in it, or the recording is damaged.")
    return np.frombuffer(samples, np.int16)


def _spoken(seconds: float) -> str:
    if seconds >= 2 * 3_600:
        return f"{seconds / 3_600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def is_silence(pcm: Samples, rate_hz: int) -> bool:
    """Whether no stretch of it is loud enough, and long enough, to be a word."""
    if not len(pcm):
        return True
    window = max(int(rate_hz * WINDOW_S), 1)
    padded = np.pad(pcm, (0, -len(pcm) % window), "edge").reshape(-1, window).astype(np.int32)
    swing = (
        (padded.max(axis=1) - padded.min(axis=1)) // 2 if len(pcm) else np.zeros(0)
    )  # so a constant offset is silent
    return int((swing >= SILENCE_PEAK).sum()) * WINDOW_S < min(SHORTEST_SOUND_S, max(len(pcm) / rate_hz, WINDOW_S))


def is_silent(data: bytes) -> bool:
    """Whether nobody speaks in a recording. Raises UnreadableError."""
    return is_silence(decode(data), SPEECH_RATE_HZ)


def encode_voice(pcm: Samples, rate_hz: int) -> VoiceClip:
    """A voice message of these samples. Raises UnreadableError when there are none."""
    if not len(pcm):
        raise UnreadableError("There is no sound to encode.")
    return VoiceClip(_opus(pcm, rate_hz, VOICE_RATE_HZ), len(pcm) / rate_hz, waveform(pcm))


def _opus(pcm: Samples, rate_hz: int, out_hz: int, effort: int = 10) -> bytes:
    """Ogg with Opus, mono, 32 kbit/s; its decoder gives the same number of samples. Opus takes 8, 12, 16, 24 and 48 kHz.

    effort: 0 to 10, from fast to good.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg") as output:
        options = {"application": "voip", "vbr": "constrained", "compression_level": str(effort)}
        stream: Any = output.add_stream("libopus", rate=out_hz, layout="mono", options=options)
        stream.bit_rate = VOICE_BIT_RATE
        for frame in _converted(_frames(pcm, rate_hz), out_hz, stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def _converted(frames: Iterable[Any], out_hz: int, context: Any) -> Iterator[Any]:
    resampler = av.AudioResampler(context.format, "mono", out_hz, frame_size=context.frame_size or None)
    for frame in frames:
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _frames(pcm: Samples, rate_hz: int) -> Iterator[av.AudioFrame]:
    for start in range(0, len(pcm), rate_hz * CHUNK_S):
        chunk = np.ascontiguousarray(pcm[start : start + rate_hz * CHUNK_S], dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(chunk.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        yield frame


def _resampled(frames: Iterable[Any], rate_hz: int) -> Iterator[Samples]:
    """A recording may change its rate or channels on the way (joined Ogg files do): each run gets a resampler of its own."""
    shape, resampler = None, None
    for frame in frames:
        if (frame.sample_rate, frame.layout.name, frame.format.name) != shape:
            yield from _flushed(resampler)
            shape = (frame.sample_rate, frame.layout.name, frame.format.name)
            resampler = av.AudioResampler("s16", "mono", rate_hz)
        frame.pts = None  # gaps in the clock are no silence that was recorded
        yield from (made.to_ndarray()[0] for made in resampler.resample(frame))  # type: ignore[union-attr]
    yield from _flushed(resampler)


def _flushed(resampler: av.AudioResampler | None) -> Iterator[Samples]:
    """What it holds back; without it the end is lost."""
    if resampler is not None:
        yield from (made.to_ndarray()[0] for made in resampler.resample(None))


def waveform(pcm: Samples, points: int = WAVEFORM_POINTS) -> bytes:
    """At most `points` peaks of equal stretches, each 0 to 255."""
    if not len(pcm):
        return b"\x00"
    loud = np.abs(pcm.astype(np.int32))
    edges = np.linspace(0, len(loud), min(points, len(loud)) + 1).astype(int)
    peaks = np.maximum.reduceat(loud, edges[:-1])
    return bytes((peaks * 255 // 32_767).clip(0, 255).astype(np.uint8))


def concatenate(clips: Sequence[tuple[Samples, int]]) -> tuple[Samples, int]:
    """The clips as one, at the highest of their rates."""
    if not clips:
        return np.zeros(0, np.int16), SPEECH_RATE_HZ
    rate_hz = max(rate for _, rate in clips)
    return np.concatenate([resample(pcm, rate, rate_hz) for pcm, rate in clips]), rate_hz


def resample(pcm: Samples, from_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate."""
    if from_hz == to_hz or not len(pcm):
        return pcm
    made = list(_resampled(_frames(pcm, from_hz), to_hz))
    return np.concatenate(made) if made else np.zeros(0, np.int16)


def to_wav(pcm: Samples, rate_hz: int) -> bytes:
    """A WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.astype("<i2").tobytes())
    return buffer.getvalue()


def split_at_silences(data: bytes, *, max_bytes: int, max_s: float) -> list[Piece]:
    """The recording in pieces within both limits, in order, joining to the whole, sample by sample.

    One that fits, in a container that servers take, is passed on as it is. Others become Ogg with Opus, cut at the quietest
    place of the last half minute before a limit; memory holds one stretch and the pieces. Raises UnreadableError.
    """
    if whole := _as_it_is(data, max_bytes, max_s):
        return [whole]
    seconds = max(min(max_s, max_bytes * 8 * 0.85 / VOICE_BIT_RATE), 1.0)  # the rest is Ogg's own
    made: list[Piece] = []
    for pcm in _stretches(pieces_of(data), int(seconds * SPEECH_RATE_HZ)):
        start_s = made[-1].start_s + made[-1].duration_s if made else 0.0
        made += _fitting(pcm, start_s, max_bytes)
    if not made:
        raise UnreadableError("There is no sound in it, or the recording is damaged.")
    return [replace(piece, name=f"part-{number}.ogg") for number, piece in enumerate(made, start=1)]


def _as_it_is(data: bytes, max_bytes: int, max_s: float) -> Piece | None:
    info = probe(data)
    with containers.opened(data) as container:
        kinds = container.format.name.split(",")
    extension, codecs = next((PASSED_ON[kind] for kind in kinds if kind in PASSED_ON), ("", ()))
    if info.codec not in codecs or len(data) > max_bytes or not 0 < info.duration_s <= max_s:
        return None
    if info.has_picture and extension == "m4a":
        return Piece(data, "video/mp4", "audio.mp4", 0.0, info.duration_s)
    mime_type = MIME_TYPES.get(extension, f"audio/{extension}")
    return Piece(data, mime_type, f"audio.{extension}", 0.0, info.duration_s)


def _fitting(pcm: Samples, start_s: float, max_bytes: int) -> list[Piece]:
    """One piece; two or more where the codec needed more than it was meant to."""
    encoded = _opus(pcm, SPEECH_RATE_HZ, SPEECH_RATE_HZ, effort=PIECE_EFFORT)
    if len(encoded) <= max_bytes or len(pcm) < SPEECH_RATE_HZ:
        return [Piece(encoded, "audio/ogg", "part.ogg", start_s, len(pcm) / SPEECH_RATE_HZ)]
    at = quietest(pcm, len(pcm) * 2 // 3)
    return [
        *_fitting(pcm[:at], start_s, max_bytes),
        *_fitting(pcm[at:], start_s + at / SPEECH_RATE_HZ, max_bytes),
    ]


def _stretches(pieces: Iterator[Samples], limit: int) -> Iterator[Samples]:
    """Gather samples and cut them where it is quiet, so that memory holds no more than one stretch."""
    waiting: list[Samples] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        while count > limit:
            whole = np.concatenate(waiting)
            at = quietest(whole, limit)
            yield whole[:at]
            waiting, count = [whole[at:]], len(whole) - at
    if count:
        yield np.concatenate(waiting)


def quietest(pcm: Samples, limit: int, rate_hz: int = SPEECH_RATE_HZ) -> int:
    """The middle of the quietest moment in the half minute before `limit` (in samples), the last one of several."""
    window = max(int(rate_hz * PAUSE_S), 1)
    begin = max(limit - int(SEARCH_S * rate_hz), limit // 2, 1)
    stretch = pcm[begin:limit].astype(np.int64)
    if len(stretch) <= window:
        return limit
    sums = np.concatenate(([0], np.cumsum(np.square(stretch))))
    energy = sums[window:] - sums[:-window]
    return begin + len(energy) - 1 - int(energy[::-1].argmin()) + window // 2
