"""Who may use the page, and who they are: a cookie names the person, a password lets in those from elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

from aiohttp import web

from bot.policy.this_machine import is_loopback
from bot.ports import Clock
from bot.types import Author

PERSON_COOKIE, PASS_COOKIE = "parley_person", "parley_pass"
YEAR_S = 365 * 24 * 3600
ATTEMPT_S = 0.5
"""A wrong password is answered after this long, one at a time, so that guessing takes years."""
PERSON = re.compile(r"[\w-]{20,64}", re.ASCII)
ELSEWHERE = (
    "Parley's page is served to browsers on its own machine only.\n"
    "To use it from elsewhere, set PLAYGROUND_PASSWORD and start Parley again.\n"
)


class Guard:
    """Decides which requests may use the page."""

    def __init__(self, clock: Clock, password: str) -> None:
        self._clock, self._password = clock, password
        self._one_at_a_time = asyncio.Lock()

    def admit(self, request: web.Request) -> None:
        """Raise HTTPForbidden when only this machine is served and the request comes from elsewhere.

        A proxy on this machine hides where a request comes from, so one that says it was forwarded counts as from elsewhere;
        and a name that is not this machine's means a page of another site made its name point here (DNS rebinding).
        """
        if self._password:
            return
        named = urlsplit(f"//{request.host}").hostname or ""
        is_forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"))
        if is_forwarded or not is_loopback(request.remote or "") or not is_loopback(named):
            raise web.HTTPForbidden(text=ELSEWHERE)

    def knows(self, request: web.Request) -> bool:
        """Return whether this person gave the password, or none is set."""
        if not self._password:
            return True
        given = request.cookies.get(PASS_COOKIE, "")
        return hmac.compare_digest(given.encode(), self._proof(person_of(request)).encode())

    async def is_right(self, password: str) -> bool:
        """Return whether this is the password; for a wrong one, after a pause."""
        if not self._password:
            return True
        async with self._one_at_a_time:
            right = hmac.compare_digest(password.encode(), self._password.encode())
            if not right:
                await self._clock.sleep(ATTEMPT_S)
        return right

    def remember(self, request: web.Request, response: web.StreamResponse, *, proven: bool = False) -> str:
        """Give the person a cookie unless they have one, and return their id. proven: they gave the password."""
        person = person_of(request) or secrets.token_urlsafe(24)
        jar = {PERSON_COOKIE: person, **({PASS_COOKIE: self._proof(person)} if proven and self._password else {})}
        for name, value in jar.items():
            response.set_cookie(
                name, value, max_age=YEAR_S, httponly=True, samesite="Strict", secure=request.secure, path="/"
            )
        return person

    def _proof(self, person: str) -> str:
        return hmac.new(self._password.encode(), f"parley playground {person}".encode(), hashlib.sha256).hexdigest()


def person_of(request: web.Request) -> str:
    """Return the id in the person's cookie, or an empty string. It is a secret: whoever has it is that person."""
    found = request.cookies.get(PERSON_COOKIE, "")
    return found if PERSON.fullmatch(found) else ""


def author_of(request: web.Request) -> Author:
    """Return the person as the history names them: by a hash, because the cookie itself opens their conversations."""
    return Author(handle(person_of(request)), "You")


def handle(person: str) -> str:
    """Return the public form of a person's id: the start of its hash. The ids of their conversations begin with it."""
    return hashlib.sha256(person.encode()).hexdigest()[:16]
