"""Checks what people type as the page's password: one guess at a time, in turn between callers, so that guessing slows only itself.

Nobody is ever barred, for behind a proxy an attacker and everybody else come from one address. A right password waits for at most
one guess of each other caller, and for those that came before it from its own.
"""

from __future__ import annotations

import asyncio
import collections
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass, field

from cachetools import LRUCache

from adapters.shared.tasks import TaskSet
from bot.ports import Clock

log = logging.getLogger(__name__)

PAUSE_S = 0.5
"""A wrong password is answered after this long; only whoever typed it waits."""
MAX_WAITING = 1_000
"""Guesses that wait at once; more than the web server holds connections for one address."""
MAX_LENGTH = 1_000
"""Characters of a password; a longer one is wrong."""
MAX_REMEMBERED = 1_000
"""Wrong passwords that are known again, so that a program which repeats itself costs nothing."""
WORK_FACTOR = 2**13
"""Of scrypt: 8 MB of memory and some 25 ms of a processor for each guess."""


class TooManyGuesses(Exception):
    """So many passwords are being tried that this one cannot wait for its turn."""


@dataclass(eq=False)
class _Guess:
    password: str
    outcome: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Passwords:
    """Knows the right password, as a hash."""

    def __init__(
        self, password: str, clock: Clock, *, pause_s: float = PAUSE_S, max_waiting: int = MAX_WAITING
    ) -> None:
        """pause_s: before a wrong password is answered. max_waiting: guesses that wait at once."""
        self._clock, self._pause_s, self._max_waiting = clock, pause_s, max_waiting
        self._salt, self._key = secrets.token_bytes(16), secrets.token_bytes(16)
        self._password, self._right = password, b""
        self._callers: dict[str, collections.deque[_Guess]] = {}
        self._wrong: LRUCache[bytes, bool] = LRUCache(MAX_REMEMBERED)
        self._is_checking = False
        self._work = TaskSet(log, "the page's password")

    async def is_right(self, given: str, caller: str) -> bool:
        """Return whether this is the password; for a wrong one, after a pause. Raises TooManyGuesses.

        caller: what counts as one caller: a network, or a browser that has been let in before.
        """
        guess = _Guess(given)
        self._make_room(caller)
        self._callers.setdefault(caller, collections.deque()).append(guess)
        if not self._is_checking:
            self._is_checking = True
            self._work.spawn(self._check_in_turn())
        try:
            is_right = await guess.outcome
        finally:
            self._drop(caller, guess)
        if not is_right:
            await self._clock.sleep(self._pause_s)
        return is_right

    async def close(self) -> None:
        """Let nobody in any more."""
        await self._work.close()

    def _make_room(self, caller: str) -> None:
        """Refuse the newest guess of whoever has most of them waiting, when too many wait."""
        if sum(map(len, self._callers.values())) < self._max_waiting:
            return
        greediest = max(self._callers, key=lambda one: len(self._callers[one]))
        if greediest == caller:
            raise TooManyGuesses
        refused = self._callers[greediest].pop()
        if not refused.outcome.done():
            refused.outcome.set_exception(TooManyGuesses())

    def _drop(self, caller: str, guess: _Guess) -> None:
        waiting = self._callers.get(caller)
        if waiting is not None:
            if guess in waiting:
                waiting.remove(guess)
            if not waiting:
                del self._callers[caller]

    async def _check_in_turn(self) -> None:
        """Check one guess of each caller, round after round, until none waits."""
        try:
            while self._callers:
                for caller in tuple(self._callers):
                    if waiting := self._callers.get(caller):
                        await self._check(waiting.popleft())
                    if not self._callers.get(caller):
                        self._callers.pop(caller, None)
        finally:
            self._is_checking = False

    async def _check(self, guess: _Guess) -> None:
        if guess.outcome.done():
            return
        name = hmac.digest(self._key, guess.password.encode(errors="replace"), "sha256")
        try:
            is_right = name not in self._wrong and await asyncio.to_thread(self._matches, guess.password)
        except Exception as error:  # such as no memory for the hash; whoever waits has to hear
            if not guess.outcome.done():
                guess.outcome.set_exception(error)
            return
        if not is_right:
            self._wrong[name] = True
        if not guess.outcome.done():
            guess.outcome.set_result(is_right)

    def _matches(self, given: str) -> bool:
        self._right = self._right or self._hashed(self._password)
        return hmac.compare_digest(self._hashed(given), self._right) and len(given) <= MAX_LENGTH

    def _hashed(self, password: str) -> bytes:
        given = password[: MAX_LENGTH + 1].encode(errors="replace")
        return hashlib.scrypt(given, salt=self._salt, n=WORK_FACTOR, r=8, p=1, maxmem=64 * 2**20)
