"""Deliveries as Slack sends them become the values that they mean, are answered 200, and make one turn however often they come."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from sqlalchemy import func, select

from adapters.slack import parse
from bot.engine.commands import SPECS
from bot.store.schema import turns
from bot.types import Command, InboundMessage
from tests.acceptance.slack_support import World, world
from tests.emulators import vendor
from tests.payloads.support import Case, cases, looked_up

RECORDED = "recorded-slack"
OWN = cases("slack")
KINDS = ("event_callback", "block_actions", "view_submission", "view_closed", "message_action")


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every delivery that was recorded from Slack, by its name."""
    for path in sorted((vendor.SPECS / RECORDED).glob("*.json")):
        for name, body in json.loads(path.read_text(encoding="utf-8")).items():
            if isinstance(body, dict) and (body.get("type") in KINDS or body.get("command")):
                yield f"{path.stem}/{name}", body


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.name)
def test_a_delivery_becomes_what_it_means(case: Case) -> None:
    """Each own-made delivery becomes the value that stands beside it, or nothing."""
    value = parse.parse(case.delivery, SPECS)
    if case.means is None:
        assert value is None
    else:
        assert looked_up(value, case.means) == dict(case.means)


@vendor.needs(RECORDED)
def test_recorded_deliveries_keep_ids_and_words() -> None:
    """What people really said becomes a value with the channel, the ids and the words of the delivery; no other app's act does."""
    checked = {"message": 0, "command": 0, "other": 0}
    for name, body in recorded():
        value, event = parse.parse(body, SPECS), body.get("event") or {}
        if body.get("command"):
            assert isinstance(value, Command), name
            assert (value.address.channel, value.author.id) == (body["channel_id"], body["user_id"]), name
            checked["command"] += 1
        elif event.get("type") in ("message", "app_mention"):
            assert isinstance(value, InboundMessage), name
            assert (value.message_id, value.address.channel) == (event["ts"], event["channel"]), name
            assert value.address.thread == event.get("thread_ts", event["ts"]), name
            assert (
                value.author.is_bot == ("bot_id" in event) and value.text.split()[-1:] == event["text"].split()[-1:]
            ), name
            checked["message"] += 1
        else:
            assert value is None, name
            checked["other"] += 1
    assert min(checked.values()) > 0


async def test_own_deliveries_are_answered_twice_with_one_turn(tmp_path: Path) -> None:
    """Sent and repeated as Slack repeats, signed: always 200, and no delivery makes a second turn."""
    async with world(tmp_path, http=True, slack_bot_token=None, parley_secret_key=None) as w:
        await _send_twice(w, [(case.name, case.delivery) for case in OWN])


@vendor.needs(RECORDED)
async def test_recorded_deliveries_are_answered_twice_with_one_turn(tmp_path: Path) -> None:
    """The same for what was recorded."""
    async with world(tmp_path, http=True, slack_bot_token=None, parley_secret_key=None) as w:
        await _send_twice(w, list(recorded()))


async def _send_twice(w: World, bodies: Iterable[tuple[str, dict[str, Any]]]) -> None:
    counts: list[int] = []
    async with aiohttp.ClientSession() as http:
        for retry in (0, 1):
            statuses = {name: await _send(http, w, body, retry) for name, body in bodies}
            assert set(statuses.values()) == {200}, statuses
            await w.settled()
            async with w.app.store.connect(write=False) as connection:
                counts.append((await connection.execute(select(func.count()).select_from(turns))).scalar_one())
    assert counts[0] > 0 and counts[1] == counts[0]


async def _send(http: aiohttp.ClientSession, w: World, body: dict[str, Any], retry: int) -> int:
    text, kind = _encoded(body)
    at = str(int(time.time()))
    digest = hmac.new(w.slack.app.signing_secret.encode(), f"v0:{at}:{text}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": f"application/{kind}",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": f"v0={digest}",
    }
    headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"} if retry else {}
    async with http.post(w.slack.app.events_url, data=text.encode(), headers=headers) as response:
        return response.status


def _encoded(body: dict[str, Any]) -> tuple[str, str]:
    if body.get("command"):
        return urlencode({name: value for name, value in body.items() if value is not None}), "x-www-form-urlencoded"
    if body["type"] == "event_callback":
        return json.dumps(body), "json"
    return urlencode({"payload": json.dumps(body)}), "x-www-form-urlencoded"
