"""Pictures: upright, without metadata, sized for a model."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from bot.errors import UnreadableError

MAX_PIXELS = 100_000_000
"""More is a decompression bomb: decoded it would take over 300 MB."""
QUALITIES = (90, 80, 65, 50, 35)
pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class PreparedImage:
    """A picture ready for a model."""

    data: bytes = field(repr=False)
    mime_type: str
    width: int
    height: int
    original_width: int
    original_height: int


def prepare(data: bytes, *, max_side: int = 2048, max_bytes: int = 4_000_000) -> PreparedImage:
    """Turned upright, stripped of metadata, within both limits (pixels of the longer side, bytes); PNG where it is transparent.

    Of an animation the first picture. Raises UnreadableError: no picture, damaged, or too many pixels.
    """
    picture = _opened(data)
    original = picture.size
    picture = _plain(picture)
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    made, mime_type = _encoded(picture, max_bytes)
    return PreparedImage(made, mime_type, picture.width, picture.height, *original)


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise UnreadableError("The picture is empty (0 bytes).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data))
            if picture.width * picture.height > MAX_PIXELS:
                size = f"{picture.width} × {picture.height}"
                raise UnreadableError(
                    f"The picture has {size} points, more than I can take in. Please send a smaller one."
                )
            picture.load()
    except UnidentifiedImageError as error:
        raise UnreadableError("This is no picture that I can decode.", detail=str(error)) from error
    except Image.DecompressionBombError as error:
        raise UnreadableError("The picture has more points than I can take in. Please send a smaller one.") from error
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError) as error:
        raise UnreadableError("The picture is damaged, so it cannot be shown.", detail=str(error)) from error
    return picture


def _plain(picture: Image.Image) -> Image.Image:
    """Upright, RGB or RGBA, and nothing but its points."""
    upright = ImageOps.exif_transpose(picture) or picture
    is_transparent = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        upright = ImageOps.autocontrast(upright.convert("F").point(lambda value: value / 256).convert("L"))
    made = upright.convert("RGBA" if is_transparent else "RGB")
    made.info.clear()
    return made


def _encoded(picture: Image.Image, max_bytes: int) -> tuple[bytes, str]:
    if picture.mode == "RGBA":
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= max_bytes:
            return buffer.getvalue(), "image/png"
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(picture, mask=picture.getchannel("A"))
        picture = flat
    while True:
        for quality in QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= max_bytes or max(picture.size) <= 64:
                return buffer.getvalue(), "image/jpeg"
        picture.thumbnail((picture.width * 2 // 3, picture.height * 2 // 3))
