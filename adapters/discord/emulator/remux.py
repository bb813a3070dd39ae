"""Owns turning what browsers record, Opus in WebM, into what Discord's clients send: the same Opus packets in Ogg."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SEGMENT, CLUSTER, TRACKS, TRACK, GROUP = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xA0
CODEC_PRIVATE, SIMPLE_BLOCK, BLOCK = 0x63A2, 0xA3, 0xA1
PARENTS = (SEGMENT, CLUSTER, TRACKS, TRACK, GROUP)
"""Element ids. Source: Matroska, RFC 9559."""


def is_webm(data: bytes) -> bool:
    """Whether the bytes begin as EBML."""
    return data[:4] == b"\x1a\x45\xdf\xa3"


def to_ogg(webm: bytes) -> bytes:
    """The Opus packets of a WebM recording as Ogg Opus; raises ValueError where there are none."""
    elements = list(_elements(webm, 0, len(webm)))
    head = next((data for name, data in elements if name == CODEC_PRIVATE and data[:8] == b"OpusHead"), None)
    packets = [data[_number_length(data[0]) + 3 :] for name, data in elements if name in (SIMPLE_BLOCK, BLOCK)]
    if head is None or not packets:
        raise ValueError("the recording holds no Opus")
    tags = b"OpusTags" + struct.pack("<I", 8) + b"emulator" + struct.pack("<I", 0)
    pages = [_page(head, 0, 0, first=True), _page(tags, 1, 0)]
    position = 0
    for index, packet in enumerate(packets):
        position += _samples(packet)
        pages.append(_page(packet, index + 2, position, last=index == len(packets) - 1))
    return b"".join(pages)


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Every element with its content; parents are gone through. An unknown size reaches to the parent's end."""
    while start < end:
        length = _number_length(data[start])
        name = int.from_bytes(data[start : start + length], "big")
        start += length
        length = _number_length(data[start])
        size = int.from_bytes(data[start : start + length], "big") & ((1 << 7 * length) - 1)
        start += length
        stop = end if size == (1 << 7 * length) - 1 else min(end, start + size)
        if name in PARENTS:
            yield from _elements(data, start, stop)
        else:
            yield name, data[start:stop]
        start = stop


def _number_length(first: int) -> int:
    """How many bytes an EBML number has, by its first."""
    return 9 - first.bit_length()


def _samples(packet: bytes) -> int:
    """How long a packet plays, in samples of 48 kHz. Source: RFC 6716, section 3.1."""
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        frame = (480, 960)[config & 1]
    else:
        frame = (120, 240, 480, 960)[config & 3]
    return frame * ((1, 2, 2)[code] if code < 3 else packet[1] & 63)


def _page(packet: bytes, number: int, position: int, *, first: bool = False, last: bool = False) -> bytes:
    """One Ogg page with one packet. Source: RFC 3533."""
    lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    flags = (2 if first else 0) | (4 if last else 0)
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, position, 1, number, 0, len(lacing))
    page = head + lacing + packet
    return page[:22] + struct.pack("<I", _checksum(page)) + page[26:]


def _table() -> list[int]:
    table = []
    for value in range(256):
        register = value << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        table.append(register & 0xFFFFFFFF)
    return table


TABLE = _table()


def _checksum(page: bytes) -> int:
    """Ogg's CRC: polynomial 0x04c11db7, nothing reflected, nothing inverted."""
    register = 0
    for byte in page:
        register = (register << 8 & 0xFFFFFFFF) ^ TABLE[register >> 24 ^ byte]
    return register
