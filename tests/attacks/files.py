"""Weapons against the readers of files: bombs, claims, and documents that take a minute."""

from __future__ import annotations

import io
import random
import struct
import time
import zipfile

from tests import making
from tests.attacks.field import CALM_S, Field
from tests.attacks.table import weapon

DOCX = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
)
TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def padded_docx(paragraphs: int) -> bytes:
    """Empty paragraphs that pack to nothing, beside as much random padding as hides the ratio."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("word/document.xml", DOCX + "<w:p/>" * paragraphs + "</w:body></w:document>")
        archive.writestr("word/media/image1.png", random.Random(1).randbytes(420_000))
    return buffer.getvalue()


def crowded_zip(entries: int) -> bytes:
    """A directory of so many empty members."""
    record = b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = record * entries
    few = min(entries, 0xFFFF)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, few, few, len(directory), 0, 0)
    return directory + end


@weapon("held", fast=False)
async def send_bombs(field: Field) -> None:
    """A picture of a billion points, an archive of 400 MB, a playlist, and entities that double."""
    ann, before = await field.browser(), field.parley.rss_mb()
    laughs = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><svg>&b;</svg>'
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    files = (
        ("bomb.png", making.bomb_picture(), "image/png"),
        ("bomb.zip", making.bomb_archive(), "application/zip"),
        ("list.m3u8", playlist, "application/vnd.apple.mpegurl"),
        ("l.svg", laughs, "image/svg+xml"),
    )
    await ann.post("look", *files)
    await field.settled(ann)
    assert "root:" not in field.model.told() and "lollol" not in field.model.told()
    assert field.parley.rss_mb() - before < 200


@weapon("M9")
async def crowd_an_archive(field: Field) -> None:
    """A zip file with 200,000 members, in the process that holds the tokens."""
    ann = await field.browser()
    await ann.post("unpack", ("one.zip", crowded_zip(1), "application/zip"))  # what is imported at the first stays
    await field.settled(ann)
    before = field.parley.rss_mb()
    await ann.post("unpack", ("crowd.zip", crowded_zip(200_000), "application/zip"))
    await field.settled(ann)
    assert field.parley.rss_mb() - before < 200


@weapon("M9", fast=False)
async def crowd_an_archive_with_a_million(field: Field) -> None:
    """A zip file with a million members, 48 MB."""
    ann, before = await field.browser(), field.parley.rss_mb()
    async with field.watched(CALM_S):
        await ann.post("unpack", ("crowd.zip", crowded_zip(1_000_000), "application/zip"))
        await field.settled(ann)
    assert field.parley.rss_mb() - before < 250


@weapon("H8", fast=False)
async def keep_the_readers_busy(field: Field) -> None:
    """Ten documents of four million paragraphs by one person, while a colleague sends 17 bytes of text."""
    slack = field.slack
    document = padded_docx(4_000_000)
    for number in range(10):
        slack.post("mallory", slack.dm("mallory"), "read", files=[(f"{number}.docx", document)])
    began = time.perf_counter()
    await field.mention("read this", "grace", files=[("note.txt", b"seventeen letters", "text/plain")])
    assert time.perf_counter() - began < 40, time.perf_counter() - began
