"""How much goes on at once, for one person, for one address and in all: live streams, and files under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

UPLOADS_BUSY = "Too many files are being sent at once. Please send yours again in a few seconds.\n"


class Slots:
    """Places, so many for a person, for a network and in all."""

    def __init__(self, refusal: str, *, for_person: int, for_network: int, in_all: int) -> None:
        """refusal: what a person is told who finds none free."""
        self._refusal = refusal
        self._for_person, self._for_network, self._in_all = for_person, for_network, in_all
        self._people: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()

    @contextmanager
    def taken(self, person: str, network: str) -> Iterator[None]:
        """Hold a place while the context is open. Raises HTTPTooManyRequests when none is free."""
        if (
            self._people[person] >= self._for_person
            or self._networks[network] >= self._for_network
            or self._people.total() >= self._in_all
        ):
            raise web.HTTPTooManyRequests(text=self._refusal, headers={"Retry-After": "10"})
        self._people[person] += 1
        self._networks[network] += 1
        try:
            yield
        finally:
            for counter, key in ((self._people, person), (self._networks, network)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]


class UploadRoom:
    """Bytes of uploads under way, which wait in files until they are whole."""

    def __init__(self, *, for_person: int, in_all: int) -> None:
        """for_person, in_all: bytes at once."""
        self._for_person, self._in_all = for_person, in_all
        self._people: Counter[str] = Counter()

    @contextmanager
    def entered(self, person: str) -> Iterator[Callable[[int], None]]:
        """Give what is called with the number of bytes that came; they count until the context closes.

        It raises HTTPServiceUnavailable when too much is being sent.
        """
        came = 0

        def add(count: int) -> None:
            nonlocal came
            came += count
            self._people[person] += count
            if self._people[person] > self._for_person or self._people.total() > self._in_all:
                raise web.HTTPServiceUnavailable(text=UPLOADS_BUSY, headers={"Retry-After": "10"})

        try:
            yield add
        finally:
            self._people[person] -= came
            if not self._people[person]:
                del self._people[person]
