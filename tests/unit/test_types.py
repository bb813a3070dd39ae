"""Values round-trip through plain JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import UnionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import types
from bot.errors import BotError, CutOffError, OverloadedError, RejectedError
from bot.errors import from_json as error_from_json
from bot.types import VALUES, Address, Usage, clean_text, from_json, to_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def strategy_for(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=12),
        int: st.integers(-(2**53), 2**53),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
        datetime: st.datetimes(timezones=st.just(UTC)),
        date: st.dates(),
        Any: PLAIN,
    }
    if hint in simple:
        return simple[hint]
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin in (typing.Union, UnionType):
        return st.one_of([strategy_for(arg) for arg in args])
    if origin is tuple:
        return st.lists(strategy_for(args[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(strategy_for(args[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=5), strategy_for(args[1]), max_size=2)
    return value_of(hint)


def value_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a dataclass of ours."""
    hints = typing.get_type_hints(kind, {**vars(types), **vars(sys.modules[kind.__module__])})
    return st.builds(
        kind, **{f.name: st.deferred(lambda h=hints[f.name]: strategy_for(h)) for f in dataclasses.fields(kind)}
    )


@pytest.mark.parametrize("name", sorted(VALUES))
def test_every_value_survives_json(name: str) -> None:
    """Whatever value, to JSON and back it is equal: so it survives a queue, a database and a restart."""

    @given(value_of(VALUES[name]))
    def survives(value: Any) -> None:
        assert from_json(json.loads(json.dumps(to_json(value)))) == value

    survives()


def test_a_field_of_a_newer_version_is_dropped() -> None:
    """A value written by a newer version can be read: what is unknown is left out."""
    plain = to_json(Address("p", "w", "c")) | {"planet": "Mars"}
    assert from_json(plain) == Address("p", "w", "c")


def test_what_has_no_plain_form_is_refused() -> None:
    """Bytes do not ride in values."""
    with pytest.raises(TypeError):
        to_json(b"bytes")
    with pytest.raises(ValueError, match="no value is named"):
        from_json({"$": "Nonsense"})


def test_usage_adds_up() -> None:
    """Usage sums field by field, and a sum with an estimate is one."""
    assert Usage(1, 2, audio_s=0.5) + Usage(3, output_tokens=4, is_estimate=True) == Usage(
        4, 2, output_tokens=4, audio_s=0.5, is_estimate=True
    )


@pytest.mark.parametrize(
    "error",
    [
        BotError("a", detail="b"),
        OverloadedError("a", retry_after_s=3.0),
        RejectedError("a", param="temperature"),
        CutOffError("a", partial="so far"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_json(error: BotError) -> None:
    """A remembered step can have failed: its error comes back with its code, its text and what else it carries."""
    again = error_from_json(json.loads(json.dumps(error.to_json())))
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__


def test_clean_text_can_be_kept_anywhere() -> None:
    """NUL and halves of surrogate pairs become U+FFFD, halves that meet become their character, all else stays."""
    assert clean_text("a\0b\ud800c\udc00") == "a\ufffdb\ufffdc\ufffd"
    assert clean_text("\ud83d\ude00 and \udfff\ud83d") == "\U0001f600 and \ufffd\ufffd"


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_cleaned(text: str) -> None:
    """What comes out has a UTF-8 without NUL, cleaning it again changes nothing, and clean text is left alone."""
    cleaned = clean_text(text)
    assert b"\0" not in cleaned.encode()
    assert clean_text(cleaned) == cleaned
    plain = "".join(letter for letter in text if letter and not "\ud800" <= letter <= "\udfff" and letter != "\0")
    assert clean_text(plain) == plain


def test_what_a_released_version_wrote_is_read() -> None:
    """Values under their former names, fields under theirs, and facts that stood in `ref`: rows of 0.1 mean the same today."""
    address = {"$": "Address", "platform": "p", "workspace": "w", "channel": "c", "thread": ""}
    author = {"$": "Author", "id": "U1", "name": "Ann"}
    base = {"event_id": "E1", "message_id": "M1", "address": address, "author": author}
    file = {"$": "Attachment", "name": "a.txt", "mime_type": "", "size_bytes": 1}
    ref = {"speak": "1", "instead": "no words", "of_turn": "T1"}
    asked = from_json({"$": "InboundMessage", **base, "asks": "vary", "mentions_us": True, "ref": ref})
    assert (asked.intent, asked.mentions_bot, asked.wants_speech) == ("vary", True, True)
    assert (asked.unreadable_hint, asked.about_turn_id) == ("no words", "T1")
    unread = from_json({"$": "Unread", "attachment": file, "why": "broken", "may_work_later": True})
    assert unread == types.UnreadAttachment(types.Attachment("a.txt", "", 1), "broken", is_retryable=True)
    assert isinstance(from_json({"$": "Press", **base, "action": "stop"}), types.ButtonPress)
    assert from_json({"$": "Command", **base, "name": "ask", "ref": {"speak": "1"}}).wants_speech
