"""Echo's brush, and its eye for what is written in a picture."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import textwrap
from collections.abc import Sequence

from bot.errors import UnreadableError, UsageError
from bot.ports import ImageData, ImageResult
from bot.providers.echo.script import Script, without_directives
from bot.types import ModelProfile, Usage

NAMED_SIZES = {
    "": (512, 512),
    "auto": (512, 512),
    "square": (512, 512),
    "landscape": (768, 512),
    "portrait": (512, 768),
}
MAX_SIDE = 4_096
PROMPT_KEY = "prompt"


class EchoPainter:
    """Pictures without a model."""

    def __init__(self, model: str, script: Script) -> None:
        self._script = script
        self._model = model
        self.profile = ModelProfile(name=f"echo:{model}", is_local=True)

    async def generate(
        self, prompt: str, *, size: str = "", quality: str = "", count: int = 1, images: Sequence[ImageData] = ()
    ) -> ImageResult:
        """PNGs with the prompt written on a ground whose colour follows from it, or on the first of the images."""
        self._script.note("image", self._model, prompt, size=size, quality=quality, count=count, images=tuple(images))
        if scripted := self._script.result("image", prompt):
            return scripted  # type: ignore[no-any-return]
        words, sides = without_directives(prompt), _sides(size)
        made = [await asyncio.to_thread(_paint, words, sides, images, number) for number in range(count)]
        used = Usage(input_tokens=len(words.split()), images=count)
        return ImageResult(tuple(ImageData(data, "image/png") for data in made), used)


class EchoTextReader:
    """Reads pictures without a model."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def read(self, data: bytes) -> str:
        """The prompt of a picture of echo's own; the size of any other, `a picture of 640 by 480`; nothing for one colour."""
        self._script.note("text", "echo", data)
        return await asyncio.to_thread(_read, data)


def _sides(size: str) -> tuple[int, int]:
    if size in NAMED_SIZES:
        return NAMED_SIZES[size]
    found = re.fullmatch(r"(\d+)x(\d+)", size)
    if not found or not all(0 < int(side) <= MAX_SIDE for side in found.groups()):
        raise UsageError(f"Size {size!r} is not known. Write WIDTHxHEIGHT, square, landscape, portrait or auto.")
    return int(found[1]), int(found[2])


def _paint(prompt: str, sides: tuple[int, int], images: Sequence[ImageData], number: int) -> bytes:
    from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

    colour = hashlib.sha256(f"{prompt}{number}".encode()).digest()
    canvas = Image.new("RGB", sides, (colour[0], colour[1], colour[2]))
    for position, picture in enumerate(images):
        with Image.open(io.BytesIO(picture.data)) as given:
            canvas.paste(ImageOps.fit(given.convert("RGB"), sides if position == 0 else (sides[0] // 4, sides[1] // 4)))
    font = ImageFont.load_default(size=max(10, sides[0] // 20))
    lines = "\n".join(textwrap.wrap(prompt, 30)) or "nothing"
    where = (sides[0] // 20, sides[1] // 20)
    ImageDraw.Draw(canvas).multiline_text(where, lines, fill="white", font=font, stroke_width=2, stroke_fill="black")
    info = PngImagePlugin.PngInfo()
    info.add_itxt(PROMPT_KEY, prompt)
    kept = io.BytesIO()
    canvas.save(kept, "PNG", pnginfo=info)
    return kept.getvalue()


def _read(data: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            prompt = picture.info.get(PROMPT_KEY, "")
            plain = len(picture.convert("RGB").getcolors(1) or ()) == 1
            width, height = picture.size
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise UnreadableError("This is no picture that can be opened.") from error
    return str(prompt) or ("" if plain else f"a picture of {width} by {height}")
