"""Who may use the page: whoever knows its password, or, where it has none, whoever was shown the address that Parley printed.

Without a password the page is for this machine. A request that seems to come from here may still have been passed on by a proxy
that says nothing of itself, so that alone lets nobody in: the printed address holds a key, which only the terminal shows.
"""

from __future__ import annotations

import hmac

from aiohttp import web
from cachetools import TTLCache

from adapters.playground.passwords import Passwords, TooManyGuesses
from adapters.playground.sessions import Sessions
from bot.policy.callers import comes_from_this_machine, network_of
from bot.ports import Clock, PageSessions
from bot.types import Author

ELSEWHERE = (
    "Parley's page is served to browsers on its own machine only, and to none behind a proxy.\n"
    "To use it from elsewhere, set PLAYGROUND_PASSWORD and start Parley again; PLAYGROUND_OPEN=1 lets in everybody.\n"
)
BUSY = "Very many passwords are being tried just now. Please try again in a few seconds.\n"
TOO_MANY_NEW = "Very many people came from your address. Please come again in an hour.\n"
MAX_NEWCOMERS, NEWCOMERS_S, MAX_NETWORKS = 300, 3600.0, 10_000
"""People who come to an open page for the first time, from one network, within an hour or so: each is remembered for a year."""
VISITOR = web.RequestKey("visitor", str)
"""The handle of the person whose session the request came with."""


class Guard:
    """Decides which requests may use the page."""

    def __init__(self, clock: Clock, kept: PageSessions, password: str, key: str, *, is_open: bool = False) -> None:
        """key: what the printed address holds. is_open: whether everybody is let in; a password is asked for all the same."""
        self.has_password, self.is_open = bool(password), is_open and not password
        self._key = key
        self._newcomers: TTLCache[str, int] = TTLCache(MAX_NETWORKS, NEWCOMERS_S)
        self.sessions = Sessions(kept, clock, trusts_proxy=self.has_password or self.is_open)
        self.passwords = Passwords(password, clock)

    def admit(self, request: web.Request) -> None:
        """Raise HTTPForbidden when only this machine is served and the request comes from elsewhere, or may do so."""
        if self.has_password or self.is_open:
            return
        if not comes_from_this_machine(request.remote or "", request.host, request.headers):
            raise web.HTTPForbidden(text=ELSEWHERE)

    def needs_no_proof(self, request: web.Request) -> bool:
        """Return whether this browser is let in as it is: everybody is, or it opened the address that Parley printed.

        Raises HTTPTooManyRequests when very many came from where it is, for each is remembered.
        """
        given = request.query.get("key", "").encode(errors="replace")
        if self.is_open:
            self._count_newcomer(network_of(request.remote or ""))
        return self.is_open or (
            bool(self._key) and not self.has_password and hmac.compare_digest(given, self._key.encode())
        )

    def _count_newcomer(self, network: str) -> None:
        count = self._newcomers.get(network, 0)
        if count >= MAX_NEWCOMERS:
            raise web.HTTPTooManyRequests(text=TOO_MANY_NEW, headers={"Retry-After": "3600"})
        self._newcomers[network] = count + 1

    async def is_right(self, request: web.Request, password: str) -> bool:
        """Return whether this is the password. Raises HTTPTooManyRequests."""
        if not self.has_password:
            return False
        caller = network_of(request.remote or "")
        if await self.sessions.is_remembered(request):
            caller = f"session {self.sessions.token_of(request)}"
        try:
            return await self.passwords.is_right(password, caller)
        except TooManyGuesses as error:
            raise web.HTTPTooManyRequests(text=BUSY, headers={"Retry-After": "5"}) from error


def visitor_of(request: web.Request) -> str:
    """Return the handle of the person who asks; the ids of their conversations begin with it."""
    return request[VISITOR]


def author_of(request: web.Request) -> Author:
    """Return the person as the history names them."""
    return Author(visitor_of(request), "You")
