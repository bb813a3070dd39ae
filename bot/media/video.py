"""A few pictures of a video, for a model that sees."""

from __future__ import annotations

import io

import av
from PIL import Image

from bot.errors import UnreadableError


def frames(data: bytes, count: int = 4, max_side: int = 1024) -> list[bytes]:
    """JPEG pictures spread over the duration, upright. Raises UnreadableError when there is no moving picture in it."""
    made: list[bytes] = []
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not container.streams.video:
                raise UnreadableError("There is no picture in it.")
            stream = container.streams.video[0]
            length = (container.duration or 0) / av.time_base
            for index in range(count):
                container.seek(int(length * (index + 0.5) / count * av.time_base))
                frame = next(iter(container.decode(stream)), None)
                if frame is not None:
                    made.append(_jpeg(frame, max_side))
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if not made:
            raise UnreadableError(
                "This video cannot be decoded: it is damaged, or of a kind I don't know.", detail=str(error)
            ) from error
    if not made:
        raise UnreadableError("There is no picture in it.")
    return list(dict.fromkeys(made))


def _jpeg(frame: av.VideoFrame, max_side: int) -> bytes:
    picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    if frame.rotation:
        picture = picture.rotate(frame.rotation, expand=True)
    picture.thumbnail((max_side, max_side))
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
