"""Real deliveries that Slack sent to others: each parses to the value in the golden file, and is answered 200, once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from sqlalchemy import func, select

from adapters.slack import parse
from bot.engine.commands import SPECS
from bot.store.schema import turns
from bot.types import from_json, to_json
from tests.acceptance.slack_support import world

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "specs" / "recorded-slack"
GOLDEN = Path(__file__).parent / "slack_recorded.json"
"""What each parses to; words and names are left out, ids stay. `python -m tests.payloads.test_slack_recorded` writes it."""
needs_recordings = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded deliveries are not here")
WORDS = ("text", "value")


def deliveries() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded delivery by its name."""
    for path in sorted(RECORDED.glob("*.json")):
        for name, body in json.loads(path.read_text(encoding="utf-8")).items():
            kinds = ("event_callback", "block_actions", "view_submission", "view_closed", "message_action")
            if isinstance(body, dict) and (body.get("type") in kinds or body.get("command")):
                yield f"{path.stem}/{name}", body


def parsed(body: dict[str, Any]) -> Any:
    """The plain form of what it parses to, its words as their length."""
    return _without_words(to_json(parse.parse(body, SPECS)))


def _without_words(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_without_words(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    found = {name: _without_words(item) for name, item in plain.items() if name not in ("response_url", "url")}
    if found.get("$") == "Author":
        found["name"] = ""
    for name in WORDS:
        if isinstance(found.get(name), str):
            found[name] = f"{len(found[name])} characters"
    return found


@needs_recordings
def test_each_recorded_delivery_parses_to_its_golden_value() -> None:
    """What Slack really sends becomes the values that were looked over once."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert {name: parsed(body) for name, body in deliveries()} == golden


def test_the_golden_values_are_values() -> None:
    """The golden file holds plain forms that can be read back."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(golden) >= 30
    assert all(value is None or from_json(value) for value in golden.values())


@needs_recordings
async def test_each_recorded_delivery_is_answered_200_twice_with_one_turn(tmp_path: Path) -> None:
    """Sent and repeated as Slack repeats, signed: always 200, and no delivery makes a second turn."""
    async with (
        world(tmp_path, http=True, slack_bot_token=None, parley_secret_key=None) as w,
        aiohttp.ClientSession() as http,
    ):
        secret = w.slack.app.signing_secret
        counts: list[int] = []
        for retry in (0, 1):
            for name, body in deliveries():
                status = await _send(http, w.slack.app.events_url, secret, body, retry)
                assert status == 200, name
            await w.settled()
            async with w.app.store.connect(write=False) as connection:
                counts.append((await connection.execute(select(func.count()).select_from(turns))).scalar_one())
        assert counts[0] > 0 and counts[1] == counts[0]


async def _send(http: aiohttp.ClientSession, url: str, secret: str, body: dict[str, Any], retry: int) -> int:
    if body.get("command"):
        text, kind = (
            urlencode({name: value for name, value in body.items() if value is not None}),
            "x-www-form-urlencoded",
        )
    elif body["type"] == "event_callback":
        text, kind = json.dumps(body), "json"
    else:
        text, kind = urlencode({"payload": json.dumps(body)}), "x-www-form-urlencoded"
    at = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"v0:{at}:{text}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": f"application/{kind}",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": f"v0={digest}",
    }
    headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"} if retry else {}
    async with http.post(url, data=text.encode(), headers=headers) as response:
        return response.status


if __name__ == "__main__":
    values = {name: parsed(body) for name, body in deliveries()}
    GOLDEN.write_text(json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
