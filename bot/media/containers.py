"""Containers of sound and moving pictures, opened safely: kinds that hold media themselves, never ones that name other files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from bot.errors import UnreadableError

DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,mpegvideo,ogg,tta,w64,wav,wv"
)
"""FFmpeg also opens playlists (HLS, DASH, concat, SDP), which would read other files and addresses on a stranger's word."""
OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}


@contextmanager
def opened(data: bytes, what: str = "sound") -> Iterator[InputContainer]:
    """The container in these bytes. FFmpeg's errors, here and inside the block, end as UnreadableError.

    what: `sound` or `video`, what it is hoped to hold, for the complaint.
    """
    if not data:
        raise UnreadableError(f"The {what} file is empty (0 bytes).")
    try:
        with av.open(io.BytesIO(data), "r", container_options=OPTIONS, metadata_errors="ignore") as container:
            yield container
    except (av.error.FFmpegError, UnicodeError) as error:
        raise broken(error, what) from error


def broken(error: Exception | str, what: str = "sound") -> UnreadableError:
    """What a person is told about bytes that FFmpeg does not take."""
    return UnreadableError(
        f"This is no {what} that I can decode: the file is damaged, or of another kind. "
        f"Please send it again{', as MP4 or WebM' if what == 'video' else ', as MP3, M4A, OGG or WAV'}.",
        detail=str(error),
    )


def sound(container: InputContainer) -> Any:
    """The stream to listen to. Raises UnreadableError when there is none, or none that can be decoded."""
    found = next((stream for stream in container.streams.audio if _is_decodable(stream)), None)
    if found is None:
        raise UnreadableError("There is no sound in it.")
    return found


def picture(container: InputContainer) -> Any | None:
    """The stream of moving pictures; album art is none."""
    return next((one for one in container.streams.video if _is_decodable(one) and not _is_cover(one)), None)


def _is_decodable(stream: Any) -> bool:
    return stream.codec_context is not None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def duration_s(container: InputContainer, stream: Any) -> float:
    """How long the stream is. Browsers' recorders write none, then its packets are read, which uses the container up."""
    if stream.duration and stream.time_base:
        return max(float(stream.duration * stream.time_base), 0.0)
    if container.duration:
        return max(container.duration / av.time_base, 0.0)
    return _measured_s(container, stream)


def _measured_s(container: InputContainer, stream: Any) -> float:
    start, end = None, 0.0
    for packet in intact(container.demux(stream)):
        if packet.pts is not None and packet.time_base:
            start = packet.pts * packet.time_base if start is None else start
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base - start))
    return end


def intact(packets: Iterator[Any]) -> Iterator[Any]:
    """The packets up to where a file breaks off."""
    try:
        yield from packets
    except av.error.FFmpegError:
        return


def frames(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The decoded frames; a packet that is damaged is left out, and a file that breaks off gives what is there."""
    for packet in intact(container.demux(stream)):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue
