"""Anybody can post where Slack does: what Slack did not sign is not read, and what is no delivery is refused in words."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack import parse
from adapters.slack.signed import JunkError, checked, delivery_of, is_signed
from bot.engine.commands import SPECS
from tests.acceptance.slack_support import World, world

SECRET = "emulator-signing-secret"
DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
ODD_FILE = {"type": "message", "channel": "C1", "ts": "1.1", "files": [{"id": "F1", "size": "x"}]}
JUNK: dict[str, tuple[bytes, str]] = {
    "bad JSON": (b'{"type": ', JSON),
    "deep JSON": (DEEP, JSON),
    "deep but whole JSON": (b'{"a":' * 300 + b"1" + b"}" * 300, JSON),
    "not UTF-8": (b'{"type": "\xff\xfe"}', JSON),
    "an array": (b"[1, 2]", JSON),
    "null": (b"null", JSON),
    "a number of 5,000 digits": (b'{"type": ' + b"9" * 5_000 + b"}", JSON),
    "an event that is none": (b'{"type": "event_callback", "event": [1]}', JSON),
    "a number for a type": (b'{"type": 1}', JSON),
    "a file that is none": (json.dumps({"type": "event_callback", "event": ODD_FILE}).encode(), JSON),
    "bad JSON in a form": (urlencode({"payload": "{"}).encode(), FORM),
    "an array in a form": (urlencode({"payload": "[]"}).encode(), FORM),
    "a thousand fields": (urlencode({f"f{n}": "" for n in range(1_000)}).encode(), FORM),
    "buttons that are none": (urlencode({"payload": '{"type":"block_actions","actions":[1]}'}).encode(), FORM),
}


def sign(body: bytes, at: str = "") -> dict[str, str]:
    """Slack's two headers."""
    at = at or str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


async def post(w: World, body: bytes, headers: dict[str, str]) -> int:
    """The status that our request URL answers with."""
    async with aiohttp.ClientSession() as http, http.post(w.slack.app.events_url, data=body, headers=headers) as answer:
        return answer.status


async def test_unsigned_junk_is_refused_unread(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """401 whatever is in it, and not one traceback."""
    async with world(tmp_path, http=True) as w:
        for name, (body, kind) in JUNK.items():
            assert await post(w, body, {"Content-Type": kind}) == 401, name
        valid = b'{"type": "event_callback"}'
        for headers in (
            {**sign(valid), "X-Slack-Signature": "v0=\u00e9\u00e9"},
            {**sign(valid), "X-Slack-Signature": "v0=" + "0" * 64},
            {**sign(valid), "X-Slack-Signature": ""},
            *(sign(valid, at) for at in ("x", "-1", "1e9", "\u00b2", "9" * 5_000, str(int(time.time()) - 301))),
        ):
            assert await post(w, valid, headers) == 401, headers
    assert "Traceback" not in caplog.text and not [one for one in caplog.records if one.levelno >= logging.WARNING]


async def test_signed_junk_is_refused_in_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """400 and a line in the log that says what it is, without a traceback."""
    async with world(tmp_path, http=True) as w:
        for name, (body, kind) in JUNK.items():
            assert await post(w, body, {"Content-Type": kind, **sign(body)}) == 400, name
        assert await post(w, b"", {"Content-Type": "application/json", **sign(b"")}) == 400
    assert "Traceback" not in caplog.text and not [one for one in caplog.records if one.levelno >= logging.ERROR]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_no_coded_body_is_unpacked(tmp_path: Path, coding: str) -> None:
    """A megabyte can hold a gigabyte: Slack sends none so, and nobody else is asked what is in it."""
    async with world(tmp_path, http=True) as w:
        body = b'{"type": "event_callback"}'
        status = await post(w, body, {"Content-Encoding": coding, **sign(body)})
        assert status == 415 or (coding == "br" and status == 400)  # aiohttp refuses by itself what it cannot unpack


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SEEDS: list[dict[str, Any]] = [
    case["delivery"]
    for case in json.loads((Path(__file__).parents[1] / "payloads/slack.json").read_text(encoding="utf-8")).values()
    if isinstance(case, dict) and "delivery" in case
]


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(one for key, value in inner for one in _paths(value, (*path, key)))]


def made_odd(by: random.Random) -> Any:
    """A delivery as Slack sends it, with something else somewhere in it."""
    body = json.loads(json.dumps(by.choice(SEEDS)))
    for _ in range(by.randint(1, 3)):
        *path, last = by.choice(_paths(body)[1:] or [("type",)])
        node = body
        with suppress(LookupError, TypeError):
            for key in path:
                node = node[key]
            node[last] = something(by)
    return body


def something(by: random.Random, depth: int = 0) -> Any:
    """Any JSON."""
    if depth < 3 and by.random() < 0.4:
        inner = [something(by, depth + 1) for _ in range(by.randint(0, 2))]
        return inner if by.random() < 0.5 else {by.choice(("id", "type", "text", "a")): one for one in inner}
    return by.choice((None, True, 0, -1, 10**20, 1.5e300, "", "x", "\u0000", "\u00b2", "D1", "C1", "<@U1>", "\ud800"))


@given(st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_no_delivery_breaks_the_parser(by: random.Random) -> None:
    """Whatever stands anywhere in a delivery, it becomes a value, or nothing, or is called junk."""
    body = made_odd(by)
    try:
        parse.parse(checked(body), SPECS)
    except JunkError as error:
        assert str(error)


async def test_no_delivery_breaks_the_listeners(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Signed and sent, each is taken or refused: none fails, and none leaves a traceback."""
    by = random.Random(2027)
    async with world(tmp_path, http=True) as w:
        statuses = set()
        for _ in range(600):
            raw = json.dumps(made_odd(by)).encode()
            statuses.add(await post(w, raw, {"Content-Type": JSON, **sign(raw)}))
        await w.settled()
    assert statuses == {200, 400} and "Traceback" not in caplog.text


@given(
    st.binary(max_size=60) | ANY.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["application/json", "", "text/plain"]),
)
def test_no_body_breaks_the_reader(body: bytes, content_type: str) -> None:
    """Any bytes are a delivery or junk."""
    try:
        assert isinstance(delivery_of(body, content_type), dict)
    except JunkError as error:
        assert str(error)


@given(st.text(), st.text(), st.binary())
def test_no_header_breaks_the_check(at: str, signature: str, body: bytes) -> None:
    """Any headers are right or wrong."""
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature}
    assert is_signed(SECRET, body, headers, 1_800_000_000.0) is False


def test_a_signature_holds_for_its_bytes_and_its_time() -> None:
    """And for no secret that is not set."""
    headers, now = sign(b"body", "1800000000"), 1_800_000_000.0
    assert is_signed(SECRET, b"body", headers, now + 299) and is_signed(SECRET, b"body", headers, now - 299)
    assert not is_signed(SECRET, b"bodY", headers, now) and not is_signed("", b"body", headers, now)
    assert not is_signed(SECRET, b"body", headers, now + 301) and not is_signed(SECRET, b"body", headers, now - 301)


async def test_an_odd_way_back_from_oauth_is_a_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """States, codes and cookies of any kind: 400 in words, nothing is asked of Slack, and no traceback."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    async with world(tmp_path, http=True, slack_bot_token=None, parley_secret_key=key) as w:
        base = f"http://127.0.0.1:{w.app.port}/slack/oauth_redirect"
        async with aiohttp.ClientSession() as http:
            for query, cookie in (
                ("state=%C2%B2.x&code=1", "n"),
                ("state=" + "9" * 5_000 + "." + "a" * 64 + "&code=1", "n"),
                ("state=%FF%FE.%00&code=1", "n"),
                ("state=1." + "a" * 64 + "&code=1", "\u00e9"),
                ("state=1." + "a" * 64 + "&code=" + "c" * 5_000, "n"),
                ("error=" + "e" * 5_000, ""),
                ("", ""),
            ):
                headers = {"Cookie": f"parley_slack_state={cookie}"}
                async with http.get(f"{base}?{query}", headers=headers) as answer:
                    assert answer.status == 400 and len(await answer.text()) < 1_000, query[:40]
        assert not w.slack.calls_to("oauth.v2.access")
    assert "Traceback" not in caplog.text
