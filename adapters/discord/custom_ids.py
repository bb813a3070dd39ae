"""What rides in the ids of Parley's buttons and forms at Discord, so that they work for as long as their message stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from adapters.discord.entities import Payload
from bot.types import ACTIONS, Action

PREFIX = "parley"
SETTINGS = f"{PREFIX}:settings"
"""Of the button that opens the form for settings, and of that form."""
ASK = f"{PREFIX}:ask"
"""Begins the id of the form that asks for a question about a message."""


class ButtonId(NamedTuple):
    """What a button under an answer says: `parley:ACTION:QUESTION:ROOT`."""

    action: Action
    question_id: str
    """The message that the answer answers; empty when the answer's own id will do."""
    root_id: str
    """The first message of the reply chain, or the thread."""

    def __str__(self) -> str:
        """As Discord keeps it; at most 100 characters."""
        return f"{PREFIX}:{self.action}:{self.question_id}:{self.root_id}"


def parse_button_id(custom_id: str) -> ButtonId | None:
    """What a button says, or None when it is none that stands under our answers."""
    prefix, _, rest = custom_id.partition(":")
    named, _, rest = rest.partition(":")
    question_id, colon, root_id = rest.rpartition(":")  # a question that was itself a press has a colon in its id
    known = [action for action in ACTIONS if action == named]
    if prefix != PREFIX or not known or not colon:
        return None
    return ButtonId(known[0], question_id, root_id)


def custom_ids(components: Iterable[Payload]) -> Iterable[str]:
    """The ids of all buttons, within rows and sections too."""
    waiting = [*components][::-1]
    while waiting:
        one = waiting.pop()
        if one.get("custom_id"):
            yield str(one["custom_id"])
        waiting += [*(one.get("components") or ())][::-1]


def holds(message: Payload, custom_id: str) -> bool:
    """Whether a message has that button. Discord tells what stands in a message; which id was pressed, a client tells."""
    return custom_id in custom_ids(message.get("components") or ())
