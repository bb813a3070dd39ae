"""Sound: decoded, encoded as a voice message, and cut at silences. Samples are signed 16 bit, mono."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bot.errors import UnreadableError

Samples = NDArray[np.int16]
VOICE_RATE_HZ = 48_000
VOICE_BIT_RATE = 32_000
WAVEFORM_POINTS = 256
"""Discord, Create Message, voice messages: at most 256 points."""
SPEECH_RATE_HZ = 16_000
SILENCE_PEAK = 250
"""Of 32,767: about -42 dB, under which nothing is said."""
MAX_DECODED_S = 6 * 3_600.0
WINDOW_S = 0.02
SEARCH_S = 30.0
"""How far before a limit the quietest place is looked for."""
ACCEPTED = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
"""OpenAI, Create transcription, `file`: formats by the name's extension."""
FORMATS = {"mov": "m4a", "mp3": "mp3", "ogg": "ogg", "wav": "wav", "flac": "flac", "matroska": "webm"}
"""What FFmpeg calls a container, and the extension to send it under."""


@dataclass(frozen=True)
class AudioInfo:
    """Facts about a recording."""

    duration_s: float
    codec: str
    rate_hz: int
    channels: int
    has_picture: bool


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
    """Facts without decoding all of it. Raises UnreadableError when there is no sound in it."""
    with _opened(data) as container:
        stream = _sound(container)
        duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        duration = duration or (container.duration or 0) / av.time_base
        context = stream.codec_context
        return AudioInfo(
            max(duration, 0.0), context.name, context.sample_rate or 0, context.channels, bool(container.streams.video)
        )


class _Opened:
    """A container that ends FFmpeg's errors in ours."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> Any:
        if not self._data:
            raise UnreadableError("The recording is empty (0 bytes).")
        try:
            self._container = av.open(io.BytesIO(self._data))
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise _broken(error) from error
        return self._container

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._container.close()
        if isinstance(error, av.error.FFmpegError):
            raise _broken(error) from error


def _opened(data: bytes) -> _Opened:
    return _Opened(data)


def _broken(error: Exception) -> UnreadableError:
    return UnreadableError(
        "This is no sound that I can decode: the file is damaged, or of another kind.", detail=str(error)
    )


def _sound(container: Any) -> Any:
    if not container.streams.audio:
        raise UnreadableError("There is no sound in it.")
    return container.streams.audio[0]


def pieces_of(data: bytes, rate_hz: int) -> Iterator[Samples]:
    """The samples as they are decoded; a file that breaks off gives what is there."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
    with _opened(data) as container:
        try:
            for frame in container.decode(_sound(container)):
                yield from (made.to_ndarray()[0] for made in resampler.resample(frame))
        except av.error.FFmpegError as error:
            if resampler.format is None:
                raise _broken(error) from error
        if resampler.format is not None:
            yield from (made.to_ndarray()[0] for made in resampler.resample(None))


def decode(data: bytes, rate_hz: int = SPEECH_RATE_HZ, max_s: float = MAX_DECODED_S) -> Samples:
    """All samples at that rate. Raises UnreadableError: no sound, broken, or longer than `max_s`."""
    made: list[Samples] = []
    count, limit = 0, int(max_s * rate_hz)
    for piece in pieces_of(data, rate_hz):
        made.append(piece)
        count += len(piece)
        if count > limit:
            raise UnreadableError(f"The recording is longer than {max_s / 60:.0f} minutes, the limit here.")
    if not count:
        raise UnreadableError("There is no sound in it, or the recording is damaged.")
    return np.concatenate(made)


def is_silence(pcm: Samples, rate_hz: int) -> bool:
    """Whether nothing in it is loud enough to be speech."""
    if not len(pcm):
        return True
    window = max(int(rate_hz * WINDOW_S), 1)
    peaks = (
        np.abs(pcm[: len(pcm) // window * window].astype(np.int32)).reshape(-1, window).max(axis=1)
        if len(pcm) >= window
        else np.abs(pcm.astype(np.int32))
    )
    return bool(np.percentile(peaks, 99) < SILENCE_PEAK)


def encode_voice(pcm: Samples, rate_hz: int) -> VoiceClip:
    """A voice message of these samples. Raises UnreadableError when there are none."""
    if not len(pcm):
        raise UnreadableError("There is no sound to encode.")
    data = _encode(pcm, rate_hz, "ogg", "libopus", VOICE_RATE_HZ, VOICE_BIT_RATE, {"application": "voip"})
    return VoiceClip(data, len(pcm) / rate_hz, waveform(pcm))


def _encode(
    pcm: Samples, rate_hz: int, container: str, codec: str, out_hz: int, bit_rate: int, options: dict[str, str]
) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=out_hz, layout="mono", options=options)
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            format=stream.codec_context.format,
            layout="mono",
            rate=out_hz,
            frame_size=stream.codec_context.frame_size or None,
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for made in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(made))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def waveform(pcm: Samples, points: int = WAVEFORM_POINTS) -> bytes:
    """At most `points` peaks of equal stretches, each 0 to 255."""
    if not len(pcm):
        return b"\x00"
    loud = np.abs(pcm.astype(np.int32))
    edges = np.linspace(0, len(loud), min(points, len(loud)) + 1).astype(int)
    peaks = np.maximum.reduceat(loud, edges[:-1])
    return bytes((peaks * 255 // 32_768).clip(0, 255).astype(np.uint8))


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
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm).reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = from_hz
    resampler = av.AudioResampler(format="s16", layout="mono", rate=to_hz)
    made = [one.to_ndarray()[0] for one in (*resampler.resample(frame), *resampler.resample(None))]
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
    """The recording in pieces within both limits, in order, joining to the whole.

    One that fits and whose container servers accept is passed on as it is. Others become 16 kHz mono Ogg, cut at the quietest place
    of the last half minute before a limit. Raises UnreadableError.
    """
    info = probe(data)
    extension = _container(data)
    if extension and len(data) <= max_bytes and 0 < info.duration_s <= max_s:
        return [Piece(data, _mime(extension), f"audio.{extension}", 0.0, info.duration_s)]
    seconds = min(max_s, max(max_bytes * 8 * 0.9 / VOICE_BIT_RATE, 1.0))
    made: list[Piece] = []
    start = 0
    for pcm in _stretches(pieces_of(data, SPEECH_RATE_HZ), int(seconds * SPEECH_RATE_HZ)):
        encoded = _encode(pcm, SPEECH_RATE_HZ, "ogg", "libopus", VOICE_RATE_HZ, VOICE_BIT_RATE, {"application": "voip"})
        name = f"part-{len(made) + 1}.ogg"
        made.append(Piece(encoded, "audio/ogg", name, start / SPEECH_RATE_HZ, len(pcm) / SPEECH_RATE_HZ))
        start += len(pcm)
    if not made:
        raise UnreadableError("There is no sound in it, or the recording is damaged.")
    return made


def _container(data: bytes) -> str:
    """The extension to send it under, or empty when it has to be encoded anew."""
    with _opened(data) as container:
        return next((ext for name, ext in FORMATS.items() if name in container.format.name.split(",")), "")


def _mime(extension: str) -> str:
    return {"m4a": "audio/mp4", "mp3": "audio/mpeg"}.get(extension, f"audio/{extension}")


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
    """The middle of the quietest moment in the half minute before `limit` (in samples)."""
    window = max(int(rate_hz * 0.2), 1)
    begin = max(limit - int(SEARCH_S * rate_hz), limit // 2, 1)
    stretch = pcm[begin:limit].astype(np.float64)
    if len(stretch) <= window:
        return limit
    energy = np.convolve(np.square(stretch), np.ones(window), "valid")
    return begin + int(energy.argmin()) + window // 2
