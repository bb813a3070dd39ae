"""Sessions: a browser holds a random token in a cookie, the database its hash and who the browser's person is."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from aiohttp import web

from bot.ports import Clock, PageSessions

IDLE = timedelta(days=30)
"""A session that was not used for this long has to be begun anew; its person stays the same."""
REMEMBERED = timedelta(days=400)
"""For how long an unused session still tells who its person was. Browsers keep no cookie longer."""
TOUCHED = timedelta(hours=1)
"""That a session is used is written down this often."""
TOKEN = re.compile(r"[\w-]{43}", re.ASCII)
OLD_PERSON_COOKIE, OLD_PASS_COOKIE = "parley_person", "parley_pass"
OLD_PERSON = re.compile(r"[\w-]{20,64}", re.ASCII)
PORT = re.compile(r":(\d{1,5})$", re.ASCII)


class Sessions:
    """Finds, begins and ends the sessions of browsers."""

    def __init__(self, kept: PageSessions, clock: Clock, *, trusts_proxy: bool) -> None:
        """trusts_proxy: whether X-Forwarded-Proto is believed, which decides about the cookie alone."""
        self._kept, self._clock, self._trusts_proxy = kept, clock, trusts_proxy

    async def visitor_of(self, request: web.Request) -> str:
        """Return the handle of the person whose session this browser holds; an empty string when there is none."""
        token = self.token_of(request)
        found = await self._kept.find(hashed(token)) if token else None
        now = self._clock.now()
        if found is None or now - found.last_seen_at > IDLE:
            return ""
        if now - found.last_seen_at > TOUCHED:
            await self._kept.touch(hashed(token), now)
        return found.visitor

    async def begin(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let this browser in: give it a new token. Its person stays who they were."""
        old, token, now = self.token_of(request), secrets.token_urlsafe(32), self._clock.now()
        visitor = await self._remembered(request) or secrets.token_hex(8)
        await self._kept.keep(hashed(token), visitor, now)
        if old:
            await self._kept.drop(hashed(old))
        await self._kept.drop_unused(now - REMEMBERED)
        response.set_cookie(
            self._cookie_name(request),
            token,
            max_age=int(REMEMBERED.total_seconds()),
            httponly=True,
            samesite="Strict",
            secure=self._is_secure(request),
            path="/",
        )
        for name in (OLD_PERSON_COOKIE, OLD_PASS_COOKIE):
            if name in request.cookies:
                response.del_cookie(name, path="/")

    async def end(self, request: web.Request, response: web.StreamResponse) -> None:
        """Forget this browser's session, and who its person was."""
        if token := self.token_of(request):
            await self._kept.drop(hashed(token))
        response.del_cookie(
            self._cookie_name(request), path="/", secure=self._is_secure(request), httponly=True, samesite="Strict"
        )

    async def is_remembered(self, request: web.Request) -> bool:
        """Return whether this browser was let in before, however long ago."""
        token = self.token_of(request)
        return bool(token) and await self._kept.find(hashed(token)) is not None

    def token_of(self, request: web.Request) -> str:
        """Return the token in the browser's cookie, whether it means anything or not; an empty string when there is none."""
        found = request.cookies.get(self._cookie_name(request), "")
        return found if TOKEN.fullmatch(found) else ""

    async def _remembered(self, request: web.Request) -> str:
        """Return who this browser's person was: by its session, or by the cookie of earlier versions.

        Such a cookie is taken once: from then on nobody else becomes that person by it.
        """
        token = self.token_of(request)
        if token and (found := await self._kept.find(hashed(token))):
            return found.visitor
        old = request.cookies.get(OLD_PERSON_COOKIE, "")
        visitor = hashed(old)[:16] if OLD_PERSON.fullmatch(old) else ""
        return visitor if visitor and not await self._kept.is_known(visitor) else ""

    def _cookie_name(self, request: web.Request) -> str:
        """Return a name that a page on another port of this machine does not use too: browsers keep no ports apart."""
        if self._is_secure(request):
            return "__Host-parley_session"
        found = PORT.search(request.host)
        return f"parley_session_{found[1] if found else '80'}"

    def _is_secure(self, request: web.Request) -> bool:
        forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
        return request.secure or (self._trusts_proxy and forwarded == "https")


def hashed(token: str) -> str:
    """Return what the database keeps of a token: whoever reads it there cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()
