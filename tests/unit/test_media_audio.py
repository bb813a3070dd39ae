"""Sound: every format in, voice messages out, and long recordings in pieces."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import UnreadableError
from bot.media import audio
from tests import making
from tests.unit.media_support import KINDS, encoded, tone

RATE = audio.SPEECH_RATE_HZ


def pitch(pcm: audio.Samples, rate_hz: int = RATE) -> float:
    """The loudest frequency."""
    return float(np.abs(np.fft.rfft(pcm)).argmax() * rate_hz / len(pcm))


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_decoded(kind: str) -> None:
    """A second of a tone comes out of each format as a second of that tone."""
    data = encoded(tone(1.0), *KINDS[kind])
    pcm = audio.decode(data)
    assert pcm.dtype == np.int16
    assert len(pcm) == pytest.approx(RATE, abs=RATE * 0.15)
    assert pitch(pcm) == pytest.approx(440, abs=5)
    info = audio.probe(data)
    assert info.duration_s == pytest.approx(1.0, abs=0.15)
    assert (info.channels, info.has_picture) == (1, False)


def test_stereo_becomes_mono() -> None:
    """Both channels are heard."""
    assert pitch(audio.decode(encoded(tone(0.5), "wav", "pcm_s16le", 16_000, "stereo"))) == pytest.approx(440, abs=5)


def test_recordings_of_a_browser_have_a_duration() -> None:
    """A WebM file that is written as a stream says no duration, so it is measured."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with av.open(pipe, "w", format="webm", options={"live": "1"}) as output:
        stream: Any = output.add_stream("libopus", rate=48_000, layout="mono")
        for frame in audio._converted(audio._frames(tone(2.0), RATE), 48_000, stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    info = audio.probe(pipe.getvalue())
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    (piece,) = audio.split_at_silences(pipe.getvalue(), max_bytes=1_000_000, max_s=60)
    assert (piece.name, piece.mime_type, piece.data) == ("audio.webm", "audio/webm", pipe.getvalue())


def test_a_truncated_recording_gives_what_is_there() -> None:
    """Half of an Ogg file is about half of the sound."""
    data = encoded(np.random.default_rng(1).normal(0, 3000, RATE * 8).astype(np.int16), *KINDS["ogg"])
    assert 2.0 < len(audio.decode(data[: len(data) // 2])) / RATE < 6.0


def test_damage_in_the_middle_loses_a_moment_only() -> None:
    """Garbled bytes do not end the recording."""
    data = bytearray(encoded(tone(6.0), *KINDS["mp3"]))
    data[len(data) // 2 : len(data) // 2 + 200] = b"\xaa" * 200
    assert len(audio.decode(bytes(data))) / RATE > 5.0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"no sound at all, only words", "no sound that I can decode"),
        (bytes(range(256)) * 40, "no sound"),
        (encoded(tone(1.0), *KINDS["m4a"])[:300], "no sound that I can decode"),
    ],
    ids=["empty", "text", "noise", "cut before its index"],
)
def test_what_is_no_sound_is_refused(data: bytes, words: str) -> None:
    """Each with a text that says so, from each of the functions."""
    for call in (audio.probe, audio.decode, lambda given: audio.split_at_silences(given, max_bytes=10_000, max_s=60)):
        with pytest.raises(UnreadableError, match=words):
            call(data)


def test_a_picture_has_no_sound() -> None:
    """A video without sound is told from a broken one."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream: Any = output.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 32, 32
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    with pytest.raises(UnreadableError, match="There is no sound in it"):
        audio.probe(buffer.getvalue())


def test_playlists_read_no_other_files(tmp_path: Path) -> None:
    """A file that names other files or addresses is refused, not followed."""
    (tmp_path / "private.wav").write_bytes(audio.to_wav(tone(1.0), RATE))
    address = (tmp_path / "private.wav").as_uri()
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n"
    concat = f"ffconcat version 1.0\nfile '{tmp_path / 'private.wav'}'\n"
    for text in (playlist, concat):
        with pytest.raises(UnreadableError):
            audio.decode(text.encode())


def test_hours_are_refused() -> None:
    """A recording beyond the limit stops there, with the limit in the text."""
    data = encoded(tone(3.0), *KINDS["ogg"])
    with pytest.raises(UnreadableError, match="longer than 2 seconds"):
        audio.decode(data, max_s=2)
    assert len(audio.decode(data, max_s=4)) == RATE * 3


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 48_000])
def test_a_voice_message_is_what_platforms_take(rate_hz: int) -> None:
    """Ogg with Opus, 48 kHz, mono, of the true duration, with at most 256 points."""
    clip = audio.encode_voice(tone(1.5, rate_hz=rate_hz), rate_hz)
    info = audio.probe(clip.data)
    assert clip.data.startswith(b"OggS")
    assert (clip.mime_type, info.codec, info.rate_hz, info.channels) == ("audio/ogg", "opus", 48_000, 1)
    assert clip.duration_s == pytest.approx(1.5)
    assert len(audio.decode(clip.data, 48_000)) / 48_000 == pytest.approx(1.5, abs=0.001)
    assert len(clip.waveform) == 256
    assert len(clip.data) < 12_000


def test_nothing_makes_no_voice_message() -> None:
    """No samples are an error rather than an empty file."""
    with pytest.raises(UnreadableError, match="no sound"):
        audio.encode_voice(np.zeros(0, np.int16), RATE)


@pytest.mark.parametrize("length", [0, 5, RATE * 3])
def test_silence_is_told(length: int) -> None:
    """Zeros, faint noise, a constant offset and a click are silence."""
    noise = np.random.default_rng(1).normal(0, 30, length).astype(np.int16)
    click = noise.copy()
    click[length // 2 : length // 2 + 20] = 20_000
    for pcm in (noise * 0, noise, noise + np.int16(3_000)):
        assert audio.is_silence(pcm, RATE)
    assert length < RATE or audio.is_silence(click, RATE)


def test_one_word_in_a_long_pause_is_no_silence() -> None:
    """A third of a second of speech in two minutes is heard."""
    pcm = np.zeros(RATE * 120, np.int16)
    pcm[RATE * 60 : RATE * 60 + RATE // 3] = tone(1 / 3, peak=2_000)[: RATE // 3]
    assert not audio.is_silence(pcm, RATE)
    assert not audio.is_silence(tone(0.05), RATE)


@given(st.lists(st.integers(-32_768, 32_767), max_size=2_000), st.integers(1, 256))
def test_a_waveform_is_bounded(samples: list[int], points: int) -> None:
    """At most so many points, at least one, and full scale only for the loudest."""
    drawn = audio.waveform(np.array(samples, np.int16), points)
    assert 1 <= len(drawn) <= points
    loudest = max((abs(sample) for sample in samples), default=0)
    assert max(drawn) == min(loudest * 255 // 32_767, 255)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 3.0), st.booleans()), min_size=1, max_size=8), st.floats(1.0, 4.0))
def test_pieces_join_to_the_whole(parts: list[tuple[float, bool]], max_s: float) -> None:
    """In order, without gaps or overlaps, each within the limits, sample by sample."""
    pcm = np.concatenate([tone(seconds) if is_loud else tone(seconds) * 0 for seconds, is_loud in parts])
    data = audio.to_wav(pcm, RATE)
    pieces = audio.split_at_silences(data, max_bytes=8_000, max_s=max_s)
    decoded = [audio.decode(piece.data) for piece in pieces] if pieces[0].data != data else [pcm]
    assert sum(map(len, decoded)) == len(pcm)
    ends = [piece.start_s + piece.duration_s for piece in pieces]
    assert [piece.start_s for piece in pieces] == pytest.approx([0.0, *ends[:-1]])
    assert ends[-1] == pytest.approx(len(pcm) / RATE)
    assert all(len(piece.data) <= 8_000 and piece.duration_s <= max_s + 0.01 for piece in pieces)
    assert len({piece.name for piece in pieces}) == len(pieces)


def test_pieces_sound_as_the_whole() -> None:
    """Joined, they follow the loudness of the recording."""
    pcm = np.concatenate([tone(1.7), tone(0.5) * 0, tone(2.0), tone(0.4) * 0, tone(1.0)])
    pieces = audio.split_at_silences(audio.to_wav(pcm, RATE), max_bytes=1_000_000, max_s=2.5)
    joined = np.concatenate([audio.decode(piece.data) for piece in pieces]).astype(float)
    loudness, wanted = (np.abs(sound).reshape(-1, 1_600).mean(axis=1) for sound in (joined, pcm.astype(float)))
    assert np.corrcoef(loudness, wanted)[0, 1] > 0.97
    assert pieces[1].start_s == pytest.approx(1.95, abs=0.25)


@pytest.mark.parametrize("kind", ["ogg", "m4a", "webm", "mp3", "flac", "wav"])
def test_a_recording_that_fits_passes_as_it_is(kind: str) -> None:
    """The same bytes, under a name that servers judge rightly."""
    data = encoded(tone(1.0), *KINDS[kind])
    (piece,) = audio.split_at_silences(data, max_bytes=1_000_000, max_s=60)
    assert (piece.data, piece.name, piece.start_s) == (data, f"audio.{kind}", 0.0)
    assert piece.duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", ["amr", "aac", "caf", "mpegts"])
def test_other_recordings_are_encoded_anew(kind: str) -> None:
    """Formats that servers refuse become Ogg."""
    (piece,) = audio.split_at_silences(encoded(tone(1.0), *KINDS[kind]), max_bytes=1_000_000, max_s=60)
    assert (piece.name, piece.mime_type) == ("part-1.ogg", "audio/ogg")
    assert pitch(audio.decode(piece.data)) == pytest.approx(440, abs=5)


def test_clips_are_joined_at_the_highest_rate() -> None:
    """A clip of 16 kHz and one of 24 kHz keep their durations and pitches."""
    pcm, rate_hz = audio.concatenate([(tone(0.5), RATE), (tone(0.25, 880, 24_000), 24_000)])
    assert rate_hz == 24_000
    assert len(pcm) == pytest.approx(18_000, abs=40)
    assert pitch(pcm[:11_000], 24_000) == pytest.approx(440, abs=5)
    assert pitch(pcm[-5_500:], 24_000) == pytest.approx(880, abs=8)
    assert audio.concatenate([])[0].size == 0


def test_a_wav_file_is_exact() -> None:
    """What goes in comes out."""
    pcm = tone(0.3)
    assert np.array_equal(audio.decode(audio.to_wav(pcm, RATE)), pcm)


def test_a_recording_may_change_its_rate() -> None:
    """Two Ogg files one after the other, as some recorders write after a pause, are heard to the end."""
    joined = encoded(tone(1.0), *KINDS["ogg"]) + encoded(tone(1.0, 880), *KINDS["ogg"])
    pcm = audio.decode(joined)
    assert len(pcm) / RATE == pytest.approx(2.0, abs=0.05)
    assert pitch(pcm[-RATE // 2 :]) == pytest.approx(880, abs=5)


@pytest.mark.parametrize("rate_hz", [1, 8, 3_999])
@pytest.mark.parametrize(
    "work", [audio.probe, audio.decode, lambda data: audio.split_at_silences(data, max_bytes=10**7, max_s=600)]
)
def test_a_rate_that_no_recorder_has_is_refused(rate_hz: int, work: Callable[[bytes], object]) -> None:
    """100 kB that claim to be a day long are neither decoded nor encoded: the claim is refused in words."""
    with pytest.raises(UnreadableError, match=f"claims a rate of {rate_hz:,} Hz"):
        work(making.wav_claiming(rate_hz))


def test_a_length_is_bounded_by_the_bytes() -> None:
    """A header that claims more sound than its bytes can hold is not believed; telephone sound of any length is."""
    assert audio.probe(making.wav_claiming(8_000, 1_600_000)).duration_s == 200
    with pytest.raises(UnreadableError, match="too few bytes for that"):
        audio.probe(encoded_silence_of(3 * 3_600))


def encoded_silence_of(seconds: int) -> bytes:
    """FLAC of digital silence at a low rate in the largest blocks: 3 hours in less than 100 kB."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as output:
        stream: Any = output.add_stream("flac", rate=4_000, layout="mono", options={"frame_size": "65535"})
        for start in range(0, seconds * 4_000, 65_535):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 65_535), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 4_000, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()
