"""Pictures made by the configured model, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.engine.allowance import check_room, keep_made
from bot.engine.metering import metered
from bot.engine.runtime import Runtime
from bot.ports import ImageData
from bot.types import Image, Message, Part, Turn


@dataclass(frozen=True)
class Painting:
    """The pictures that one call made."""

    images: tuple[Image, ...]
    notices: tuple[str, ...] = ()


async def paint(
    turn: Turn, runtime: Runtime, prompt: str, size: str, images: Sequence[ImageData] = (), count: int = 1
) -> Painting:
    """Make pictures and keep them; raises UnavailableError, RefusedError, ProviderError.

    size: as in `ImageGenerator.generate`; the person's setting comes first. images: to be changed, or to go by.
    """
    await check_room(turn, runtime, "a picture")
    async with metered(runtime, turn, "image") as meter:
        result = await runtime.models.image_generator().generate(
            prompt,
            size=turn.settings.image_size or size,
            quality=turn.settings.image_quality or "",
            count=count,
            images=images,
        )
        meter.usage = result.usage
    blobs = [await keep_made(turn, runtime, picture.data, picture.mime_type) for picture in result.pictures]
    made = tuple(Image(blob, f"picture-{index}", description=prompt) for index, blob in enumerate(blobs, start=1))
    return Painting(made, tuple(result.notices))


def newest_image(messages: Sequence[Message], made: Sequence[Part] = ()) -> Image | None:
    """The last picture of what was made just now, else the last one in these messages."""
    read = (part for message in reversed(messages) for part in reversed(message.parts))
    return next((part for part in (*reversed(made), *read) if isinstance(part, Image)), None)
