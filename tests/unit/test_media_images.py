"""Pictures: upright, bare, within limits; frames of videos too."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bot.errors import UnreadableError
from bot.media import images, video
from bot.media.quiet import quiet
from tests import making
from tests.unit.media_support import film, saved


def opened(data: bytes) -> Image.Image:
    """The picture in a file, decoded."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def halves(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Red at the left, blue at the right."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    return picture


def is_near(colour: Any, wanted: tuple[int, ...], by: int = 12) -> bool:
    """Whether each channel is."""
    return all(abs(a - b) <= by for a, b in zip(colour, wanted, strict=True))


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "AVIF", "JPEG2000", "PPM", "ICO"]
)
def test_every_kind_is_read(kind: str) -> None:
    """Each becomes JPEG or PNG with the same colours at the same places."""
    prepared = images.prepare(saved(halves((64, 64)), kind))
    picture = opened(prepared.data)
    assert picture.format in ("JPEG", "PNG")
    assert prepared.mime_type == Image.MIME[picture.format]
    assert (prepared.width, prepared.height) == picture.size == (64, 64)
    assert is_near(picture.convert("RGB").getpixel((8, 32)), (255, 0, 0))
    assert is_near(picture.convert("RGB").getpixel((56, 32)), (0, 0, 255))


def test_a_turned_picture_is_upright_and_bare() -> None:
    """The camera's turn is done, and neither place, words nor profile is left."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "taken at home"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(
        halves(), "JPEG", exif=exif, icc_profile=profile, comment=b"secret", xmp=b"<x:xmpmeta>home</x:xmpmeta>"
    )
    prepared = images.prepare(data)
    picture = opened(prepared.data)
    assert (prepared.width, prepared.height) == (40, 60)
    assert (prepared.original_width, prepared.original_height) == (60, 40)
    assert is_near(picture.getpixel((20, 5)), (255, 0, 0))
    assert not picture.getexif()
    assert not {"icc_profile", "xmp", "comment", "exif"} & set(picture.info)
    assert not any(word in prepared.data for word in (b"home", b"secret", b"Exif", b"http"))


def test_words_in_a_png_are_left_out() -> None:
    """Text chunks are metadata too."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "a person")
    prepared = images.prepare(saved(halves(), "PNG", pnginfo=info))
    assert prepared.mime_type == "image/png"
    assert b"a person" not in prepared.data


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_kept(mode: str) -> None:
    """As PNG, whatever way it was stored."""
    picture = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (10, 0, 20, 20))
    data = saved(picture.quantize(), "PNG") if mode == "P" else saved(picture.convert(mode), "PNG")
    prepared = images.prepare(data)
    assert prepared.mime_type == "image/png"
    corner: Any = opened(prepared.data).getpixel((2, 2))
    assert corner[3] == 0


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "I;16", "F", "YCbCr", "LAB"])
def test_other_ways_of_colour_are_read(mode: str) -> None:
    """Print colours, grey, black and white, 16 bits, measurements."""
    if mode in ("I;16", "F"):
        ramp = np.linspace(0, 65_535, 64, dtype=np.uint16 if mode == "I;16" else np.float32)
        picture = Image.fromarray(np.tile(ramp, (16, 1)))
    elif mode == "LAB":
        picture = Image.new("LAB", (64, 16), (200, 128, 128))
    else:
        picture = Image.new("RGB", (64, 16), "white").convert(mode)
    made = opened(images.prepare(saved(picture, "TIFF")).data).convert("L")
    brightest: Any = made.getpixel((63, 8))
    assert brightest > 180
    assert mode not in ("I;16", "F") or made.getpixel((0, 8)) == 0


def test_of_an_animation_the_first_picture() -> None:
    """One picture, not many."""
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    for kind in ("GIF", "WEBP", "PNG"):
        prepared = images.prepare(saved(first, kind, save_all=True, append_images=[second]))
        assert is_near(opened(prepared.data).convert("RGB").getpixel((10, 10)), (255, 0, 0))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.sampled_from(["RGB", "RGBA", "L"]),
    st.integers(16, 300),
    st.integers(3_000, 60_000),
)
def test_a_prepared_picture_fits(width: int, height: int, mode: str, max_side: int, max_bytes: int) -> None:
    """Whatever its size and shape, both limits hold, and its shape stays."""
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 4), np.uint8)
    prepared = images.prepare(
        saved(Image.fromarray(noise).convert(mode), "PNG"), max_side=max_side, max_bytes=max_bytes
    )
    assert len(prepared.data) <= max_bytes
    assert max(prepared.width, prepared.height) <= min(max_side, max(width, height))
    assert opened(prepared.data).size == (prepared.width, prepared.height)
    assert (prepared.original_width, prepared.original_height) == (width, height)


def test_formats_are_chosen_among_those_allowed() -> None:
    """A model that takes one format gets that."""
    data = saved(Image.new("RGBA", (30, 30), (0, 0, 0, 0)), "PNG")
    for mime_type in ("image/jpeg", "image/png", "image/webp"):
        assert images.prepare(data, formats=(mime_type,)).mime_type == mime_type
    with pytest.raises(ValueError, match="formats"):
        images.prepare(data, formats=("image/gif",))


def test_a_transparent_picture_on_jpeg_stands_on_white() -> None:
    """Not on black, where dark letters would vanish."""
    prepared = images.prepare(saved(Image.new("RGBA", (30, 30), (0, 0, 0, 0)), "PNG"), formats=("image/jpeg",))
    assert is_near(opened(prepared.data).getpixel((5, 5)), (255, 255, 255))


def _jpeg_that_claims(width: int, height: int) -> bytes:
    data = bytearray(saved(Image.new("RGB", (16, 16)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"no picture", "no picture that I can decode"),
        (making.picture()[:100], "damaged"),
        (saved(halves((600, 400)), "JPEG")[:900], "damaged"),
        (saved(halves((600, 400)), "WEBP")[:200], "damaged|no picture"),
        (saved(halves((64, 64)), "HEIF")[:400], "damaged|no picture"),
        (making.bomb_picture(), "more points than I can take in"),
        (_jpeg_that_claims(11_000, 10_000), "11000 × 10000 points"),
        (_jpeg_that_claims(65_000, 65_000), "more points"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "no picture that I can decode"),
    ],
    ids=[
        "empty",
        "text",
        "png cut",
        "jpeg cut",
        "webp cut",
        "heif cut",
        "bomb",
        "110 MP",
        "4 GP",
        "program",
    ],
)
def test_bad_pictures_are_refused(data: bytes, words: str) -> None:
    """Each with a text that says why; no warning leaks, since warnings are errors here."""
    with pytest.raises(UnreadableError, match=words):
        images.prepare(data)


def test_only_a_jpeg_may_be_larger_than_memory_allows() -> None:
    """All other kinds are decoded whole before they are made smaller."""
    png = saved(Image.new("1", (7_100, 7_100)), "PNG")
    with pytest.raises(UnreadableError, match="7100 × 7100 points"):
        images.prepare(png)
    assert images.prepare(_jpeg_that_claims(7_100, 7_100)).original_width == 7_100


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I", "I;16", "F"])
def test_a_large_picture_of_any_mode_is_made_smaller(mode: str) -> None:
    """Colours stay: names of colours are not mixed, and measured values not exceeded."""
    drawn = Image.new("L", (300, 150), 0)
    drawn.paste(255, (150, 0, 300, 150))
    picture = drawn.convert("I").point(lambda value: value * 256).convert(mode) if "I" in mode else drawn.convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG" if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF")
    prepared = images.prepare(buffer.getvalue(), max_side=100)
    small = opened(prepared.data).convert("L")
    assert (small.size, prepared.original_width) == ((100, 50), 300)
    dark, bright = small.getpixel((20, 25)), small.getpixel((80, 25))
    assert isinstance(dark, int | float)
    assert isinstance(bright, int | float)
    assert dark <= 8
    assert bright >= 247


def test_a_picture_just_within_the_limit_is_taken() -> None:
    """Pillow would warn of it; it is taken in silence, decoded at a part of its size."""
    prepared = images.prepare(_jpeg_that_claims(9_900, 9_900))
    assert (prepared.original_width, prepared.width) == (9_900, 2_048)


def test_warnings_come_back() -> None:
    """Threads that overlap leave the filters as they were."""
    before = list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with quiet():
            inside.set()
            leave.wait(5)
            warnings.warn("unheard", stacklevel=1)

    thread = threading.Thread(target=work)
    with quiet():
        thread.start()
        inside.wait(5)
    warnings.warn("unheard while the other thread is inside", stacklevel=1)
    leave.set()
    thread.join()
    assert list(warnings.filters) == before


def brightness(data: bytes) -> int:
    """Of the middle of a picture."""
    picture = opened(data).convert("L")
    found: Any = picture.getpixel((picture.width * 3 // 4, picture.height // 2))
    return int(found)


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx"), ("avi", "mjpeg"), ("matroska", "mpeg4")]
)
def test_frames_are_spread_over_a_video(container: str, codec: str) -> None:
    """Also between key frames, each brighter than the one before."""
    shown = [brightness(frame) for frame in video.frames(film(container=container, codec=codec))]
    assert shown == pytest.approx([32, 96, 160, 224], abs=25)


def test_frames_are_within_the_limit() -> None:
    """The longer side is no longer than asked for, and a small video is not blown up."""
    assert opened(video.frames(film(1.0), 1, max_side=48)[0]).size == (48, 32)
    assert opened(video.frames(film(1.0), 1)[0]).size == (96, 64)


def test_frames_are_upright() -> None:
    """A film of a phone held upright says so in a matrix: here a quarter turn clockwise, so the left edge comes to the top."""
    data = bytearray(film(1.0))
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = b"".join(
        value.to_bytes(4, "big", signed=True) for value in (0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30)
    )
    picture = opened(video.frames(bytes(data), 1)[0])
    assert picture.size == (64, 96)
    assert is_near(picture.getpixel((32, 8)), (255, 0, 0), 40)


def test_a_still_video_gives_one_frame() -> None:
    """Equal pictures are not sent twice."""
    assert len(video.frames(film(0.1))) == 1


def test_a_truncated_video_gives_what_is_there() -> None:
    """Half of a film in a container that can be read from the start."""
    data = film(container="matroska", gop=5)
    assert video.frames(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"no video", "no video that I can decode"),
        (film()[:200], "no video"),
        (making.voice_note(), "no moving picture"),
    ],
    ids=["empty", "text", "cut", "sound"],
)
def test_what_is_no_video_is_refused(data: bytes, words: str) -> None:
    """With a text that says so."""
    with pytest.raises(UnreadableError, match=words):
        video.frames(data)
