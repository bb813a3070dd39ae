"""A few pictures of a video, for a model that sees."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import av
from PIL import Image

from bot.errors import UnreadableError
from bot.media import containers

MAX_PIXELS = 40_000_000
"""Of one frame; 8K has 33 million."""
MAX_STEPS = 250
"""Frames decoded after a seek; recorders set a key frame at least every 10 s."""


def frames(data: bytes, count: int = 4, max_side: int = 1024) -> list[bytes]:
    """Up to `count` different JPEG pictures spread over the duration, in order, upright, none longer than `max_side` points.

    Raises UnreadableError: no moving picture in it, damaged, or too large.
    """
    length = _length_s(data)
    with containers.opened(data, "video") as container:
        stream = _picture(container)
        found = (_frame_at(container, stream, length * (index + 0.5) / count) for index in range(count))
        made = [_jpeg(frame, max_side) for frame in found if frame is not None]
    if not made:
        raise containers.broken("no frame could be decoded", "video")
    return list(dict.fromkeys(made))


def _length_s(data: bytes) -> float:
    with containers.opened(data, "video") as container:
        return containers.duration_s(container, _picture(container))


def _picture(container: Any) -> Any:
    stream = containers.picture(container)
    if stream is None:
        raise UnreadableError("There is no moving picture in it.")
    if stream.width * stream.height > MAX_PIXELS:
        raise UnreadableError(
            f"The video has {stream.width} × {stream.height} points, more than I can take in. Please send a smaller one."
        )
    stream.thread_type = "AUTO"
    return stream


def _frame_at(container: Any, stream: Any, at_s: float) -> Any | None:
    """The frame shown at that time; an earlier one where the way from the key frame is too long or the file ends."""
    with suppress(av.error.FFmpegError):  # a stream without an index goes on from where it is
        container.seek(int(at_s / stream.time_base) + (stream.start_time or 0), stream=stream)
    start_s = float((stream.start_time or 0) * stream.time_base)
    shown = None
    for step, frame in enumerate(containers.frames(container, stream)):
        if shown is not None and (step >= MAX_STEPS or (frame.time or 0.0) - start_s > at_s):
            return shown
        shown = frame
    return shown


def _jpeg(frame: Any, max_side: int) -> bytes:
    scale = min(1.0, max_side / max(frame.width, frame.height))
    size = {"width": max(int(frame.width * scale), 1), "height": max(int(frame.height * scale), 1)}
    picture: Image.Image = frame.to_image(**size)
    if frame.rotation:
        picture = picture.rotate(frame.rotation, expand=True)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
