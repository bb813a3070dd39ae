"""Owns how ids and timestamps are made: the same in every run, and shaped as Slack's."""

import hashlib

from .clock import Clock

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Ids:
    """Mints ids by prefix (`U`, `C`, `F`, ...) and message timestamps that never repeat."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._last_us = 0

    def new(self, prefix: str) -> str:
        """The next id with this prefix, for example `U0A1B2C3D4E`."""
        self._counts[prefix] = count = self._counts.get(prefix, 0) + 1
        return f"{prefix}0{self.token(f'{prefix}{count}', 9)}"

    @staticmethod
    def token(seed: str, length: int) -> str:
        """`length` letters and digits that depend on the seed alone."""
        number = int(hashlib.sha256(seed.encode()).hexdigest(), 16)
        letters = []
        for _ in range(length):
            number, rest = divmod(number, 36)
            letters.append(DIGITS[rest])
        return "".join(letters)

    def secret(self, prefix: str, length: int = 24) -> str:
        """The next token with this prefix, for example `xoxb-...`."""
        self._counts[prefix] = count = self._counts.get(prefix, 0) + 1
        return prefix + self.token(f"secret {prefix}{count}", length)

    def ts(self) -> str:
        """A message timestamp: the clock's time, later than every earlier one."""
        self._last_us = max(int(self._clock.now() * 1_000_000), self._last_us + 1)
        seconds, micros = divmod(self._last_us, 1_000_000)
        return f"{seconds}.{micros:06d}"
