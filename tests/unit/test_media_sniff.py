"""What bytes really are, whatever they are called."""

from __future__ import annotations

import io
import struct
import tarfile
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.errors import UnreadableError
from bot.media import documents
from bot.media.apart import Readers
from bot.media.sniff import sniff
from tests import making
from tests.unit.media_support import KINDS, encoded, film, saved, tone


def sound(kind: str) -> bytes:
    """Half a second of it."""
    return encoded(tone(0.5), *KINDS[kind])


@pytest.mark.parametrize("kind", ["ogg", "m4a", "webm", "mp3", "flac", "wav", "amr", "aac"])
@pytest.mark.parametrize(("name", "claimed"), [("", ""), ("clip.mp4", "video/mp4"), ("holiday.png", "image/png")])
def test_sound_is_sound(kind: str, name: str, claimed: str) -> None:
    """Also in a container of videos, and when it is called a video or a picture."""
    found = sniff(sound(kind), name, claimed)
    assert (found.kind, found.extension) == ("audio", kind)
    assert found.mime_type.startswith("audio/")


def test_a_recorder_with_sound_alone_is_sound() -> None:
    """An MP4 file of the plain brand, as voice clips come."""
    data = sound("m4a").replace(b"ftypM4A ", b"ftypisom").replace(b"ftypisom", b"ftypmp42")
    assert sniff(data, "audio_message.mp4", "video/mp4") == sniff(sound("m4a"))


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx"), ("avi", "mjpeg"), ("matroska", "mpeg4")]
)
def test_moving_pictures_are_video(container: str, codec: str) -> None:
    """Whatever they are called."""
    found = sniff(film(0.3, container=container, codec=codec), "song.mp3", "audio/mpeg")
    assert found.kind == "video"
    assert found.mime_type.startswith("video/")


def test_broken_containers_are_judged_by_the_claim() -> None:
    """Nothing inside can be read, so the sender's word counts."""
    data = film(0.3)[:100]
    assert sniff(data, "clip.mp4", "audio/mp4").kind == "audio"
    assert sniff(data, "clip.mp4", "video/mp4").kind == "video"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "AVIF"])
def test_pictures_are_pictures(kind: str) -> None:
    """Also when they are called text."""
    found = sniff(saved(Image.new("RGB", (16, 16)), kind), "notes.txt", "text/plain")
    assert (found.kind, found.mime_type.partition("/")[0]) == ("image", "image")


def test_documents_are_told_from_archives() -> None:
    """By what is inside."""
    assert sniff(making.word(), "a.zip", "application/zip").extension == "docx"
    assert sniff(making.sheet()).extension == "xlsx"
    assert sniff(making.pdf(), "a.png") == sniff(b"\n%PDF-1.7")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    assert sniff(buffer.getvalue(), "a.docx").kind == "archive"
    with tarfile.open(fileobj=(tar := io.BytesIO()), mode="w") as other:
        other.addfile(tarfile.TarInfo("a"))
    assert sniff(tar.getvalue()).kind == "archive"
    assert sniff(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old.doc").kind == "document"


@pytest.mark.parametrize(
    ("data", "name", "claimed", "extension", "mime_type"),
    [
        (b"<!DOCTYPE html><html>Sign in", "voice.m4a", "audio/mp4", "html", "text/html"),
        (b"\xef\xbb\xbf \n<HTML><body>Sign in", "a.png", "image/png", "html", "text/html"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html><html>', "a", "", "html", "text/html"),
        (b"print('hi')\n", "a.py", "text/x-python", "py", "text/x-python"),
        (b"a,b\n1,2\n", "a.csv", "", "csv", "text/csv"),
        (b"a,b\n1,2\n", "", "text/csv; charset=utf-8", "csv", "text/csv"),
        (b'{"a": 1}', "a.json", "", "json", "application/json"),
        (b"only words", "song.mp3", "audio/mpeg", "txt", "text/plain"),
        ("Grüße".encode("cp1252"), "a.txt", "", "txt", "text/plain"),
        ("Grüße aus Köln".encode("utf-16"), "a.txt", "", "txt", "text/plain"),
        ("Grüße aus Köln".encode("utf-16-le"), "a.txt", "", "txt", "text/plain"),
        ("日本語のテキスト".encode("shift_jis"), "a.txt", "", "txt", "text/plain"),
    ],
)
def test_text_is_text(data: bytes, name: str, claimed: str, extension: str, mime_type: str) -> None:
    """A login page instead of a recording, source, tables, other encodings."""
    found = sniff(data, name, claimed)
    assert (found.kind, found.extension, found.mime_type) == ("text", extension, mime_type)


def test_what_is_unknown_is_said() -> None:
    """No bytes, and bytes of nothing known."""
    assert sniff(b"", "a.png", "image/png").kind == "unknown"
    assert sniff(bytes(range(200)) * 10, "a.bin").kind == "unknown"
    assert sniff(b"\x7fELF\x02\x01\x01" + bytes(400), "a.txt", "text/plain").kind == "unknown"


@given(st.binary(max_size=300), st.text(max_size=20), st.sampled_from(["", "image/png", "audio/mp4", "nonsense"]))
def test_nothing_breaks_it(data: bytes, name: str, claimed: str) -> None:
    """Any bytes under any name get a kind."""
    for start in (b"", b"PK\x03\x04", b"%PDF-", b"OggS", b"RIFF\x10\0\0\0WAVE", b"\0\0\0\x18ftypmp42", b"ID3"):
        found = sniff(start + data, name, claimed)
        assert found.mime_type
        assert found.extension == found.extension.lower() or found.extension == "Z"


def endless_directory(count: int = 1_000_000) -> bytes:
    """A zip archive with so many empty members."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0)
    local = b"PK\x03\x04" + bytes(22) + struct.pack("<HH", 1, 0) + b"a"
    directory = (entry + b"a") * count
    wide = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(directory), len(local))
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(local) + len(directory), 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return local + directory + wide + locator + end


async def test_an_endless_directory_is_not_read() -> None:
    """A million members, which take half a minute and 460 MB to list, are counted at the end of the file and refused."""
    data = endless_directory()
    readers = Readers(1, deadline_s=10, memory_bytes=700 * 2**20)
    try:
        before = await readers.run("a", time.process_time)
        assert (await readers.run("a.zip", sniff, data, "a.zip")).extension == "zip"
        with pytest.raises(UnreadableError, match="lists 1000000 files, which is more than I open"):
            await readers.run("a.zip", documents.read, data, "a.zip")
        assert await readers.run("a", time.process_time) - before < 5
    finally:
        readers.close()
