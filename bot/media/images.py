"""Pictures: upright, without metadata, sized for a model."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from bot.errors import UnreadableError
from bot.media.quiet import quiet

MAX_PIXELS = 50_000_000
"""A phone's largest have 48 million. Decoded it takes up to 200 MB, and as much again while it is made smaller."""
MAX_JPEG_PIXELS = 100_000_000
"""A JPEG is decoded at a part of its size."""
KINDS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "AVIF", "ICO", "JPEG2000", "PPM", "TGA")
"""Pillow reads more, some by starting other programs."""
FORMATS = ("image/jpeg", "image/png", "image/webp", "image/gif")
"""What models take."""
QUALITIES = (90, 80, 65, 50, 35)
DRAWN = ("PNG", "GIF", "BMP", "ICO", "PPM")
"""Kinds of screenshots and drawings, whose letters JPEG would blur."""
SMALLEST_SIDE = 64
Image.init()
pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class PreparedImage:
    """A picture ready for a model."""

    data: bytes = field(repr=False)
    mime_type: str
    width: int
    height: int
    original_width: int
    """As it was stored, before it was turned upright."""
    original_height: int


def prepare(
    data: bytes, *, max_side: int = 2048, max_bytes: int = 4_000_000, formats: Sequence[str] = FORMATS
) -> PreparedImage:
    """Turned upright, in sRGB, stripped of metadata, within both limits (points of the longer side, bytes).

    formats: mime types to choose from, at least one of image/jpeg, image/png and image/webp. Transparent pictures and
    drawings become PNG where that is allowed and fits, all others JPEG. Of an animation the first picture.
    Raises UnreadableError: no picture, damaged, or too many points.
    """
    with quiet():
        picture = _opened(data, max_side)
        drawn, stored = picture.format in DRAWN, picture.info["size as stored"]
        try:
            plain = _plain(_smaller(picture, max_side))
        except DAMAGE as error:
            raise _damaged(error) from error
    made, mime_type, size = _encoded(plain, max_bytes, _preferred(plain, drawn, formats))
    return PreparedImage(made, mime_type, *size, *stored)


DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    EOFError,
    RuntimeError,
    TypeError,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise for bytes that break off or contradict themselves."""


def _opened(data: bytes, max_side: int) -> Image.Image:
    if not data:
        raise UnreadableError("The picture is empty (0 bytes).")
    try:
        picture = Image.open(io.BytesIO(data), formats=KINDS)
        size = picture.size
        _check_size(*size, MAX_JPEG_PIXELS if picture.format == "JPEG" else MAX_PIXELS)
        picture.draft("RGB", (max_side, max_side))  # a JPEG of a camera is decoded at a part of its size
        picture.load()
    except UnidentifiedImageError as error:
        text = "This is no picture that I can decode. Please send it as PNG, JPEG, WebP, GIF or HEIC."
        raise UnreadableError(text, detail=str(error)) from error
    except Image.DecompressionBombError as error:
        raise UnreadableError("The picture has more points than I can take in. Please send a smaller one.") from error
    except DAMAGE as error:
        raise _damaged(error) from error
    picture.info["size as stored"] = size
    return picture


def _check_size(width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise UnreadableError(
            f"The picture has {width} × {height} points, more than I can take in. Please send a smaller one."
        )


def _damaged(error: Exception) -> UnreadableError:
    return UnreadableError("The picture is damaged, so it cannot be shown. Please send it again.", detail=str(error))


def _smaller(picture: Image.Image, max_side: int) -> Image.Image:
    """Within the limit, before anything else makes a copy of all its points."""
    if picture.has_transparency_data and picture.mode not in ("RGBA", "LA"):
        picture = picture.convert("RGBA")
    elif picture.mode in ("P", "PA", "1"):  # points of these are names of colours, which have no mean
        picture = picture.convert("RGB")
    elif picture.mode.startswith("I;"):  # which Pillow does not resize
        picture = picture.convert("I")
    is_measured = picture.mode in ("I", "F")  # LANCZOS would go beyond what was measured
    picture.thumbnail((max_side, max_side), Image.Resampling.BOX if is_measured else Image.Resampling.LANCZOS)
    return picture


def _plain(picture: Image.Image) -> Image.Image:
    """Upright, RGB or RGBA in sRGB, and nothing but its points."""
    upright = ImageOps.exif_transpose(picture)
    is_transparent = upright.has_transparency_data
    if upright.mode.startswith("I") or upright.mode == "F":
        upright = _eight_bits(upright)
    made = _in_srgb(upright).convert("RGBA" if is_transparent else "RGB")
    bare = Image.new(made.mode, made.size)
    bare.paste(made)
    return bare


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits or more. What uses only a part of the range (depth, scans, measurements) is stretched to be seen."""
    points = np.nan_to_num(np.asarray(picture, dtype=np.float32))
    low, high = float(points.min()), float(points.max())
    if low >= 0 and 32_768 <= high <= 65_535:
        low, high = 0.0, 65_535.0
    return Image.fromarray(((points - low) * (255 / max(high - low, 1e-9))).clip(0, 255).astype(np.uint8))


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The colours as its profile means them; a broken profile is left out, which shifts colours and no more."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture


def _preferred(picture: Image.Image, drawn: bool, formats: Sequence[str]) -> list[str]:
    """Formats to try, the best first."""
    keeps = ["image/png", "image/webp"] if picture.mode == "RGBA" else ["image/png"] if drawn else []
    wanted = [mime for mime in dict.fromkeys([*keeps, "image/jpeg", "image/webp", "image/png"]) if mime in formats]
    if not wanted:
        raise ValueError(f"formats must name image/jpeg, image/png or image/webp, not {formats!r}")
    return wanted


def _encoded(picture: Image.Image, max_bytes: int, formats: list[str]) -> tuple[bytes, str, tuple[int, int]]:
    """The first format and quality that fits; where none does, the picture is made smaller."""
    while True:
        for mime_type, write in _ways(formats):
            data = write(picture)
            if len(data) <= max_bytes:
                return data, mime_type, picture.size
        if max(picture.size) <= SMALLEST_SIDE:
            raise UnreadableError("The picture cannot be made small enough to send.")
        picture = picture.copy()
        picture.thumbnail((max(picture.width * 2 // 3, 1), max(picture.height * 2 // 3, 1)))


def _ways(formats: list[str]) -> Iterator[tuple[str, Callable[[Image.Image], bytes]]]:
    for mime_type in formats:
        if mime_type == "image/png":
            yield mime_type, _png
            continue
        kind = "JPEG" if mime_type == "image/jpeg" else "WEBP"
        for quality in QUALITIES:
            yield mime_type, partial(_lossy, kind=kind, quality=quality)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _lossy(picture: Image.Image, kind: str, quality: int) -> bytes:
    if kind == "JPEG" and picture.mode == "RGBA":
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(picture, mask=picture.getchannel("A"))
        picture = flat
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=quality)
    return buffer.getvalue()
