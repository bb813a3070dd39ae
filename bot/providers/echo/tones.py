"""Text as tones and back: what echo speaks can be heard again word for word, through Opus and another sample rate.

Each half byte is one of sixteen tones for 40 ms, which says as many letters a second as a person does. A frame is two bytes of
mark, two of length, two of checksum, then the UTF-8 text.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

HEARD_HZ = 16_000
SYMBOL_S = 0.04
TONES_HZ = 500 + 150 * np.arange(16)
HOP, WINDOW = HEARD_HZ // 200, HEARD_HZ // 50
HOPS_PER_SYMBOL = round(SYMBOL_S * HEARD_HZ / HOP)
MARK = b"\x3c\xa5"
PEAK = 8_000


def spoken(text: str, rate_hz: int) -> Samples:
    """The text as tones, with 60 ms of silence on both sides."""
    words = text.encode()[:65_535]
    frame = MARK + len(words).to_bytes(2, "big") + binascii.crc_hqx(words, 0).to_bytes(2, "big") + words
    halves = np.array([half for byte in frame for half in (byte >> 4, byte & 15)])
    time_s = np.arange(round(SYMBOL_S * rate_hz)) / rate_hz
    waves = np.sin(2 * np.pi * TONES_HZ[halves][:, None] * time_s[None, :])
    edge = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.003)
    return np.pad(np.round(PEAK * waves * edge).astype(np.int16).ravel(), round(0.06 * rate_hz))


def heard(samples: Samples) -> list[str]:
    """The texts that were spoken in 16 kHz samples, in order; none when this is anybody else's voice."""
    symbols = _symbols(samples)
    texts: list[str] = []
    position = 0
    for start in _marks(symbols):
        if start >= position and (found := _frame(symbols[start::HOPS_PER_SYMBOL])) is not None:
            texts.append(found)
            position = start + (6 + len(found.encode())) * 2 * HOPS_PER_SYMBOL - HOPS_PER_SYMBOL
    return texts


def _symbols(samples: Samples) -> npt.NDArray[np.intp]:
    """The loudest of the sixteen tones in a window of 20 ms at every 5 ms."""
    count = max(0, (len(samples) - WINDOW) // HOP + 1)
    if count == 0:
        return np.zeros(0, dtype=np.intp)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP].astype(np.float32)
    time_s = np.arange(WINDOW) / HEARD_HZ
    waves = np.exp(-2j * np.pi * TONES_HZ[None, :] * time_s[:, None]) * np.hanning(WINDOW)[:, None]
    return np.asarray(np.abs(windows @ waves.astype(np.complex64)).argmax(axis=1))


def _marks(symbols: npt.NDArray[np.intp]) -> Iterator[int]:
    """Where a frame may begin, in hops."""
    halves = [half for byte in MARK for half in (byte >> 4, byte & 15)]
    count = len(symbols) - (len(halves) - 1) * HOPS_PER_SYMBOL
    if count <= 0:
        return
    agree = np.ones(count, dtype=bool)
    for position, half in enumerate(halves):
        agree &= symbols[position * HOPS_PER_SYMBOL :][:count] == half
    yield from (int(found) for found in np.flatnonzero(agree))


def _frame(halves: npt.NDArray[np.intp]) -> str | None:
    """The text of the frame that begins here, if its checksum agrees."""
    pairs = halves[: len(halves) // 2 * 2].reshape(-1, 2)
    data = bytes((pairs[:, 0] * 16 + pairs[:, 1]).tolist())
    words = data[6 : 6 + int.from_bytes(data[2:4], "big")]
    if len(data) < 6 or binascii.crc_hqx(words, 0) != int.from_bytes(data[4:6], "big"):
        return None
    return words.decode(errors="replace")
