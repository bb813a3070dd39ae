"""Files made in code, so that no binary lies in the tree."""

from __future__ import annotations

import io
import wave
import zipfile

import av
import numpy as np
from PIL import Image, ImageDraw

from bot.media import audio
from bot.providers.echo import tones


def voice_note(text: str = "good morning") -> bytes:
    """An Ogg voice note in which echo's transcriber hears that text."""
    return audio.encode_voice(tones.spoken(text, 24_000), 24_000).data


def silence(seconds: float = 2.0) -> bytes:
    """An Ogg file in which nothing is said."""
    return audio.encode_voice(np.zeros(int(16_000 * seconds), np.int16), 16_000).data


def picture(text: str = "", size: tuple[int, int] = (320, 200), format: str = "PNG") -> bytes:
    """A picture with that text in it."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((10, 10), text, fill="black", font_size=24)
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def turned_picture() -> bytes:
    """A JPEG that lies on its side, with a place in its metadata."""
    image = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "taken at home"
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def bomb_picture() -> bytes:
    """A small PNG file that says it has a billion points."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def wav_claiming(rate_hz: int, size: int = 100_000) -> bytes:
    """A WAV file of 8 bits, mono and silent, of so many samples a second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate_hz)
        file.writeframes(bytes([128]) * size)
    return buffer.getvalue()


def bomb_archive() -> bytes:
    """A small zip file that unpacks to hundreds of megabytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.txt", b"\0" * 100_000_000)
    return buffer.getvalue()


def pdf(text: str = "The treasure is under the oak.", password: str = "") -> bytes:
    """A PDF of one page."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    page = writer.add_blank_page(300, 200)
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 14 Tf 20 100 Td ({text}) Tj ET".encode())
    page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def endless_pdf() -> bytes:
    """A small PDF of one page that takes a minute: it writes nothing, ten million times."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import DecodedStreamObject, NameObject

    writer = PdfWriter(PdfReader(io.BytesIO(pdf())))
    stream = DecodedStreamObject()
    stream.set_data(b"BT /F1 14 Tf " + b"() Tj " * 10_000_000)
    writer.pages[0][NameObject("/Contents")] = writer._add_object(stream.flate_encode())
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def word(text: str = "Dear Sir") -> bytes:
    """A Word document with a heading, a paragraph and a table."""
    import docx

    document = docx.Document()
    document.add_heading("Letter", 1)
    document.add_paragraph(text)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "a", "b"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def sheet() -> bytes:
    """A spreadsheet with a sum in it."""
    import openpyxl

    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["item", "price"])
    book.active.append(["tea", 3.5])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def video(text: str = "hello from the film", seconds: float = 2.0) -> bytes:
    """An MP4 with moving pictures and a voice that echo's transcriber hears."""
    buffer = io.BytesIO()
    pcm = audio.resample(tones.spoken(text, 24_000), 24_000, 48_000)
    with av.open(buffer, "w", format="mp4") as output:
        pictures = output.add_stream("mpeg4", rate=5)
        pictures.width, pictures.height = 64, 48
        sound = output.add_stream("aac", rate=48_000, layout="mono")
        for number in range(int(seconds * 5)):
            array = np.full((48, 64, 3), (number * 20) % 255, np.uint8)
            output.mux(pictures.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        output.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 48_000
        for made in av.AudioResampler(format="fltp", layout="mono", rate=48_000, frame_size=1024).resample(frame):
            output.mux(sound.encode(made))
        output.mux(sound.encode(None))
    return buffer.getvalue()


def scanned_pdf(words: str) -> bytes:
    """A PDF of one page that is a picture with these words in it, which echo's text reader can read."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture(words))) as opened:
        opened.convert("RGB").save(buffer, "PDF")
    return buffer.getvalue()
