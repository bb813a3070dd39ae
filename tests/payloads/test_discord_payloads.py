"""Deliveries as Discord sends them become the values that they mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.discord.entities import Payload
from adapters.discord.parse_events import parse_edit, parse_message
from adapters.discord.parse_interactions import parse_command, parse_press
from adapters.discord.parse_parts import THREADS, Lookup, MessageLocation, Us
from bot.engine.commands import SPECS
from bot.types import Inbound, InboundMessage
from tests.emulators import vendor
from tests.payloads.support import Case, cases, looked_up

RECORDED = "recorded-discord"
PARENT = "1400000000000000020"
"""The channel to which the threads of the own-made deliveries belong; Discord tells that apart from the message."""
US = Us("1400000000000000900", frozenset({"1400000000000000901"}))
COMMAND, PRESS = 2, 3
"""Types of interactions."""


def recorded() -> Iterator[tuple[str, Payload, Us]]:
    """Every message that was recorded from Discord, by its name, with who the recorded app was."""
    for path in sorted((vendor.SPECS / RECORDED).glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        told = found.get("metadata") or {}
        us = Us(str(told.get("botId") or found.get("applicationId")), frozenset(filter(None, [told.get("roleId")])))
        for name, body in found.items():
            if isinstance(body, dict) and body.get("type") == "GATEWAY_MESSAGE_CREATE":
                yield f"{path.stem}/{name}", body["data"], us


def location(data: Payload) -> MessageLocation:
    """Where a message stands; all threads belong to one channel."""
    at, guild = str(data["channel_id"]), str(data.get("guild_id") or "")
    is_thread = data.get("channel_type") in THREADS
    return MessageLocation(at, guild or "@me", PARENT if is_thread else at, at if is_thread else "", not guild)


def parsed(delivery: dict[str, Any]) -> Inbound | None:
    """The value of an own-made delivery."""
    data: Payload = delivery["data"]
    match delivery["event"], data["type"]:
        case "MESSAGE_CREATE", _:
            return parse_message(data, location(data), Lookup(US))
        case "MESSAGE_UPDATE", _:
            return parse_edit(data, location(data), Lookup(US))
        case "INTERACTION_CREATE", kind if kind == COMMAND:
            return parse_command(data, SPECS)
        case "INTERACTION_CREATE", kind if kind == PRESS:
            return parse_press(data)
    raise AssertionError(f"unknown delivery: {delivery['event']}")


@pytest.mark.parametrize("case", cases("discord"), ids=lambda case: case.name)
def test_a_delivery_becomes_what_it_means(case: Case) -> None:
    """Each own-made delivery becomes the value that stands beside it, or nothing."""
    value = parsed(case.delivery)
    if case.means is None:
        assert value is None
    else:
        assert looked_up(value, case.means) == dict(case.means)


@vendor.needs(RECORDED)
def test_recorded_messages_keep_ids_and_words() -> None:
    """What people really said becomes a value with the ids and the words of the delivery; mentions are known as such."""
    mentioning = 0
    for name, data, us in recorded():
        value = parse_message(data, location(data), Lookup(us))
        assert isinstance(value, InboundMessage), name
        assert (value.message_id, value.author.id) == (data["id"], data["author"]["id"]), name
        assert value.address.workspace == data.get("guild_id", "@me"), name
        assert data["channel_id"] in (value.address.channel, value.address.thread), name
        named = {one["id"] for one in data["mentions"]} | set(data["mention_roles"])
        assert value.mentions_bot == bool(named & {us.id, *us.roles}), name
        assert value.author.is_bot == bool(data["author"].get("bot")), name
        words = [word for word in data["content"].split() if not word.startswith("<")]
        assert set(words) <= set(value.text.split()), name
        mentioning += value.mentions_bot
    assert mentioning > 2
