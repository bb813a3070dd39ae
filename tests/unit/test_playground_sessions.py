"""Sessions of browsers: how long they last, and what is known of whoever comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from adapters.playground.sessions import Sessions, hashed
from bot.app import App
from tests.fakes import FakeClock

NAME = "parley_session_8080"


@pytest.fixture
def sessions(app: App, clock: FakeClock) -> Sessions:
    """Sessions in the database of a running Parley."""
    return Sessions(app.host.sessions, clock, trusts_proxy=False)


def asking(token: str = "", **headers: str) -> web.Request:
    """A request of a browser that holds this token."""
    cookie = {"Cookie": f"{NAME}={token}"} if token else {}
    return make_mocked_request("GET", "/", headers={"Host": "127.0.0.1:8080", **cookie, **headers})


async def begun(sessions: Sessions, token: str = "") -> str:
    """The token of a new session, begun by a browser that holds this one."""
    response = web.Response()
    await sessions.begin(asking(token), response)
    return response.cookies[NAME].value


async def test_a_session_lasts_while_it_is_used(sessions: Sessions, clock: FakeClock) -> None:
    """Thirty days without a visit end it; each visit begins them anew."""
    token = await begun(sessions)
    visitor = await sessions.visitor_of(asking(token))
    for _ in range(5):
        clock.at += timedelta(days=29)
        assert await sessions.visitor_of(asking(token)) == visitor
    clock.at += timedelta(days=31)
    assert await sessions.visitor_of(asking(token)) == ""


async def test_whoever_comes_back_is_the_same_person(sessions: Sessions, clock: FakeClock) -> None:
    """After the session has ended its token opens nothing, but tells who they were once they are let in again, by a new token."""
    token = await begun(sessions)
    visitor = await sessions.visitor_of(asking(token))
    clock.at += timedelta(days=100)
    new = await begun(sessions, token)
    assert new != token
    assert await sessions.visitor_of(asking(new)) == visitor
    assert not await sessions.is_remembered(asking(token))


async def test_what_was_never_used_again_is_forgotten(sessions: Sessions, clock: FakeClock) -> None:
    """The database does not fill with browsers that never came back."""
    token = await begun(sessions)
    clock.at += timedelta(days=401)
    await begun(sessions)
    assert not await sessions.is_remembered(asking(token))


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 44, "' OR 1=1 --", "\xff" * 43])
async def test_a_token_cannot_be_made_up(sessions: Sessions, token: str) -> None:
    """Another one, a shorter or a longer one, or its hash, opens nothing."""
    real = await begun(sessions)
    for wrong in (token, real[:-1], f"{real}x", hashed(real), hashed(real)[:43]):
        assert await sessions.visitor_of(asking(wrong)) == ""


async def test_another_port_has_another_cookie(sessions: Sessions) -> None:
    """Browsers keep no ports apart: a program on another port of this machine does not get mixed up with Parley."""
    token = await begun(sessions)
    assert await sessions.visitor_of(asking(token, Host="127.0.0.1:9090")) == ""


async def test_a_proxy_is_believed_only_where_there_may_be_one(app: App, clock: FakeClock) -> None:
    """Without a password nobody stands between, so nobody can say that this is https."""
    for trusts_proxy, name in ((False, NAME), (True, "__Host-parley_session")):
        sessions, response = Sessions(app.host.sessions, clock, trusts_proxy=trusts_proxy), web.Response()
        await sessions.begin(asking(**{"X-Forwarded-Proto": "https"}), response)
        assert set(response.cookies) == {name}
        assert bool(response.cookies[name]["secure"]) == trusts_proxy
