"""A delivery from Slack as the value that it stands for. Pure: names are looked up elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from adapters.slack.parse_events import parse_event
from adapters.slack.parse_interactions import parse_command, parse_press, parse_shortcut, parse_submission
from adapters.slack.parse_parts import Payload
from adapters.slack.signed import JunkError, is_word
from bot.types import Inbound

NOT_SHAPED_SO = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a payload raises that is not shaped as Slack shapes it."""


def parse(body: Payload, names: Collection[str] = ()) -> Inbound | None:
    """The value, or None when the delivery is no person's doing. names: the slash commands that there are. Raises JunkError."""
    try:
        found = _parse(body, names)
    except NOT_SHAPED_SO as error:
        raise JunkError(f"it cannot be read: {type(error).__name__}") from error
    if found is not None:
        at = found.address
        ids = (found.event_id, found.message_id, found.author.id, at.workspace, at.channel, at.thread)
        if not all(map(is_word, ids)):
            raise JunkError("an id in it is none")
    return found


def _parse(body: Payload, names: Collection[str]) -> Inbound | None:
    match body.get("type"):
        case "event_callback":
            return parse_event(body)
        case "block_actions":
            return parse_press(body)
        case "view_submission":
            return parse_submission(body)
        case "message_action":
            return parse_shortcut(body)
        case None if body.get("command"):
            return parse_command(body, names)
    return None
