"""What Discord refused, so that it is not asked again in vain: it bars an address after 10,000 such answers in ten minutes.

People cause refusals by what they type, press and delete, in any server that they add Parley to. So a refusal is remembered by
what was asked; what Parley could also do without is asked only within a small budget, of each person and of the whole process;
and far below Discord's bar nothing is asked any more until the ten minutes are over. Source: Discord, Topics, Rate Limits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from cachetools import LRUCache, TTLCache

from adapters.shared.pacing import SlidingWindow
from bot.ports import Clock

E = TypeVar("E", bound=Exception)
PERIOD_S = 600.0
COUNTED = (401, 403, 429)
"""What Discord counts."""
REFUSED = (403, 404)
"""What will be answered the same way when asked again."""
REPEATED = {
    ("POST", "/channels/{channel_id}/messages"),
    ("POST", "/channels/{channel_id}/typing"),
    ("POST", "/channels/{channel_id}/messages/{message_id}/threads"),
    ("PATCH", "/channels/{channel_id}"),
    ("POST", "/users/@me/channels"),
}
"""The writes that another message in the same place would cause again."""
VOICE = 1 << 13
MAX_KEPT, MAX_PEOPLE = 5_000, 5_000


def key_of(method: str, path: str, place: Mapping[str, Any], body: Any = None, *, has_files: bool = False) -> str:
    """Under what a refusal of this call is remembered; empty for what is only tried once or is nothing that people cause.

    place: values for the path. A place that takes no sound or no files may take words, so these are told apart.
    """
    if not (method == "GET" and path.startswith(("/channels/", "/guilds/"))) and (method, path) not in REPEATED:
        return ""
    path = path.replace("/typing", "/messages")  # who may not write there may not type either
    said = body if isinstance(body, dict) else {}
    kind = "sound" if int(said.get("flags") or 0) & VOICE else "files" if has_files else "words"
    ids = (str(value) for name, value in place.items() if name != "params")
    return " ".join((method, path, *ids, str(said.get("recipient_id") or kind)))


@dataclass(frozen=True)
class RefusalLimits:
    """How many refused calls ten minutes may see."""

    person: int = 3
    """Of the optional ones that one person causes. More are only caused on purpose."""
    optional: int = 20
    """Of the optional ones that all people cause together."""
    at_once: int = 10
    """Optional ones under way, one of each person: only when they were answered it is known what they cost."""
    optional_stops: int = 500
    """Of all calls, before nothing optional is asked any more."""
    all_stops: int = 5_000
    """Of all calls, before nothing is asked any more: half of what Discord bars an address for."""


class Refusals(Generic[E]):
    """Remembers refusals of one process, and counts them."""

    def __init__(self, clock: Clock, limits: RefusalLimits | None = None) -> None:
        self._clock, self._limits = clock, limits or RefusalLimits()
        self._kept: TTLCache[str, E] = TTLCache(MAX_KEPT, PERIOD_S, clock.monotonic)
        self._all, self._optional = SlidingWindow(PERIOD_S), SlidingWindow(PERIOD_S)
        self._by_person: LRUCache[str, SlidingWindow] = LRUCache(MAX_PEOPLE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._at_once = asyncio.Semaphore(self._limits.at_once)

    @asynccontextmanager
    async def turn_of(self, person: str) -> AsyncIterator[None]:
        """Wait for one's turn to ask for something optional: one after the other for each person, and few at once."""
        lock = self._turns.get(person)
        if lock is None:
            lock = self._turns[person] = asyncio.Lock()
        async with lock, self._at_once:
            yield

    def remembered(self, key: str) -> E | None:
        """What Discord answered to the same within the last ten minutes, if it refused."""
        return self._kept.get(key) if key else None

    def remember(self, key: str, error: E) -> None:
        """Keep a refusal. Under an empty key nothing is kept."""
        if key:
            self._kept[key] = error

    def forget(self, key: str) -> None:
        """Forget a refusal: what it asked for is there now."""
        self._kept.pop(key, None)

    def forget_about(self, *ids: str) -> None:
        """Forget all refusals about these channels, servers and persons, because something there was changed."""
        for key in [key for key in self._kept if not set(ids).isdisjoint(key.split())]:
            self._kept.pop(key, None)

    def count(self, status: int) -> None:
        """Count an answer of Discord's."""
        if status in COUNTED:
            self._all.count(self._clock.monotonic())

    def count_optional(self, person: str) -> None:
        """Count a refusal of something that this person caused and that was optional."""
        now = self._clock.monotonic()
        self._optional.count(now)
        if person:
            self._by_person.setdefault(person, SlidingWindow(PERIOD_S)).count(now)

    def wait_s(self) -> float:
        """Seconds until anything may be asked; 0 for now."""
        return self._all.wait_s(self._clock.monotonic(), self._limits.all_stops)

    def allows_optional(self, person: str) -> bool:
        """Whether something optional may be asked for this person."""
        now, limits = self._clock.monotonic(), self._limits
        own = self._by_person.get(person) if person else None
        windows = [(self._all, limits.optional_stops), (self._optional, limits.optional)]
        windows += [(own, limits.person)] if own else []
        return not any(window.wait_s(now, limit) for window, limit in windows)
