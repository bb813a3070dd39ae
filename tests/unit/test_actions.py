"""Which buttons stand under which reply, as a table: the rule that every platform asks."""

from __future__ import annotations

import dataclasses

import pytest

from adapters.shared.buttons import LABELS
from bot.errors import (
    BotError,
    ConfigError,
    OverloadedError,
    RefusedError,
    UnavailableError,
    UnreadableError,
    UsageError,
)
from bot.policy.actions import actions_for
from bot.types import ACTIONS, Audio, Blob, Capabilities, Image, Reply, Text

BUTTONS = Capabilities(has_buttons=True)
PICTURE = Image(Blob("0" * 64, "image/png", 3))
CLIP = Audio(Blob("1" * 64, "audio/ogg", 3))
ANSWER = Reply((Text("words"),), model="test:model")
RATED = ("regenerate", "thumbs_up", "thumbs_down")
TABLE = {
    "while it is given": (None, ("stop",)),
    "a model's answer": (ANSWER, RATED),
    "a model's answer, spoken": (dataclasses.replace(ANSWER, parts=(*ANSWER.parts, CLIP)), RATED),
    "a model's answer at its limit": (dataclasses.replace(ANSWER, truncated=True), ("continue", *RATED)),
    "a picture with words": (
        dataclasses.replace(ANSWER, parts=(*ANSWER.parts, PICTURE)),
        ("vary", "edit_image", *RATED),
    ),
    "a picture alone": (Reply((PICTURE,), model="test:image"), ("vary", "edit_image", *RATED)),
    "a command's own words": (Reply((Text("A new conversation begins."),)), ()),
    "a command's clip": (Reply((Text("said"), CLIP)), ()),
    "stopped before a word": (Reply(stopped=True), ("regenerate",)),
    "stopped in the middle": (dataclasses.replace(ANSWER, stopped=True), RATED),
    "nothing at all": (Reply(), ()),
    "a moment's trouble": (Reply((Text("busy"),), error=OverloadedError.code), ("regenerate",)),
    "broken off": (Reply((Text("half"),), notices=("lost",), error="cut_off", model="test:model"), ("regenerate",)),
    "declined": (Reply((Text("no"),), error=RefusedError.code), ("regenerate",)),
    "a fault of ours": (Reply((Text("oh"),), error=BotError.code), ("regenerate",)),
    "asked in a way that cannot be done": (Reply((Text("write it so"),), error=UsageError.code), ()),
    "a file that cannot be read": (Reply((Text("locked"),), error=UnreadableError.code), ()),
    "nothing can do this": (Reply((Text("set X"),), error=UnavailableError.code), ()),
    "a setting is wrong": (Reply((Text("set X"),), error=ConfigError.code), ()),
}


@pytest.mark.parametrize(("reply", "expected"), TABLE.values(), ids=TABLE)
def test_the_buttons_under_a_reply(reply: Reply | None, expected: tuple[str, ...]) -> None:
    """The row of the table; and none at all where it is private, or where there are no buttons."""
    assert actions_for(reply, BUTTONS) == expected
    assert actions_for(reply, BUTTONS, is_private=True) == ()
    assert actions_for(reply, Capabilities(has_buttons=False)) == ()


def test_every_button_is_called_something_and_stands_somewhere() -> None:
    """No action without its label, and none that no reply ever shows."""
    assert set(LABELS) == set(ACTIONS) == {action for _, actions in TABLE.values() for action in actions}
