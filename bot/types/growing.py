"""A text that comes in pieces, kept in time that grows with its length alone."""

from __future__ import annotations


class GrowingText:
    """The sum of many pieces. Adding a piece never copies the text so far: a million of them would copy it a million times."""

    __slots__ = ("_length", "_pieces")

    def __init__(self, text: str = "") -> None:
        self._pieces = [text] if text else []
        self._length = len(text)

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        return self.text

    def add(self, piece: str) -> None:
        """Go on with this piece."""
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)

    @property
    def text(self) -> str:
        """The whole. It is joined when it is asked for, so ask for it at a pace, not with each piece."""
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def clear(self) -> None:
        """Begin anew."""
        self._pieces.clear()
        self._length = 0
