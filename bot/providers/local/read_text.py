"""Reads what is written in a picture, by PP-OCR on ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.errors import UnreadableError
from bot.providers.local.worker import Worker

RESIDENT = "read text"
"""By this name the worker can drop it: it is the hungriest of the local models while it works, about 0.5 GB."""
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Line:
    """A piece of text and its place, in pixels."""

    text: str
    left: float
    top: float
    bottom: float


class LocalTextReader:
    """PP-OCRv6, whose weights come with the package."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def read(self, data: bytes) -> str:
        """The lines, top to bottom and left to right. Raises UnreadableError for what is no picture."""
        return in_reading_order(await self._worker.run(lambda: self._read(data)))

    def _read(self, data: bytes) -> list[Line]:
        import io

        import numpy as np
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(data)) as picture:
                pixels = np.asarray(picture.convert("RGB"))[:, :, ::-1]
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise UnreadableError("This is no picture that can be opened.") from error
        found = self._worker.resident(RESIDENT, _load)(pixels)
        if found.txts is None:
            return []
        boxes = zip(found.txts, found.boxes, found.scores, strict=True)
        return [_line(text, box) for text, box, score in boxes if score >= MIN_CONFIDENCE]


def _load() -> Any:
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error"})


def _line(text: str, box: Any) -> Line:
    return Line(text, float(box[:, 0].min()), float(box[:, 1].min()), float(box[:, 1].max()))


def in_reading_order(lines: Sequence[Line]) -> str:
    """The text in rows: pieces side by side are joined by a space. A piece is in a row if its middle lies within it."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.top + line.bottom) / 2):
        middle = (line.top + line.bottom) / 2
        if rows and rows[-1][0].top <= middle <= rows[-1][0].bottom:
            rows[-1].append(line)
        else:
            rows.append([line])
    return "\n".join(" ".join(piece.text for piece in sorted(row, key=lambda piece: piece.left)) for row in rows)
