"""Real deliveries that Discord sent to others: each parses to the value in the golden file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.discord.entities import Payload
from adapters.discord.parse_events import parse_message
from adapters.discord.parse_interactions import parse_command, parse_press
from adapters.discord.parse_parts import THREADS, Lookup, MessageLocation, Us
from bot.engine.commands import SPECS
from bot.types import from_json, to_json

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "specs" / "recorded-discord"
GOLDEN = Path(__file__).parent / "discord_recorded.json"
"""What each parses to; words and names are left out, ids stay. `python -m tests.payloads.test_discord_recorded` writes it."""
needs_recordings = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded deliveries are not here")
OURS = ("hello", "messages", "info", "goodbye", "dm-action")
"""The recorded app's buttons; ours have other ids, so they stand in for Regenerate."""


def deliveries() -> Iterator[tuple[str, dict[str, Any], Us]]:
    """Every recorded delivery by its name, with who the recorded app was."""
    for path in sorted(RECORDED.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        told = found.get("metadata") or {}
        us = Us(str(told.get("botId") or found.get("applicationId")), frozenset(filter(None, [told.get("roleId")])))
        for name, body in found.items():
            if isinstance(body, dict) and ("data" in body or "type" in body):
                yield f"{path.stem}/{name}", body, us


def parsed(body: dict[str, Any], us: Us) -> Any:
    """The plain form of what it parses to, its words as their length."""
    kind = body.get("type")
    data: Payload = body.get("data") or {}
    if kind == "GATEWAY_MESSAGE_CREATE":
        at, guild = str(data["channel_id"]), str(data.get("guild_id") or "")
        is_thread = data.get("channel_type") in THREADS
        place = MessageLocation(at, guild or "@me", "PARENT" if is_thread else at, at if is_thread else "", not guild)
        return _without_words(to_json(parse_message(data, place, Lookup(us))))
    if kind == 3:
        return _without_words(to_json(parse_press(_as_ours(body))))
    if kind == 2:
        value = parse_command(body, SPECS)
        return _without_words(to_json(replace(value, ref={**value.ref, "token": ""})))
    return None


def _as_ours(body: dict[str, Any]) -> dict[str, Any]:
    """The recorded button, with an id as ours have them."""
    custom_id = body["data"]["custom_id"]
    ours = f"parley:regenerate:{'' if custom_id in OURS else 'other'}:"
    number = body["id"] if str(body["id"]).isdigit() else "1457536583141163186"
    message = {**body["message"], "components": [{"type": 1, "components": [{"type": 2, "custom_id": ours}]}]}
    return {**body, "id": number, "data": {**body["data"], "custom_id": ours}, "message": message}


def _without_words(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_without_words(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    found = {name: _without_words(item) for name, item in plain.items() if name not in ("token", "url")}
    if found.get("$") == "Author":
        found["name"] = ""
    if isinstance(found.get("text"), str):
        found["text"] = f"{len(found['text'])} characters"
    return found


@needs_recordings
def test_each_recorded_delivery_parses_to_its_golden_value() -> None:
    """What Discord really sends becomes the values that were looked over once."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert {name: parsed(body, us) for name, body, us in deliveries()} == golden


def test_the_golden_values_are_values() -> None:
    """The golden file holds plain forms that can be read back, and the mentions among them are known as such."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    values = {name: from_json(value) for name, value in golden.items() if value}
    assert len(golden) >= 20
    assert values["discord/gatewayMention"].mentions_bot and values["discord/gatewayRoleMention"].mentions_bot
    assert not values["discord/gatewaySubscribedMessage"].mentions_bot
    assert values["discord/gatewayBotWelcome"].author.is_bot


if __name__ == "__main__":
    made = {name: parsed(body, us) for name, body, us in deliveries()}
    GOLDEN.write_text(json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
