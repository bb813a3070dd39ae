"""Pictures from words, and from pictures and words."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from bot.errors import ProviderError, RejectedError
from bot.media import apart
from bot.media.images import prepare
from bot.ports import ImageData, ImageResult
from bot.providers.openai.client import Connection
from bot.providers.openai.errors import ours, parameter
from bot.providers.openai.profiles import media_profile
from bot.types import Usage

SHAPES = {"square": "1024x1024", "landscape": "1536x1024", "portrait": "1024x1536", "": "auto"}
MAX_PROMPT = 32_000
MAX_COUNT = 10
MAX_IMAGES = 16
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
OPTIONAL = ("size", "quality", "output_format")


class Painter:
    """An image model."""

    def __init__(self, model: str, connection: Connection) -> None:
        self.profile = media_profile(model)
        self._model = model
        self._connection = connection

    async def generate(
        self, prompt: str, *, size: str = "", quality: str = "", count: int = 1, images: Sequence[ImageData] = ()
    ) -> ImageResult:
        """New pictures, or the given ones changed. A value that the model refuses is left out, and said."""
        body: dict[str, Any] = {
            "model": self._model,
            "prompt": prompt[:MAX_PROMPT],
            "n": max(1, min(count, MAX_COUNT)),
            "size": SHAPES.get(size, size),
            "quality": quality or "auto",
        }
        sources = [await _source(one) for one in images[-MAX_IMAGES:]]
        answer, notices = await self._create(body, sources)
        pictures = tuple(_picture(item, answer) for item in answer.data or () if item.b64_json)
        if not pictures:
            raise ProviderError("The image model gave no picture. Please try again.")
        return ImageResult(pictures, _usage(answer.usage, len(pictures)), notices)

    async def _create(self, body: dict[str, Any], images: Sequence[ImageData]) -> tuple[Any, tuple[str, ...]]:
        notices: list[str] = []
        while True:
            try:
                with ours():
                    return await self._call(body, images), tuple(notices)
            except RejectedError as error:
                name = parameter(error)
                if name not in OPTIONAL or body.get(name) in (None, "auto"):
                    raise
                notices.append(f"The image {name} {body[name]} was left out: {self._model} does not take it.")
                del body[name]

    async def _call(self, body: dict[str, Any], images: Sequence[ImageData]) -> Any:
        client = self._connection.client.with_options(timeout=self._connection.timeout("high"))
        if not images:
            return await client.images.generate(**body)
        files = [
            (f"picture-{n}.{_extension(one.mime_type)}", one.data, one.mime_type)
            for n, one in enumerate(images, start=1)
        ]
        return await client.images.edit(image=files, **body)


async def _source(picture: ImageData) -> ImageData:
    """As the endpoint takes it: PNG, WebP or JPEG."""
    if picture.mime_type in EXTENSIONS:
        return picture
    made = await apart.PICTURES.run("The picture", prepare, picture.data)
    return ImageData(made.data, made.mime_type)


def _extension(mime_type: str) -> str:
    return EXTENSIONS.get(mime_type, "png")


def _picture(item: Any, answer: Any) -> ImageData:
    kind = getattr(answer, "output_format", None) or "png"
    return ImageData(base64.b64decode(item.b64_json), f"image/{kind}")


def _usage(usage: Any, count: int) -> Usage:
    if usage is None:
        return Usage(images=count, is_estimate=True)
    details = getattr(usage, "input_tokens_details", None)
    return Usage(
        input_tokens=usage.input_tokens or 0,
        input_image_tokens=getattr(details, "image_tokens", 0) or 0,
        output_tokens=usage.output_tokens or 0,
        images=count,
    )
